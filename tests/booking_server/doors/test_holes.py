# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the server notice that a door holds events which do not come, and only then?"""

from __future__ import annotations

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server.doors.holes import QUIET_SECONDS, Holes

DOOR = DoorId("front")


def told(last: int, acknowledged: int = 0, journal: str = "j") -> Status:
    return Status(online=True, journal=journal, last_sequence=last, acknowledged=acknowledged)


def test_a_door_that_tells_the_same_twice_and_sends_nothing_is_stuck() -> None:
    """The second status that tells of the same events is the sign; it is given once for each while."""
    holes = Holes()
    assert [holes.is_stuck(DOOR, told(9), at) for at in (0, 10, 11, 20, 30)] == [False, True, False, True, True]


def test_a_door_whose_events_come_is_not_stuck() -> None:
    """Something that came just before is sign enough that the line works."""
    holes = Holes()
    assert not holes.is_stuck(DOOR, told(9), 0)
    holes.arrived(DOOR, 9)
    assert not holes.is_stuck(DOOR, told(9), 10)
    assert holes.is_stuck(DOOR, told(9), 9 + QUIET_SECONDS)


def test_a_door_with_nothing_to_send_or_something_new_is_not_stuck() -> None:
    """All acknowledged, a later event, another journal, or gone: there is no hole to ask for yet."""
    holes = Holes()
    says = [told(9), told(10), told(10, journal="k"), told(10, acknowledged=10, journal="k"), Status(online=False), told(11)]
    assert [holes.is_stuck(DOOR, status, 10.0 * n) for n, status in enumerate(says)] == [False] * len(says)
