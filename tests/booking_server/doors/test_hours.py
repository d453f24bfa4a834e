# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door learn when it is to stand unlocked by itself, as instants, and only as staff said?"""

from datetime import UTC, datetime, time, timedelta

import pytest

from access_contract.snapshot import Window
from access_contract.vocabulary import DoorId
from booking_server.access import service as access
from booking_server.access.door_rights import DoorRights
from booking_server.access.index import build
from booking_server.actors import NotAllowed
from booking_server.doors import hours
from booking_server.errors import Invalid, NotFound
from tests.booking_server.hub import BILLING, HOST, NOW, Hub

LOBBY = DoorId("lobby")
WEEKDAYS = 0b0011111


def _add(hub: Hub, weekdays: int = WEEKDAYS, first: time = time(8), last: time = time(16)) -> hours.UnlockingHours:
    with hub.desk.database.write() as tx:
        return hours.add_hours(tx, HOST, now=NOW, door_id=LOBBY, weekdays=weekdays, from_time=first, until_time=last)


def _lobby(hub: Hub) -> DoorRights:
    with hub.desk.database.read() as tx:
        return build(tx, now=NOW)[LOBBY]


def _windows(hub: Hub) -> tuple[Window, ...]:
    held = _lobby(hub)
    assert held.head.unlocking is not None
    return held.windows(held.head.unlocking.windows)


def test_a_door_without_hours_is_told_none(hub: Hub) -> None:
    """It stands locked at all times."""
    assert _lobby(hub).head.unlocking is None


def test_hours_reach_the_door_as_instants_of_its_sites_clock(hub: Hub) -> None:
    """8 to 16 on weekdays in Helsinki is 6 to 14 UTC in winter; no Saturday, no Sunday, for as long as rights are on board."""
    _add(hub)
    windows = _windows(hub)
    assert Window(datetime(2026, 11, 25, 6, tzinfo=UTC), datetime(2026, 11, 25, 14, tzinfo=UTC)) in windows
    assert all(window.start.weekday() < 5 and window.end - window.start == timedelta(hours=8) for window in windows)
    assert windows[-1].start > NOW + timedelta(days=33)


def test_hours_that_overlap_are_one_window(hub: Hub) -> None:
    """8 to 16 and 15 to 18 unlock once, from 8 to 18."""
    _add(hub)
    _add(hub, first=time(15), last=time(18))
    assert Window(datetime(2026, 11, 25, 6, tzinfo=UTC), datetime(2026, 11, 25, 16, tzinfo=UTC)) in _windows(hub)


def test_whether_the_door_waits_for_somebody_is_told_too(hub: Hub) -> None:
    """First nobody is waited for; staff may say otherwise, and back."""
    _add(hub)
    for waits in (False, True, False):
        with hub.desk.database.write() as tx:
            hours.let_wait(tx, HOST, now=NOW, door_id=LOBBY, waits=waits)
        unlocking = _lobby(hub).head.unlocking
        assert unlocking is not None
        assert unlocking.first_in is waits


def test_taking_hours_away_is_a_rights_change_of_that_door(hub: Hub) -> None:
    """The door is told; a second time there is nothing to take away."""
    made = _add(hub)
    with hub.desk.database.write() as tx:
        hours.take_hours_away(tx, HOST, now=NOW, hours_id=made.id)
        assert access.changes_after(tx, access.latest_change(tx) - 1)[0].door_id == LOBBY
        with pytest.raises(NotFound):
            hours.take_hours_away(tx, HOST, now=NOW, hours_id=made.id)
    assert _lobby(hub).head.unlocking is None


def test_what_cannot_be_meant_is_refused(hub: Hub) -> None:
    """No day at all, a door that is not there, more hours than a week needs, and somebody who may not."""
    with pytest.raises(Invalid):
        _add(hub, weekdays=0)
    with pytest.raises(NotFound), hub.desk.database.write() as tx:
        hours.add_hours(tx, HOST, now=NOW, door_id="no-door", weekdays=1, from_time=time(8), until_time=time(9))
    with pytest.raises(NotAllowed), hub.desk.database.write() as tx:
        hours.add_hours(tx, BILLING, now=NOW, door_id=LOBBY, weekdays=1, from_time=time(8), until_time=time(9))
    for _ in range(hours.HOURS_MAX):
        _add(hub)
    with pytest.raises(Invalid):
        _add(hub)
