# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does nobody set off the burglar alarm: refused while it is armed, or let in once it says itself that it is disarmed?"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from access_contract.messages import DisarmRequested, Open
from access_contract.snapshot import DoorRules
from access_contract.vocabulary import DoorMode
from door_agent.happenings import AlarmMoved, Commanded, Disarm, Effect, Energise, JournalReported, Record, TimePassed
from tests.door_agent.machine_door import TAP, Door, hold_right, raised, refusals, set_mode, snapshot, tapped


def armed_door(*, may_disarm: bool, link: bool = False) -> Door:
    """A door whose alarm is armed; the known tag may disarm it, or not."""
    door = Door(link=link)
    door.settings = replace(door.settings, disarm_pulse_seconds=1.0)
    hold_right(door, may_disarm=may_disarm)
    door.happen(AlarmMoved(True))
    return door


def kinds(effects: list[Effect]) -> list[str]:
    return [type(effect.what if isinstance(effect, Record) else effect).__name__ for effect in effects]


def test_while_the_alarm_is_armed_a_member_is_refused_and_nothing_moves() -> None:
    """The reason says why, also for an opening by command; disarmed by its own keypad, the door opens."""
    door = armed_door(may_disarm=False)
    door.happen(TAP)
    door.happen(Commanded(Open(command="o", nonce=door.state.nonce)))
    assert ([t.reason for t in tapped(door)], refusals(door)) == (["alarm_armed"], ["alarm_armed"])
    door.happen(AlarmMoved(False))
    door.happen(TAP)
    assert (door.pulses, any(isinstance(effect, Disarm) for effect in door.did)) == (1, False)


def test_who_may_disarm_is_let_in_once_the_alarm_says_that_it_is_disarmed() -> None:
    """Asked for in writing, then asked; one tap in the journal, written and opened after the confirmation."""
    door = armed_door(may_disarm=True)
    assert kinds(door.happen(TAP)) == ["DisarmRequested", "Disarm"]
    assert door.happen(TimePassed(), after=3) == []
    assert kinds(door.happen(AlarmMoved(False), after=1)) == ["Tapped", "Energise", "Show", "PublishStatus"]
    assert [(t.granted, t.reason, t.cause) for t in tapped(door)] == [(True, None, "grant:1")]


def test_without_confirmation_nobody_is_let_in() -> None:
    """After the deadline the tap is refused, and staff are told; a confirmation that comes later opens nothing."""
    door = armed_door(may_disarm=True)
    door.happen(TAP)
    door.happen(TimePassed(), after=5)
    assert [(t.granted, t.reason) for t in tapped(door)] == [(False, "alarm_armed")]
    door.happen(AlarmMoved(False), after=1)
    assert door.pulses == 0
    assert raised(door) == [("alarm_no_confirmation", True), ("alarm_no_confirmation", False)]


def test_the_server_s_word_says_who_may_disarm() -> None:
    """An answer that may not disarm is refused although the own decision might have."""
    door = armed_door(may_disarm=True, link=True)
    assert "Disarm" not in kinds(door.answer(door.happen(TAP), granted=True))
    assert tapped(door)[0].reason == "alarm_armed"


def test_a_door_that_changes_meanwhile_stays_shut() -> None:
    """Blocked while the alarm was asked: disarmed or not, nothing opens."""
    door = armed_door(may_disarm=True)
    door.happen(TAP)
    set_mode(door, DoorMode.BLOCKED)
    door.happen(AlarmMoved(False), after=1)
    assert (door.pulses, tapped(door)[0].reason) == (0, "door_blocked")


def test_nobody_disarms_without_a_journal() -> None:
    """Where an unwritable journal refuses, the alarm is not even asked."""
    door = armed_door(may_disarm=True)
    door.happen(JournalReported("disk full", door.state.sequence))
    door.happen(TAP)
    assert (tapped(door)[0].reason, door.recorded(DisarmRequested)) == ("journal_unwritable", [])


def test_a_tap_whose_request_could_not_be_written_blames_the_journal() -> None:
    """The alarm was not asked, so nobody is told that it did not answer."""
    door = armed_door(may_disarm=True)
    door.happen(TAP)
    door.happen(JournalReported("disk full", door.state.sequence - 1))
    door.happen(TimePassed(), after=5)
    assert tapped(door)[0].reason == "journal_unwritable"
    assert raised(door) == [("journal_unwritable", True)]


def test_a_door_without_a_disarm_output_refuses_whoever_may_disarm() -> None:
    """There is nothing to ask."""
    door = armed_door(may_disarm=True)
    door.settings = replace(door.settings, disarm_pulse_seconds=None)
    door.happen(TAP)
    assert tapped(door)[0].reason == "alarm_armed"


def test_two_who_may_disarm_are_two_taps_and_two_entries() -> None:
    """Each is written once and waits for the same confirmation."""
    door = armed_door(may_disarm=True)
    door.happen(TAP)
    door.happen(TAP, after=1)
    effects = door.happen(AlarmMoved(False), after=1)
    assert [t.granted for t in tapped(door)] == [True, True]
    assert sum(isinstance(effect, Energise) for effect in effects) == 2


def test_a_door_that_is_wired_to_the_alarm_knows_it_also_alone() -> None:
    """The rule for an unknown alarm concerns doors without its wire: this one admits alone once it is disarmed, they refuse."""
    wired, other = Door(), Door()
    for door in (wired, other):
        held = snapshot()
        rules = DoorRules(unknown_alarm_admits_alone=False)
        door.hold(msgspec.structs.replace(held, number=held.number + 1, rules=rules))
    wired.happen(AlarmMoved(False))
    for door in (wired, other):
        door.happen(TAP)
    assert ([t.reason for t in tapped(wired)], [t.reason for t in tapped(other)]) == ([None], ["alarm_armed"])
