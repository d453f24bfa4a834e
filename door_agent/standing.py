# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a door stands by itself: its mode, the last word on a lock-down, its unlocking hours, and what the relay is told of it.

Pure. The link never moves it. Hours need a trusted clock and a snapshot that has not expired; what is not certain locks. A word
on a lock-down is obeyed once, by its number, whatever snapshot brings it.
"""

from __future__ import annotations

from dataclasses import replace

from access_contract.messages import ModeChanged, UnlockingChanged
from access_contract.snapshot import Window
from access_contract.vocabulary import ClockQuality, DoorMode
from door_agent.happenings import Effect, KeepMode, PublishStatus, Stamp, StayUnlocked
from door_agent.mode_file import Kept
from door_agent.state import Done, Settings, State, record


def take_on(state: State, mode: DoorMode, because: str) -> Done:
    """Be in this mode from now on, durably."""
    state, effects = record(replace(state, mode=mode), ModeChanged(mode=mode, because=because))
    return state, [_keep(state), *effects]


def set_by_command(state: State, mode: DoorMode) -> Done:
    """Staff's word on this one door stands over a lock-down; lifting it later changes nothing here any more."""
    return take_on(replace(state, mode_before=None), mode, "command")


def stand(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Obey a new word on a lock-down, begin or end the unlocking hours, and tell the relay if that changes how it stands."""
    state, effects = _lock_down(state)
    state, more = _hours(settings, state, stamp)
    effects += more
    if state.kept_unlocked is not state.stands_unlocked:
        state = replace(state, kept_unlocked=state.stands_unlocked)
        effects += [StayUnlocked(state.kept_unlocked), PublishStatus()]
    return state, effects


def start_hours(state: State, stamp: Stamp) -> Done:
    """Somebody who may start the unlocking hours was admitted by the tap just written down."""
    hours, window = state.head.unlocking, _window(state, stamp)
    if hours is None or not hours.first_in or window is None or _started(state, window):
        return state, []
    state = replace(state, started_at=stamp.now, started_event=state.sequence)
    return state, [_keep(state)]


def stop_hours(state: State) -> Done:
    """The burglar alarm was armed: everybody has left, and somebody must start the hours anew."""
    if state.started_at is None:
        return state, []
    state = replace(state, started_at=None)
    return state, [_keep(state)]


def undo(settings: Settings, state: State, kept_up_to: int) -> Done:
    """The journal could not keep what began or started the hours: they have not begun."""
    effects: list[Effect] = []
    if not settings.unwritable_refuses:
        return state, effects
    if state.by_hours and state.hours_event > kept_up_to:
        state = replace(state, by_hours=False)
    if state.started_at is not None and state.started_event > kept_up_to:
        state = replace(state, started_at=None)
        effects.append(_keep(state))
    return state, effects


def _lock_down(state: State) -> Done:
    word = state.head.lock_down
    if word is None or word.number <= state.lock_down:
        return state, []
    state = replace(state, lock_down=word.number)
    if word.on and state.mode_before is None:
        state, effects = take_on(replace(state, mode_before=state.mode), DoorMode.LOCKED_DOWN, "lock_down")
    elif not word.on and state.mode_before is not None:
        state, effects = take_on(replace(state, mode_before=None), state.mode_before, "lock_down")
    else:
        effects = [_keep(state)]
    return state, [*effects, PublishStatus()]


def _hours(settings: Settings, state: State, stamp: Stamp) -> Done:
    ends = _ends(state, stamp)
    if state.by_hours is (ends is None):
        return state, []
    if ends is None and not state.journal_writable and settings.unwritable_refuses:
        return state, []
    first_in = state.head.unlocking is not None and state.head.unlocking.first_in
    because = ends or ("first_in" if first_in else "hours")
    state, effects = record(replace(state, by_hours=ends is None), UnlockingChanged(unlocked=ends is None, because=because))
    return replace(state, hours_event=state.sequence), effects


def _ends(state: State, stamp: Stamp) -> str | None:
    """Return why the door does not stand unlocked by its hours, or None if it does."""
    hours, window = state.head.unlocking, _window(state, stamp)
    if state.mode is not DoorMode.LOCKED:
        return "mode"
    if state.alarm_armed:
        return "alarm_armed"
    if stamp.clock is ClockQuality.UNTRUSTED:
        return "clock_untrusted"
    if stamp.now >= state.head.expires_at:
        return "snapshot_expired"
    if hours is None or window is None or (hours.first_in and not _started(state, window)):
        return "hours_over"
    return None


def _window(state: State, stamp: Stamp) -> Window | None:
    return next((window for window in state.unlocking_windows if window.covers(stamp.now)), None)


def _started(state: State, window: Window) -> bool:
    return state.started_at is not None and window.covers(state.started_at)


def _keep(state: State) -> KeepMode:
    return KeepMode(Kept(mode=state.mode, lock_down=state.lock_down, before=state.mode_before, started_at=state.started_at))
