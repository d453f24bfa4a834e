# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a command obeyed once, by the door's own rules, and is what came of it always said?"""

from __future__ import annotations

from dataclasses import replace

from access_contract.messages import (
    Answer,
    CommandDone,
    Open,
    SetMode,
)
from access_contract.vocabulary import ClockQuality, DoorMode
from door_agent.happenings import (
    Answered,
    Commanded,
    SendAsk,
    SendCaptured,
    Started,
    StayUnlocked,
    TimePassed,
)
from tests.door_agent.machine_door import KNOWN, TAP, Door, capture, refusals, tapped


def test_a_command_is_obeyed_once_and_only_with_the_latest_nonce() -> None:
    """A replay opens nothing, and neither does a command that names an old nonce."""
    door = Door(link=True)
    command = Open(command="c1", nonce=door.state.nonce)
    door.happen(Commanded(command))
    door.happen(Commanded(command))
    door.happen(Commanded(Open(command="c2", nonce=command.nonce)))
    assert door.pulses == 1
    assert [w.refusal for w in door.recorded(CommandDone) if isinstance(w, CommandDone)] == [None, "stale_nonce"]


def test_what_only_the_door_knows_is_a_veto_over_the_server() -> None:
    """A blocked door refuses although the server granted; the link can only make it ask."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.BLOCKED)))
    door.answer(door.happen(TAP), granted=True)
    assert door.pulses == 0


def test_a_capture_takes_the_next_tag_and_opens_nothing() -> None:
    """The number goes out once; the tap after it is an ordinary one."""
    door = Door(link=True)
    door.happen(Commanded(capture(door, seconds=60)))
    effects = door.happen(TAP)
    assert [e.number for e in effects if isinstance(e, SendCaptured)] == [KNOWN]
    assert (door.pulses, tapped(door), refusals(door)) == (0, [], [None])
    door.answer(door.happen(TAP, after=1), granted=True)
    assert door.pulses == 1


def test_a_capture_that_nobody_taps_for_ends_and_says_so() -> None:
    """It stands for its time and no longer than a minute, whatever a clock in doubt makes of it; a second replaces it."""
    door = Door(link=True)
    door.happen(Commanded(capture(door, seconds=5, name="c1")))
    door.happen(Commanded(capture(door, seconds=9000, name="c2")), after=1)
    door.happen(TimePassed(), after=60)
    assert refusals(door) == ["replaced", "expired"]
    door.clock = ClockQuality.UNTRUSTED
    door.happen(Commanded(capture(door, seconds=-9000, name="c3")))
    assert door.state.capture is not None
    door.happen(TimePassed(), after=60)
    assert door.state.capture is None


def test_mode_unlocked_is_taken_on_again_at_the_start_and_let_go_with_the_mode() -> None:
    """The relay stays on only while the mode says so; a tap then pulses nothing."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.UNLOCKED)))
    door.state = replace(door.state, kept_unlocked=False)
    assert StayUnlocked(True) in door.happen(Started("1"))
    door.answer(door.happen(TAP), granted=True)
    assert door.pulses == 0
    effects = door.happen(Commanded(SetMode(command="n", nonce=door.state.nonce, mode=DoorMode.LOCKED)))
    assert StayUnlocked(False) in effects


def test_a_locked_down_door_opens_only_for_those_who_may_pass_it() -> None:
    """The server's or the door's own word may pass a lock-down, a remote opening may not."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.LOCKED_DOWN)))
    door.answer(door.happen(TAP), granted=True)
    door.happen(Commanded(Open(command="o", nonce=door.state.nonce)))
    assert (door.pulses, refusals(door)) == (0, [None, "door_locked_down"])
    ask = next(effect for effect in door.happen(TAP) if isinstance(effect, SendAsk))
    door.happen(Answered(Answer(ask=ask.ask, granted=True, passes_lock_down=True)))
    assert door.pulses == 1


def test_a_mode_of_a_later_version_is_refused_in_words() -> None:
    """The door stays in its mode and says why; the page that asked gets an answer instead of silence."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode="sleeping")))
    assert door.state.mode is DoorMode.LOCKED
    assert refusals(door) == ["unknown_mode"]
