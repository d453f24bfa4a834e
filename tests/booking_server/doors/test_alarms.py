# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a site's burglar alarm concern every door of the site, and no other, by the word of the door it is wired to?"""

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server.doors.alarms import Alarms

STREET, HALL, STUDIO, ELSEWHERE = (DoorId(name) for name in ("street", "hall", "studio", "elsewhere"))
SITES = {STREET: 1, HALL: 1, STUDIO: 1, ELSEWHERE: 2}


def _said(**doors: bool | None) -> Alarms:
    alarms = Alarms()
    alarms.know(SITES)
    for door, armed in doors.items():
        alarms.heard(DoorId(door), Status(online=True, alarm_armed=armed))
    return alarms


def _armed(alarms: Alarms) -> set[str]:
    return {door for door in SITES if alarms.armed_at(door)}


def test_armed_at_one_door_is_armed_at_every_other_of_the_site() -> None:
    """The wired door itself goes by its wire; another site is not concerned."""
    assert _armed(_said(street=True, hall=None)) == {HALL, STUDIO}


def test_two_wired_doors_each_judge_for_themselves() -> None:
    """One armed part of a building is enough for the doors without a wire."""
    assert _armed(_said(street=False, hall=True)) == {STUDIO}


def test_disarmed_is_over_at_once() -> None:
    """By the wired door's next word."""
    alarms = _said(street=True)
    alarms.heard(STREET, Status(online=True, alarm_armed=False))
    assert _armed(alarms) == set()


def test_a_wired_door_that_goes_away_leaves_its_last_word() -> None:
    """Its last will says nothing of the alarm, and disarms nothing."""
    alarms = _said(street=True)
    alarms.heard(STREET, Status(online=False))
    assert _armed(alarms) == {HALL, STUDIO}


def test_a_door_whose_wire_was_taken_off_is_forgotten() -> None:
    """It is online and says nothing of an alarm any more; a retired door concerns nobody."""
    alarms = _said(street=True)
    alarms.heard(STREET, Status(online=True))
    assert _armed(alarms) == set()
    alarms = _said(street=True)
    alarms.know({door: site for door, site in SITES.items() if door != STREET})
    assert _armed(alarms) == set()


def test_the_last_words_outlive_a_restart() -> None:
    """What the database kept of each door is taken on at the start."""
    alarms = Alarms()
    alarms.begin({STREET: Status(online=False, alarm_armed=True)})
    alarms.know(SITES)
    assert _armed(alarms) == {HALL, STUDIO}
