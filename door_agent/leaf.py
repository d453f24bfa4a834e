# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the contact and the exit button say: who entered, what was forced, what stands open. Pure; it never moves the relay."""

from __future__ import annotations

from dataclasses import replace

from access_contract.entries import Leaf, Outcome, Until, outcome
from access_contract.messages import Closed, ExitRequested, HeldOpen, Opened, Passed
from access_contract.vocabulary import DoorMode
from door_agent.happenings import Effect, PublishStatus, Stamp
from door_agent.state import Done, Settings, State, notice, record


def opened(settings: Settings, state: State, stamp: Stamp) -> Done:
    """The leaf is open: an entry for every tap that waits for it, or forced if nothing had unlocked it."""
    if state.contact_open:
        return state, []
    held_at = stamp.monotonic + settings.held_open_seconds
    if state.contact_open is None:  # found open at the start: nobody saw it opened
        return replace(state, contact_open=True, held_open_at=held_at), [PublishStatus()]
    exiting = state.exit_until is not None
    forced = state.unlocked_until is None and not exiting and state.mode is not DoorMode.UNLOCKED
    state = replace(state, contact_open=True, exit_until=None, held_open_at=held_at)
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
    state = replace(state, contact_open=False, held_open_at=None)
    state, effects = (state, []) if first else record(state, Closed())
    for about in ("forced_open", "held_open"):
        state, more = notice(state, about, raised=False)
        effects += more
    return state, [*effects, PublishStatus()]


def exit_pressed(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Somebody goes out: the next opening is theirs."""
    state = replace(state, exit_until=stamp.monotonic + settings.pulse_seconds)
    return record(state, ExitRequested())


def relock_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """At the relock whoever did not open has not entered."""
    if state.exit_until is not None and state.exit_until <= stamp.monotonic:
        state = replace(state, exit_until=None)
    if state.unlocked_until is None or state.unlocked_until > stamp.monotonic:
        return state, []
    return _pass(replace(state, unlocked_until=None), outcome(Leaf.CLOSED, Until.RELOCKED))


def held_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """Say once that the leaf stands open for too long."""
    if state.held_open_at is None or state.held_open_at > stamp.monotonic:
        return state, []
    state, effects = record(replace(state, held_open_at=None), HeldOpen())
    state, more = notice(state, "held_open", raised=True)
    return state, effects + more


def _pass(state: State, said: Outcome) -> Done:
    effects: list[Effect] = []
    for tap in state.passes:
        state, more = record(state, Passed(tap=tap, outcome=said))
        effects += more
    return replace(state, passes=()), effects
