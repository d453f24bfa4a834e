# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a door told only what changed where that can be, the whole where it cannot, and nothing that is on its way already?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from access_contract.messages import Request, SnapshotDelta, SnapshotPart
from access_contract.snapshot import Snapshot
from booking_server.access import service as access
from booking_server.bookings import service as bookings
from booking_server.db import Database
from booking_server.keys import make_keys
from tests.booking_server.doors.fake_door import FakeDoor
from tests.booking_server.doors.server import Server
from tests.booking_server.hub import HOST, OTHER_TAG, TAG, Hub
from tests.system import parts
from tests.system.desk import Desk
from tests.system.processes import Processes, wait_for
from tests.system.turned_clock import ClockHand

HALF_HOUR = timedelta(minutes=30)
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def hand(tmp_path: Path) -> ClockHand:
    return ClockHand(tmp_path / "clock")


@pytest.fixture
def desk(database: Database, tmp_path: Path, hand: ClockHand) -> Desk:
    return Desk(database, make_keys(tmp_path / "state"), hand.clock)


@pytest.fixture
def server(tmp_path: Path, database_url: str, hand: ClockHand) -> Iterator[Server]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Processes(tmp_path / "logs") as processes:
        server = Server(tmp_path, processes, database_url, clock=hand.file)
        server.start_broker()
        yield server


@pytest.fixture
def room(server: Server, hub: Hub) -> Iterator[FakeDoor]:
    """A door that is online and has said that it holds its snapshot, with one tag and weekly hours."""
    hub.desk.tag(hub.aino, TAG)
    with hub.desk.database.write() as tx:
        today = hub.desk.clock.now().date()
        access.grant_access(
            tx, HOST, now=hub.desk.clock.now(), person_id=hub.aino, area_id=hub.room, from_day=today - timedelta(9), weekdays=31
        )
    server.start()
    with FakeDoor("room", server.port, server.identity, hub.desk.keys) as room:
        room.report()
        _says_what_it_holds(room)
        yield room


def _says_what_it_holds(door: FakeDoor) -> Snapshot:
    held, digest = wait_for(door.snapshot, "a snapshot")
    door.report(snapshot_number=held.number, snapshot_digest=digest)
    return held


def _next(door: FakeDoor, before: Snapshot) -> Snapshot:
    def found() -> Snapshot | None:
        held = door.snapshot()
        return held[0] if held is not None and held[0].number > before.number else None

    return wait_for(found, "the next snapshot")


def test_changes_that_follow_each_other_are_told_one_upon_the_other(room: FakeDoor, hub: Hub) -> None:
    """Without waiting for the door to say that it has the first; it never gets the whole again."""
    held = _says_what_it_holds(room)
    for number in range(5):
        hub.desk.book(hub.room, hub.ville, *(hub.desk.clock.now() + timedelta(hours=2 * number + h) for h in (2, 3)))
        hub.desk.tag(hub.ville, OTHER_TAG)
    wait_for(lambda: any(len(rights.rights) == 5 for rights in room.snapshot()[0].tags.values()), "all five")  # type: ignore[index]
    assert room.snapshot()[0].number > held.number  # type: ignore[index]
    assert len(room.of(SnapshotPart)) == 1
    assert len(room.of(SnapshotDelta)) >= 1


def test_a_new_day_tells_new_windows_and_no_tag(room: FakeDoor, hand: ClockHand) -> None:
    """What is held stays under the name of its hours; the door gets a day more of them and another expiry."""
    held = _says_what_it_holds(room)
    hand.turn_by(timedelta(days=1))
    after = _next(room, held)
    (delta,) = room.of(SnapshotDelta)
    assert (delta.put_tags, delta.drop_tags) == ({}, [])
    assert (after.tags, after.expires_at) == (held.tags, held.expires_at + timedelta(days=1))
    assert after.window_sets != held.window_sets


def test_what_fits_no_message_is_sent_whole(room: FakeDoor, hub: Hub) -> None:
    """Many bookings at once: the door gets parts, and in the end the same."""
    held = _says_what_it_holds(room)
    hub.desk.tag(hub.ville, OTHER_TAG)
    start = hub.desk.clock.now() + timedelta(hours=1)
    with hub.desk.database.write() as tx:
        for number in range(800):
            times: dict[str, Any] = {"start_at": start + number * HALF_HOUR, "end_at": start + (number + 1) * HALF_HOUR}
            bookings.book_space(tx, HOST, now=hub.desk.clock.now(), space_id=hub.room, person_id=hub.ville, **times)
    after = _next(room, held)
    assert len(room.of(SnapshotPart)) > 1
    assert room.of(SnapshotDelta) == []
    assert max(len(rights.rights) for rights in after.tags.values()) == 800


def test_a_door_that_came_back_meanwhile_is_told_from_where_it_is(room: FakeDoor, hub: Hub, server: Server) -> None:
    """It missed two changes and asks, naming what it holds: one message brings it up to date."""
    held = _says_what_it_holds(room)
    digest = room.snapshot()[1]  # type: ignore[index]
    room.vanish()
    wait_for(lambda: not hub.desk.online("room"), "it is away")
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.grant(hub.ville, hub.room, from_day=hub.desk.clock.now().date())
    hub.desk.withdraw(1)
    with FakeDoor("room", server.port, server.identity, hub.desk.keys) as back:
        with hub.desk.database.read() as tx:
            last = access.latest_change(tx)
        wait_for(lambda: back.ask(TAG).known == last, "the server knows of all changes")
        back.say("request", Request(digest=digest))
        delta = wait_for(lambda: back.of(SnapshotDelta), "what changed")[0]
        back.report(snapshot_number=held.number, snapshot_digest=digest)
        assert delta.from_digest == digest
        assert (len(delta.put_tags), len(delta.drop_tags)) == (1, 1)
        back.ask(TAG)
        assert back.of(SnapshotPart) == []
        assert len(back.of(SnapshotDelta)) == 1


@pytest.mark.soak
def test_a_door_that_cannot_take_a_change_on_is_sent_the_whole(room: FakeDoor, hub: Hub) -> None:
    """It goes on saying that it holds what it was told a change to."""
    held = _says_what_it_holds(room)
    digest = room.snapshot()[1]  # type: ignore[index]
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.grant(hub.ville, hub.room, from_day=hub.desk.clock.now().date())
    wait_for(lambda: room.of(SnapshotDelta), "a change")

    def again() -> bool:
        room.report(snapshot_number=held.number, snapshot_digest=digest)
        return len(room.of(SnapshotPart)) == 2

    wait_for(again, "the whole", limit_seconds=20)
