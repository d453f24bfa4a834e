# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the contact say who entered, who did not, and what was forced or left open?"""

from __future__ import annotations

from dataclasses import replace

from access_contract.entries import Outcome
from access_contract.messages import (
    HeldOpen,
    Opened,
    PreAlarm,
    SetMode,
)
from access_contract.vocabulary import DoorMode
from door_agent.happenings import (
    BoltMoved,
    Commanded,
    ContactMoved,
    Energise,
    ExitPressed,
    ExitReleased,
    FireMoved,
    JournalReported,
    Operate,
    StayUnlocked,
    TamperMoved,
    TimePassed,
    Warn,
)
from door_agent.machine import next_due
from tests.door_agent.machine_door import TAP, Door, hold_right, raised, set_mode, words


def test_two_taps_in_one_opening_both_count() -> None:
    """Two granted taps may share one opening, and both are entries."""
    door = Door()
    door.happen(TAP)
    door.happen(TAP, after=1)
    door.happen(ContactMoved(True), after=1)
    assert door.outcomes() == [Outcome.ENTERED, Outcome.ENTERED]


def test_who_does_not_open_has_not_entered() -> None:
    """At the relock a tap that nobody followed is not an entry; without a contact it is assumed."""
    door = Door()
    door.happen(TAP)
    door.happen(TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
    unseen = Door(contact=False)
    unseen.happen(TAP)
    assert unseen.outcomes() == [Outcome.ASSUMED]


def test_an_opening_after_an_exit_request_counts_for_nobody() -> None:
    """Somebody going out does not make an entry of somebody's tap; it is marked doubtful."""
    door = Door()
    door.happen(TAP)
    door.happen(ExitPressed(), after=1)
    door.happen(ContactMoved(True), after=1)
    assert door.outcomes() == [Outcome.DOUBTFUL]


def test_forced_and_held_open_are_said_once() -> None:
    """An opening that nothing unlocked is forced; a leaf open too long is held open, once."""
    door = Door()
    door.happen(ContactMoved(True))
    door.happen(TimePassed(), after=60)
    door.happen(TimePassed(), after=60)
    opened = door.recorded(Opened)[0]
    assert isinstance(opened, Opened)
    assert opened.forced
    assert len(door.recorded(HeldOpen)) == 1
    assert set(door.state.attention) == {"forced_open", "held_open"}
    door.happen(ContactMoved(False))
    assert words(door) == ()


def test_an_exit_request_alone_moves_no_relay_and_forces_nothing() -> None:
    """The way out is wired past the agent: it hears of it, and the opening after it is not forced."""
    door = Door()
    door.happen(ExitPressed())
    door.happen(ContactMoved(True), after=1)
    assert door.pulses == 0
    assert words(door) == ()


def test_a_leaf_that_stands_open_at_the_start_was_not_forced() -> None:
    """After a power cut with the door open nobody is alarmed; left open, it is held open."""
    door = Door(contact=False)
    door.happen(ContactMoved(True))
    assert door.recorded(Opened) == []
    door.happen(TimePassed(), after=60)
    assert words(door) == ("held_open",)


def test_a_tap_just_before_the_door_is_unlocked_does_not_count_hours_later() -> None:
    """Its outcome is known at its own relock, whatever the mode is by then."""
    door = Door(link=True)
    door.answer(door.happen(TAP), granted=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.UNLOCKED)), after=1)
    door.happen(TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
    door.happen(ContactMoved(True), after=3600)
    assert door.outcomes() == [Outcome.NOT_ENTERED]


def test_a_warning_comes_before_held_open_and_ends_when_the_leaf_closes() -> None:
    """The pre-alarm is written down and sounds until held open at the longest; a leaf that closes in time ends it."""
    door = Door()
    door.happen(ContactMoved(True))
    effects = door.happen(TimePassed(), after=45)
    assert Warn(15.0) in effects
    assert Warn(0.0) in door.happen(ContactMoved(False), after=1)
    door.happen(TimePassed(), after=60)
    assert (len(door.recorded(PreAlarm)), len(door.recorded(HeldOpen))) == (1, 0)


def test_who_needs_longer_gets_longer_at_the_lock_and_at_the_leaf() -> None:
    """Extended: a longer pulse, which another's tap does not cut short, and a longer time until held open."""
    door = Door()
    hold_right(door, extended=True)
    assert Energise(10.0) in door.happen(TAP)
    hold_right(door)
    assert Energise(9.0) in door.happen(TAP, after=1)
    door.happen(ContactMoved(True), after=1)
    door.happen(TimePassed(), after=100)
    assert door.recorded(HeldOpen) == []
    door.happen(TimePassed(), after=20)
    assert len(door.recorded(HeldOpen)) == 1
    door.happen(ContactMoved(False))
    door.happen(TAP)
    door.happen(ContactMoved(True), after=1)
    door.happen(TimePassed(), after=60)
    assert len(door.recorded(HeldOpen)) == 2


def test_a_leaf_may_stand_open_while_the_door_stands_unlocked() -> None:
    """Nobody is warned then; once the door is to be locked the time begins."""
    door = Door()
    set_mode(door, DoorMode.UNLOCKED)
    door.happen(ContactMoved(True))
    door.happen(TimePassed(), after=3600)
    assert words(door) == ()
    set_mode(door, DoorMode.LOCKED)
    door.happen(TimePassed(), after=60)
    assert words(door) == ("held_open",)


def test_a_button_held_down_excuses_until_it_is_stuck() -> None:
    """While it is pressed each opening is somebody going out; after half a minute it is a fault, and openings are forced."""
    door = Door()
    door.happen(ExitPressed())
    door.happen(ContactMoved(True), after=20)
    door.happen(ContactMoved(False), after=1)
    assert words(door) == ()
    door.happen(TimePassed(), after=9)
    door.happen(ContactMoved(True), after=1)
    assert words(door) == ("exit_stuck", "forced_open")
    door.happen(ContactMoved(False))
    door.happen(ExitReleased())
    assert words(door) == ()
    door.happen(ContactMoved(True), after=1)
    assert words(door) == ("forced_open",)


def test_fire_is_heard_and_moves_nothing() -> None:
    """Openings are not forced and count for nobody, the relay is left alone, and the alarm's end is written down, too."""
    door = Door()
    door.happen(TAP)
    effects = door.happen(FireMoved(True), after=1)
    assert [e for e in effects if isinstance(e, Energise | StayUnlocked | Operate)] == []
    door.happen(ContactMoved(True), after=1)
    door.happen(ContactMoved(False), after=1)
    door.happen(ContactMoved(True), after=60)
    door.happen(TAP, after=1)
    assert door.outcomes() == [Outcome.DOUBTFUL, Outcome.DOUBTFUL]
    assert [what.forced for what in door.recorded(Opened) if isinstance(what, Opened)] == [False, False]
    door.happen(FireMoved(False))
    assert raised(door) == [("fire", True), ("fire", False)]


def test_an_open_box_is_told_until_it_is_closed() -> None:
    """Once each, and it moves nothing: who can open the box has the relay's screws before him anyway."""
    door = Door()
    moved = [effect for on in (True, True, False) for effect in door.happen(TamperMoved(on), after=1)]
    assert raised(door) == [("tamper", True), ("tamper", False)]
    assert not any(isinstance(effect, Energise | StayUnlocked) for effect in moved)


def test_a_door_that_did_not_lock_is_told() -> None:
    """The leaf is closed and the time is over: the bolt must be thrown. A tap or an open leaf explain that it is not."""
    door = Door()
    door.happen(BoltMoved(True))
    door.happen(TAP)
    door.happen(BoltMoved(False), after=1)
    door.happen(ContactMoved(True), after=1)
    door.happen(TimePassed(), after=30)
    assert raised(door) == []
    door.happen(ContactMoved(False), after=1)
    door.happen(TimePassed(), after=9.9)
    assert raised(door) == []
    door.happen(TimePassed(), after=0.1)
    door.happen(TimePassed(), after=60)
    assert raised(door) == [("lock_not_bolted", True)]
    assert next_due(door.state) is None
    door.happen(BoltMoved(True))
    assert raised(door)[1:] == [("lock_not_bolted", False)]


def operated(door: Door) -> int:
    return sum(isinstance(effect, Operate) for effect in door.did)


def door_with_operator() -> Door:
    door = Door()
    door.settings = replace(door.settings, operator_pulse_seconds=1.0, operator_delay_seconds=2.0)
    return door


def test_the_operator_starts_a_moment_after_the_lock() -> None:
    """Never with it and never before it; where the door stands unlocked, at once."""
    door = door_with_operator()
    door.happen(TAP)
    door.happen(TimePassed(), after=1.9)
    assert operated(door) == 0
    door.happen(TimePassed(), after=0.1)
    door.happen(TimePassed(), after=10)
    assert operated(door) == 1
    set_mode(door, DoorMode.UNLOCKED)
    assert Operate(1.0) in door.happen(TAP)


def test_the_operator_never_pushes_against_a_bolt() -> None:
    """It waits until the bolt is free, and does not start at all if it does not come free before the relock."""
    door = door_with_operator()
    door.happen(BoltMoved(True))
    door.happen(TAP)
    door.happen(TimePassed(), after=3)
    assert (operated(door), next_due(door.state)) == (0, door.state.unlocked_until)
    assert Operate(1.0) in door.happen(BoltMoved(False), after=1)
    door.happen(TimePassed(), after=10)
    door.happen(BoltMoved(True))
    door.happen(TAP)
    door.happen(TimePassed(), after=10)
    door.happen(BoltMoved(False))
    assert operated(door) == 1


def test_no_operator_starts_after_a_tap_that_could_not_be_recorded() -> None:
    """The lock was not opened, so the leaf is not pushed."""
    door = door_with_operator()
    door.happen(TAP)
    door.happen(JournalReported("disk full", door.state.sequence - 1))
    door.happen(TimePassed(), after=3)
    assert operated(door) == 0


def test_a_motor_lock_is_open_until_it_has_thrown_its_bolt_again() -> None:
    """The relay gives a short start signal; the door may be opened until the lock itself relocks, and is forced after."""
    door = Door()
    door.settings = replace(door.settings, pulse_seconds=1.0, after_pulse_seconds=8.0)
    assert Energise(1.0) in door.happen(TAP)
    door.happen(ContactMoved(True), after=8.5)
    assert door.outcomes() == [Outcome.ENTERED]
    door.happen(ContactMoved(False), after=1)
    door.happen(ContactMoved(True), after=1)
    assert words(door) == ("forced_open",)
