# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is work done only once it is committed, and in the order it came?"""

from pathlib import Path

from sqlalchemy import Connection, text

from booking_server.db import Database
from booking_server.doors.writer import Work, Writer


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
