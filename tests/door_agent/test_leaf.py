# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the contact say who entered, who did not, and what was forced or left open?"""

from __future__ import annotations

from access_contract.entries import Outcome
from access_contract.messages import (
    HeldOpen,
    Opened,
    SetMode,
)
from access_contract.vocabulary import DoorMode
from door_agent.happenings import (
    Commanded,
    ContactMoved,
    ExitPressed,
    TimePassed,
)
from tests.door_agent.machine_door import TAP, Door


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
    assert door.state.attention == ()


def test_an_exit_request_alone_moves_no_relay_and_forces_nothing() -> None:
    """The way out is wired past the agent: it hears of it, and the opening after it is not forced."""
    door = Door()
    door.happen(ExitPressed())
    door.happen(ContactMoved(True), after=1)
    assert door.pulses == 0
    assert door.state.attention == ()


def test_a_leaf_that_stands_open_at_the_start_was_not_forced() -> None:
    """After a power cut with the door open nobody is alarmed; left open, it is held open."""
    door = Door(contact=False)
    door.happen(ContactMoved(True))
    assert door.recorded(Opened) == []
    door.happen(TimePassed(), after=60)
    assert door.state.attention == ("held_open",)


def test_a_tap_just_before_the_door_is_unlocked_does_not_count_hours_later() -> None:
    """Its outcome is known at its own relock, whatever the mode is by then."""
    door = Door(link=True)
    door.answer(door.happen(TAP), granted=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.UNLOCKED)), after=1)
    door.happen(TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
    door.happen(ContactMoved(True), after=3600)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
