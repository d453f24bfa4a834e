# SPDX-License-Identifier: AGPL-3.0-or-later
# ruff: noqa: ARG002
"""Does every event count exactly once, whatever order it comes in?"""

import itertools
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import Connection, insert, select

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, ClockSynced, CommandDone, Event, Passed, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, TagHash
from booking_server.db import Database, metadata
from booking_server.ledger.ingest import Target, ingest
from booking_server.ledger.rules import Holding
from booking_server.ledger.tables import entries, taps

for noun in ("access", "audit", "billing", "bookings", "doors", "invoices", "ledger", "people", "places", "tags"):
    import_module(f"booking_server.{noun}.tables")
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
IN = AccessPointId("in")


class Known:
    """One door, one tag, one person, one space."""

    def keytags(self, tx: Connection, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        return dict.fromkeys(named, 1)

    def holdings(self, tx: Connection, keytag_ids: Collection[int]) -> dict[int, list[Holding]]:
        ever = Holding(person_id=1, from_at=NOW - timedelta(days=1000), until_at=None)
        return {keytag_id: [ever] for keytag_id in keytag_ids}

    def targets(self, tx: Connection, points: Collection[tuple[str, str]]) -> dict[tuple[str, str], Target]:
        return dict.fromkeys(points, Target(space_id=2, zone=ZoneInfo("Europe/Helsinki")))

    def bookings(self, tx: Connection, booking_ids: Collection[int]) -> set[int]:
        return set()

    def command_done(self, tx: Connection, now: datetime, door_id: str, done: CommandDone) -> None:
        return None


@pytest.fixture
def database() -> Iterator[Database]:
    database = Database("sqlite://")
    metadata.create_all(database.engine)
    at = {"created_at": NOW}
    rows: dict[str, list[dict[str, object]]] = {
        "sites": [{"id": 1, "name": "Hub", "time_zone": "Europe/Helsinki", **at}],
        "areas": [
            {"id": 1, "site_id": 1, "name": "Hub", "kind": "site"},
            {"id": 2, "site_id": 1, "name": "S", "kind": "space"},
        ],
        "spaces": [{"area_id": 2, "kind": "office", "capacity": 1, "bookable": False, "tap_is_entry_when_unlocked": False}],
        "customers": [{"id": 1, "name": "C", "address": "", "email": "", **at}],
        "people": [{"id": 1, "name": "P", "email": "", "language": "fi", "customer_id": 1, **at}],
        "keytags": [{"id": 1, "number_sealed": b"x", "number_index": "x", "last_digits": "1D80", **at}],
        "doors": [
            {
                "id": "front",
                "site_id": 1,
                "name": "Front",
                "tag_key_sealed": b"",
                "log_named": "priced",
                "log_reason": "",
                "log_days": 90,
                "snapshot_expiry_days": 14,
                "rules": {},
                **at,
            }
        ],
    }
    with database.write() as tx:
        for name, values in rows.items():
            tx.execute(insert(metadata.tables[name]), values)
    yield database
    database.close()


def _written(sequence: int, what: What, seconds: int, clock: ClockQuality = ClockQuality.SYNCED) -> bytes:
    return msgspec.json.encode(
        Event(
            journal="j",
            sequence=sequence,
            boot="b",
            at=NOW + timedelta(seconds=seconds, days=0 if clock is ClockQuality.SYNCED else -300),
            monotonic_ms=seconds * 1000,
            clock=clock,
            previous=FIRST_PREVIOUS,
            what=what,
        )
    )


def _tap() -> Tapped:
    return Tapped(access_point=IN, tag=TagHash("a" * 64), granted=True)


STORY = [
    _written(1, _tap(), 0, ClockQuality.UNTRUSTED),
    _written(2, Passed(tap=1, outcome=Outcome.ENTERED), 1, ClockQuality.UNTRUSTED),
    _written(3, ClockSynced(), 2),
    _written(4, _tap(), 60),
    _written(5, Passed(tap=4, outcome=Outcome.ASSUMED), 61),
]


@pytest.mark.parametrize("order", [*itertools.permutations(range(5))][::8])
def test_order_of_arrival_and_replay_change_nothing(database: Database, order: tuple[int, ...]) -> None:
    """Two taps a minute apart, one of them before the clock was set, are two taps, two entries, one merged, in any order."""
    for number in [*order, *order]:
        with database.write() as tx:
            said = ingest(tx, Known(), now=NOW, door_id="front", contents=[STORY[number]])
    with database.read() as tx:
        tapped = tx.execute(select(taps.c.at, taps.c.outcome).order_by(taps.c.at)).all()
        made = tx.execute(
            select(entries.c.id, entries.c.merged_into)
            .join(taps, taps.c.event_id == entries.c.tap_event_id)
            .order_by(taps.c.at)
        ).all()
    assert [tuple(row) for row in tapped] == [(NOW, "entered"), (NOW + timedelta(seconds=60), "assumed")]
    assert [row.merged_into for row in made] == [None, made[0].id]
    assert (said[0].up_to, said[0].missing, said[0].forked) == (5, [], False)


@pytest.mark.parametrize("order", [*itertools.permutations(range(5))][::8])
def test_one_message_or_many_come_to_the_same(database: Database, order: tuple[int, ...]) -> None:
    """The same events in one message, each of them twice, are the same taps and entries."""
    with database.write() as tx:
        said = ingest(tx, Known(), now=NOW, door_id="front", contents=[STORY[number] for number in [*order, *order]])
    with database.read() as tx:
        tapped = tx.execute(select(taps.c.at, taps.c.outcome, taps.c.person_id).order_by(taps.c.at)).all()
        made = tx.execute(select(entries.c.id, entries.c.merged_into).order_by(entries.c.id)).all()
    assert [tuple(row) for row in tapped] == [(NOW, "entered", 1), (NOW + timedelta(seconds=60), "assumed", 1)]
    assert sorted(row.merged_into is None for row in made) == [False, True]
    assert (said[0].up_to, said[0].missing, said[0].forked) == (5, [], False)


def test_another_event_under_a_known_number_is_a_fork(database: Database) -> None:
    """A door that says something else under the same number is told so, and what was stored first stands."""
    with database.write() as tx:
        ingest(tx, Known(), now=NOW, door_id="front", contents=[STORY[3]])
        said = ingest(tx, Known(), now=NOW, door_id="front", contents=[_written(4, _tap(), 99)])
        assert tx.execute(select(taps.c.at)).scalars().all() == [NOW + timedelta(seconds=60)]
    assert said[0].forked
    assert said[0].missing == [1, 2, 3]


def test_rubbish_is_counted_and_never_fatal(database: Database) -> None:
    """What cannot be read stores nothing and acknowledges nothing."""
    with database.write() as tx:
        assert ingest(tx, Known(), now=NOW, door_id="front", contents=[b"{", b"\xff", b'{"sequence": 1}']) == []
