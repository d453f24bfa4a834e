# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a decided tap does: it is written down, then it opens, and what became of it is said. Pure.

What only the door knows is a veto. Where the burglar alarm is armed, a tap that may disarm it asks for that first and stays one
tap: nothing is written as granted and nothing is energised before the alarm says that it is disarmed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from access_contract.entries import UNDER_FIRE, Leaf, Until, outcome, outcome_in_mode_unlocked
from access_contract.messages import Answer, DisarmRequested, Passed, Tapped
from access_contract.vocabulary import Reason
from door_agent.happenings import Disarm, Effect, Energise, Operate, PublishStatus, Show, Stamp
from door_agent.refusals import broken_off, refused
from door_agent.standing import start_hours, stop_hours
from door_agent.state import Disarming, Done, Settings, State, Waiting, notice, record, veto


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """The server's word if it came in time, else the door's own."""

    reason: str | None
    cause: str | None
    passes_lock_down: bool
    may_disarm: bool
    starts_unlocking: bool
    extended: bool


def conclude(settings: Settings, state: State, stamp: Stamp, waiting: Waiting, answer: Answer | None) -> Done:
    """Carry out what was decided on a tap; or, with the alarm armed and a tap that may disarm it, ask for that and wait."""
    word, pulse = _word(waiting, answer), settings.disarm_pulse_seconds
    refusal = veto(settings, state, passes_lock_down=word.passes_lock_down)
    if word.reason is None and word.may_disarm and pulse is not None and refusal is Reason.ALARM_ARMED:
        until = stamp.monotonic + settings.confirmation_seconds
        return _ask_to_disarm(state, Disarming(waiting=waiting, answer=answer, until=until), pulse)
    return _settle(settings, state, stamp, waiting, answer)


def alarm_moved(settings: Settings, state: State, stamp: Stamp, *, armed: bool) -> Done:
    """Hear that the alarm is armed or disarmed; disarmed, it lets in who asked for it."""
    state, effects = stop_hours(replace(state, alarm_armed=armed)) if armed else (replace(state, alarm_armed=False), [])
    if not armed:
        state, effects = notice(state, "alarm_no_confirmation", raised=False)
        for one in state.disarming:
            state, more = _settle(settings, _without(state, one), stamp, one.waiting, one.answer)
            effects += more
    return state, [*effects, PublishStatus()]


def disarm_due(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Refuse whom the alarm has not let in: it did not say in time that it is disarmed."""
    effects: list[Effect] = []
    for one in [one for one in state.disarming if one.until <= stamp.monotonic]:
        state, more = _settle(settings, _without(state, one), stamp, one.waiting, one.answer)
        effects += more
        if veto(settings, state, passes_lock_down=True) is Reason.ALARM_ARMED:
            state, more = notice(state, "alarm_no_confirmation", raised=True)
            effects += more
    return state, effects


def unlock(settings: Settings, state: State, stamp: Stamp, *, extended: bool = False) -> Done:
    """Energise for one pulse, and start the operator where there is one. A pulse that runs is never cut short."""
    if state.stands_unlocked:
        return state, [Operate(settings.operator_pulse_seconds)] if settings.operator_pulse_seconds is not None else []
    pulse = settings.extended_pulse_seconds if extended else settings.pulse_seconds
    if state.unlocked_until is not None:
        pulse = max(pulse, state.unlocked_until - settings.after_pulse_seconds - stamp.monotonic)
        extended = extended or state.extended
    operate_at = stamp.monotonic + settings.operator_delay_seconds if settings.operator_pulse_seconds is not None else None
    state = replace(
        state,
        unlocked_until=stamp.monotonic + pulse + settings.after_pulse_seconds,
        extended=extended,
        operate_at=operate_at if state.operate_at is None else state.operate_at,
    )
    return state, [Energise(pulse)]


def operate_due(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Start the operator a moment after the lock, once the bolt is free."""
    pulse = settings.operator_pulse_seconds
    if pulse is None or state.operate_at is None or state.operate_at > stamp.monotonic or state.bolt_thrown:
        return state, []
    return replace(state, operate_at=None), [Operate(pulse)]


def _ask_to_disarm(state: State, one: Disarming, pulse_seconds: float) -> Done:
    asked = DisarmRequested(access_point=one.waiting.read.access_point, tag=one.waiting.tag)
    state, effects = record(replace(state, disarming=(*state.disarming, one)), asked)
    return state, [*effects, Disarm(pulse_seconds)]


def _settle(settings: Settings, state: State, stamp: Stamp, waiting: Waiting, answer: Answer | None) -> Done:
    word = _word(waiting, answer)
    if word.reason is None:
        refusal = veto(settings, state, passes_lock_down=word.passes_lock_down)
        word = word if refusal is None else replace(word, reason=refusal.value, cause=None)
    tapped, point = _tapped(settings, state, waiting, answer, word), waiting.read.access_point
    if word.reason is not None:
        state, effects = refused(settings, state, stamp, tapped)
        return state, [*effects, Show(False, point)]
    state, effects = broken_off(settings, state, point, waiting.tag)
    state, recorded = record(state, tapped)
    state, more = _grant(settings, state, stamp, word)
    return state, [*effects, *recorded, *more, Show(True, point)]


def _grant(settings: Settings, state: State, stamp: Stamp, word: _Word) -> Done:
    """Open for the tap just recorded, and say at once what it counts as where nothing has to be waited for."""
    tap, stood_unlocked = state.sequence, state.stands_unlocked
    state, effects = unlock(settings, state, stamp, extended=word.extended)
    if word.starts_unlocking:
        state, more = start_hours(state, stamp)
        effects += more
    leaf = _leaf(settings, state)
    if leaf is Leaf.CLOSED and not stood_unlocked:
        return replace(state, passes=(*state.passes, tap)), effects
    said = outcome(leaf, Until.RELOCKED)
    if stood_unlocked:
        said = outcome_in_mode_unlocked(tap_is_entry=settings.tap_is_entry_when_unlocked)
    state, more = record(state, Passed(tap=tap, outcome=UNDER_FIRE if state.fire else said))
    return state, effects + more


def _leaf(settings: Settings, state: State) -> Leaf:
    if not settings.has_contact or state.contact_open is None:
        return Leaf.UNSEEN
    return Leaf.OPEN if state.contact_open else Leaf.CLOSED


def _without(state: State, one: Disarming) -> State:
    return replace(state, disarming=tuple(other for other in state.disarming if other is not one))


def _word(waiting: Waiting, answer: Answer | None) -> _Word:
    said = waiting.own if answer is None else answer
    reason = said.reason if answer is None or answer.granted else answer.reason or Reason.NO_GRANT.value
    return _Word(
        reason=None if said.granted else reason,
        cause=said.cause,
        passes_lock_down=said.passes_lock_down,
        may_disarm=said.may_disarm,
        starts_unlocking=said.starts_unlocking,
        extended=said.extended,
    )


def _tapped(settings: Settings, state: State, waiting: Waiting, answer: Answer | None, word: _Word) -> Tapped:
    return Tapped(
        access_point=waiting.read.access_point,
        tag=waiting.tag,
        granted=word.reason is None,
        reason=word.reason,
        cause=word.cause,
        decided_by="door" if answer is None else "server",
        own_granted=waiting.own.granted,
        own_reason=waiting.own.reason,
        server_granted=None if answer is None else answer.granted,
        server_reason=None if answer is None else answer.reason,
        snapshot_number=state.head.number,
        known=0 if answer is None else answer.known,
        contact_open=state.contact_open,
        mode=state.mode,
        unlocked=state.stands_unlocked,
        assurance=waiting.read.assurance,
        simulated=settings.simulated,
    )
