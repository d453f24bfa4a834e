# SPDX-License-Identifier: AGPL-3.0-or-later
"""What contact, bolt contact and exit button say: who entered, what was forced, what stands open or did not lock.

Pure; it never moves the relay.
"""

from __future__ import annotations

from dataclasses import replace

from access_contract.entries import UNDER_FIRE, Leaf, Outcome, Until, outcome
from access_contract.messages import Closed, ExitRequested, HeldOpen, Opened, Passed, PreAlarm
from door_agent.happenings import Effect, PublishStatus, Stamp, Warn
from door_agent.state import Done, Settings, State, notice, record


def opened(state: State) -> Done:
    """The leaf is open: an entry for every tap that waits for it, or forced if nothing had unlocked it."""
    if state.contact_open:
        return state, []
    if state.contact_open is None:  # found open at the start: nobody saw it opened
        return replace(state, contact_open=True), [PublishStatus()]
    exiting = state.exiting
    forced = state.unlocked_until is None and not exiting and not state.stands_unlocked and not state.fire
    state = replace(state, contact_open=True, exit_until=None)
    state, effects = record(state, Opened(forced=forced))
    state, more = _pass(state, outcome(Leaf.CLOSED, Until.OPENED_AFTER_EXIT_REQUEST if exiting else Until.OPENED))
    effects += more
    if forced:
        state, more = notice(state, "forced_open", raised=True)
        effects += more
    return state, [*effects, PublishStatus()]


def closed(state: State) -> Done:
    """The leaf is closed: what was wrong with it is over."""
    if state.contact_open is False:
        return state, []
    first = state.contact_open is None
    state = replace(state, contact_open=False, extended=state.extended and state.unlocked_until is not None)
    state, effects = (state, []) if first else record(state, Closed())
    for about in ("forced_open", "held_open"):
        state, more = notice(state, about, raised=False)
        effects += more
    return state, [*effects, PublishStatus()]


def exit_pressed(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Somebody goes out: the next opening is theirs, and so is each one while they press."""
    state = replace(
        state,
        exit_until=stamp.monotonic + settings.pulse_seconds + settings.after_pulse_seconds,
        exit_stuck_at=stamp.monotonic + settings.exit_stuck_seconds,
    )
    return record(state, ExitRequested())


def exit_released(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Let go in time, the press excuses one more opening; a button that was stuck excuses none."""
    if state.exit_stuck_at is not None:
        until = stamp.monotonic + settings.pulse_seconds + settings.after_pulse_seconds
        return replace(state, exit_stuck_at=None, exit_until=until), []
    return notice(state, "exit_stuck", raised=False)


def exit_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """Forget a press after a while; one that does not end is a stuck button, and excuses nothing any more."""
    if state.exit_until is not None and state.exit_until <= stamp.monotonic:
        state = replace(state, exit_until=None)
    if state.exit_stuck_at is None or state.exit_stuck_at > stamp.monotonic:
        return state, []
    return notice(replace(state, exit_stuck_at=None, exit_until=None), "exit_stuck", raised=True)


def relock_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """At the relock whoever did not open has not entered."""
    if state.unlocked_until is None or state.unlocked_until > stamp.monotonic:
        return state, []
    state = replace(state, unlocked_until=None, operate_at=None, extended=state.extended and state.contact_open is True)
    return _pass(state, outcome(Leaf.CLOSED, Until.RELOCKED))


def held_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """Warn shortly before the leaf has stood open for too long, and say once that it has."""
    held_open_at = state.held_open_at
    if held_open_at is None or (stamp.monotonic < held_open_at and not _is_due(state.pre_alarm_at, stamp)):
        return state, []
    if stamp.monotonic < held_open_at:
        state, effects = record(replace(state, pre_alarm_at=None), PreAlarm())
        return state, [*effects, Warn(held_open_at - stamp.monotonic)]
    state, effects = record(replace(state, pre_alarm_at=None, held_open_at=None), HeldOpen())
    state, more = notice(state, "held_open", raised=True)
    return state, effects + more


def watch_leaf(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Count from when the leaf stands open at a door that is to be locked; nobody minds at one that stands unlocked."""
    if not state.contact_open or state.stands_unlocked:
        warned = state.held_open_at is not None and state.pre_alarm_at is None
        return replace(state, pre_alarm_at=None, held_open_at=None), [Warn(0.0)] if warned else []
    if state.held_open_at is not None or "held_open" in state.attention:
        return state, []
    allowed = settings.extended_held_open_seconds if state.extended else settings.held_open_seconds
    held_open_at = stamp.monotonic + allowed
    pre_alarm_at = held_open_at - min(settings.pre_alarm_seconds, allowed / 2)
    return replace(state, held_open_at=held_open_at, pre_alarm_at=pre_alarm_at), []


def watch_bolt(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Say that the door did not lock: it is to be locked, the leaf is closed, and the bolt is not thrown in time."""
    if state.bolt_thrown is not False:
        return notice(replace(state, bolt_late_at=None), "lock_not_bolted", raised=False)
    may_be_open = state.contact_open or state.stands_unlocked or state.unlocked_until is not None
    if may_be_open or "lock_not_bolted" in state.attention:
        return replace(state, bolt_late_at=None), []
    if state.bolt_late_at is None:
        return replace(state, bolt_late_at=stamp.monotonic + settings.bolt_seconds), []
    if state.bolt_late_at > stamp.monotonic:
        return state, []
    return notice(replace(state, bolt_late_at=None), "lock_not_bolted", raised=True)


def _is_due(instant: float | None, stamp: Stamp) -> bool:
    return instant is not None and instant <= stamp.monotonic


def _pass(state: State, said: Outcome) -> Done:
    effects: list[Effect] = []
    for tap in state.passes:
        state, more = record(state, Passed(tap=tap, outcome=UNDER_FIRE if state.fire else said))
        effects += more
    return replace(state, passes=()), effects
