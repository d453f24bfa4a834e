# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is work done only once it is committed, and in the order it came? Does a writer that failed end?"""

import threading
from pathlib import Path

from sqlalchemy import Connection, text

from booking_server.db import Database
from booking_server.doors.writer import Work, Writer
from tests.system.processes import wait_for


def test_done_comes_after_the_commit_and_in_order(tmp_path: Path) -> None:
    """When `done` runs, another connection already sees the row; nothing that was taken is lost at the stop."""
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    with database.write() as tx:
        tx.execute(text("create table t (n integer)"))
    seen: list[tuple[object, bool]] = []

    def work(number: int) -> Work[object]:
        def write(tx: Connection) -> object:
            tx.execute(text("insert into t values (:n)"), {"n": number})
            return number

        def done(result: object) -> None:
            with database.read() as tx:
                there = tx.execute(text("select count(*) from t where n = :n"), {"n": number}).scalar() == 1
            seen.append((result, there))

        return Work(write=write, done=done)

    writer = Writer(database)
    assert all(writer.put(work(number)) for number in range(120))
    writer.start()
    writer.stop()
    database.close()
    assert writer.fault is None
    assert not writer.alive
    assert seen == [(number, True) for number in range(120)]


def test_a_writer_that_failed_with_a_full_queue_can_be_stopped(tmp_path: Path) -> None:
    """So that the process ends and is started again, whatever came in meanwhile."""
    database = Database(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    writer, began = Writer(database, room=1), threading.Event()

    def fail(tx: Connection) -> None:
        began.set()
        tx.execute(text("insert into nowhere values (1)"))

    work = Work(write=fail, done=lambda _: None)
    writer.start()
    writer.put(work)
    assert began.wait(10)
    wait_for(lambda: not writer.alive, "the writer has ended")
    assert writer.put(work)
    stopping = threading.Thread(target=writer.stop, daemon=True)
    stopping.start()
    stopping.join(5)
    assert not stopping.is_alive()
    database.close()
