# SPDX-License-Identifier: AGPL-3.0-or-later
"""Several processes may listen to the doors together (PostgreSQL): is nothing lost, sent twice or fatal where two write?

Each test has two writers in one database; the first commits only once the second is done or waits for it.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
import pytest
from sqlalchemy import Connection, select, text

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, Acknowledgement, Booted, Event, Passed, Status, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, tag_hash
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.doors.writer import Work, Writer
from booking_server.ledger.ingest import count, ingest
from booking_server.ledger.tables import entries
from tests.booking_server.hub import HOST, NOW, TAG, Hub
from tests.system.processes import wait_for

T = TypeVar("T")
_WAITING = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def _by_two(database: Database, first: Callable[[Connection], object], second: Callable[[Connection], T]) -> T:
    """Return what `second` comes to."""
    begun, go_on, results = threading.Event(), threading.Event(), list[T]()
    one, other = Writer(database), Writer(database)

    def held(tx: Connection) -> None:
        first(tx)
        begun.set()
        go_on.wait(10)

    def waits() -> bool:
        with database.read() as tx:
            return bool(tx.execute(_WAITING).scalar())

    for writer in (one, other):
        writer.start()
    one.put(Work(write=held, done=lambda _: None))
    assert begun.wait(10)
    other.put(Work(write=second, done=results.append))
    wait_for(lambda: results or other.fault or waits(), "the other writer waits or is done")
    go_on.set()
    for writer in (one, other):
        writer.stop()
        assert writer.fault is None
    return results[0]


def test_a_tap_and_what_became_of_it_taken_in_by_two_make_an_entry(hub: Hub) -> None:
    """Neither sees what the other has not committed, and still the entry is made."""
    hub.desk.tag(hub.aino, TAG)
    with hub.desk.database.write() as tx:
        tag = tag_hash(doors.tag_key(tx, hub.desk.keys.vault, "room"), TAG)
        _take_in(tx, 1, Booted(version="1"))
    tapped = Tapped(access_point=AccessPointId("in"), tag=tag, granted=True)
    passed = Passed(tap=2, outcome=Outcome.ENTERED)
    said = _by_two(hub.desk.database, lambda tx: _take_in(tx, 2, tapped), lambda tx: _take_in(tx, 3, passed))
    assert (said.up_to, said.missing) == (3, [])
    with hub.desk.database.read() as tx:
        assert len(tx.execute(select(entries.c.id)).all()) == 1


def _take_in(tx: Connection, sequence: int, what: What) -> Acknowledgement:
    event = Event(
        journal="j",
        sequence=sequence,
        boot="b",
        at=NOW,
        monotonic_ms=sequence,
        clock=ClockQuality.SYNCED,
        previous=FIRST_PREVIOUS,
        what=what,
    )
    return ingest(tx, HubLookups(), now=NOW, door_id="room", contents=[msgspec.json.encode(event)])[0]


def test_what_two_count_is_all_counted(hub: Hub) -> None:
    """The first of its name, too."""

    def one_more(tx: Connection) -> int:
        return count(tx, "oversized", "room", NOW)

    assert _by_two(hub.desk.database, one_more, one_more) == 2


def test_a_command_is_sent_by_one_of_them(hub: Hub) -> None:
    """Both find it waiting; one marks it as sent, and it alone may send."""
    with hub.desk.database.write() as tx:
        asked = commands.ask_open(tx, HOST, now=NOW, door_id="room", reason="parcel").command
    marked: list[bool] = []

    def mark(tx: Connection) -> None:
        marked.append(commands.sent(tx, now=NOW, command_id=asked))

    _by_two(hub.desk.database, mark, mark)
    assert marked == [True, False]


def test_a_door_first_heard_by_both_at_once_has_one_state(hub: Hub) -> None:
    """Each of them hears every status."""
    said = Status(online=True, at=NOW, nonce="n")

    def keep(tx: Connection) -> None:
        doors.keep_status(tx, now=NOW, door_id="room", status=said)

    _by_two(hub.desk.database, keep, keep)
    with hub.desk.database.read() as tx:
        assert doors.door_states(tx)["room"].status == said
