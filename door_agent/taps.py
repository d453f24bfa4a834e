# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a tag at a reader to a decision: the door's own, replaced by the server's answer if that comes in time. Pure.

One granted tap is one pulse. A late answer changes nothing, and a lost link is not waited for.
"""

from __future__ import annotations

from dataclasses import replace

from access_contract.decide import Decision, decide
from access_contract.entries import Leaf, Until, outcome, outcome_in_mode_unlocked
from access_contract.messages import Answer, Passed, Tapped
from access_contract.vocabulary import ClockQuality, DoorMode, Moment, Reason, TagHash, tag_hash
from door_agent import commands
from door_agent.happenings import Count, Effect, Energise, SendAsk, Show, Stamp, TagRead, TagUnreadable
from door_agent.state import REMEMBERED, Done, Settings, State, Waiting, record, veto


def tag_read(settings: Settings, state: State, stamp: Stamp, read: TagRead) -> Done:
    """Decide alone, ask, and conclude at once where no answer can be expected."""
    if state.capture is not None:
        return commands.captured(state, state.capture, read)
    tag = tag_hash(settings.tag_key, read.number)
    own = _alone(stamp, read, tag)
    waiting = Waiting(ask=stamp.fresh, read=read, tag=tag, own=own, until=stamp.monotonic + settings.ask_deadline_seconds)
    ask = SendAsk(waiting.ask, read.access_point, read.number, read.assurance)
    if not state.link_up:
        return _conclude(settings, state, stamp, waiting, None)
    if state.answers_come:
        return replace(state, waiting=(*state.waiting, waiting)), [ask]
    state = replace(state, late_asks=(*state.late_asks, waiting.ask)[-REMEMBERED:])
    state, effects = _conclude(settings, state, stamp, waiting, None)
    return state, [*effects, ask]


def tag_unreadable(settings: Settings, state: State, unreadable: TagUnreadable) -> Done:
    """Refuse a tag that gave no number: journaled without one, and shown, so that the person holds it again."""
    what = Tapped(
        access_point=unreadable.access_point,
        tag=None,
        granted=False,
        reason=Reason.TAG_UNREADABLE.value,
        own_reason=Reason.TAG_UNREADABLE.value,
        snapshot_number=state.head.number,
        contact_open=state.contact_open,
        mode=state.mode,
        simulated=settings.simulated,
    )
    state, effects = record(state, what)
    return state, [*effects, Show(False, unreadable.access_point)]


def answered(settings: Settings, state: State, stamp: Stamp, answer: Answer) -> Done:
    """Conclude the tap that this answer names, if it still waits."""
    for waiting in state.waiting:
        if waiting.ask == answer.ask:
            rest = tuple(other for other in state.waiting if other is not waiting)
            return _conclude(settings, replace(state, waiting=rest, answers_come=True), stamp, waiting, answer)
    if answer.ask in state.late_asks:
        rest_late = tuple(ask for ask in state.late_asks if ask != answer.ask)
        return replace(state, late_asks=rest_late, answers_come=True), []
    return state, [Count("unknown_ask")]


def asks_due(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Conclude what has waited long enough, and wait no more until an answer comes."""
    effects: list[Effect] = []
    for waiting in [one for one in state.waiting if one.until <= stamp.monotonic]:
        rest = tuple(other for other in state.waiting if other is not waiting)
        late = (*state.late_asks, waiting.ask)[-REMEMBERED:]
        state = replace(state, waiting=rest, late_asks=late, answers_come=False)
        state, more = _conclude(settings, state, stamp, waiting, None)
        effects += more
    return state, effects


def link_lost(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Conclude every waiting tap by the door's own decision: no answer can come any more."""
    waiting, state = state.waiting, replace(state, waiting=(), link_up=False)
    effects: list[Effect] = []
    for one in waiting:
        state, more = _conclude(settings, state, stamp, one, None)
        effects += more
    return state, effects


def _alone(stamp: Stamp, read: TagRead, tag: TagHash) -> Decision:
    if read.rights is None:
        return Decision(reason=Reason.TAG_UNKNOWN)
    trusted = stamp.clock is not ClockQuality.UNTRUSTED
    moment = Moment(now=stamp.now, access_point=read.access_point, clock_trusted=trusted, assurance=read.assurance)
    return decide(read.rights, None, tag, moment)


def _conclude(settings: Settings, state: State, stamp: Stamp, waiting: Waiting, answer: Answer | None) -> Done:
    granted, reason, cause, passes = _word(waiting.own, answer)
    refusal = veto(settings, state, passes_lock_down=passes) if granted else None
    if refusal is not None:
        granted, reason, cause = False, refusal.value, None
    state, effects = record(state, _tapped(settings, state, waiting, answer, (granted, reason, cause)))
    if granted:
        state, more = _grant(settings, state, stamp)
        effects += more
    return state, [*effects, Show(granted, waiting.read.access_point)]


def _word(own: Decision, answer: Answer | None) -> tuple[bool, str | None, str | None, bool]:
    if answer is None:
        return own.granted, own.reason, own.cause, own.passes_lock_down
    reason = None if answer.granted else answer.reason or Reason.NO_GRANT.value
    return answer.granted, reason, answer.cause, answer.passes_lock_down


def _tapped(
    settings: Settings, state: State, waiting: Waiting, answer: Answer | None, word: tuple[bool, str | None, str | None]
) -> Tapped:
    return Tapped(
        access_point=waiting.read.access_point,
        tag=waiting.tag,
        granted=word[0],
        reason=word[1],
        cause=word[2],
        decided_by="door" if answer is None else "server",
        own_granted=waiting.own.granted,
        own_reason=waiting.own.reason,
        server_granted=None if answer is None else answer.granted,
        server_reason=None if answer is None else answer.reason,
        snapshot_number=state.head.number,
        known=0 if answer is None else answer.known,
        contact_open=state.contact_open,
        mode=state.mode,
        assurance=waiting.read.assurance,
        simulated=settings.simulated,
    )


def _grant(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Open for the tap just recorded, or say at once what it counts as where nothing has to be waited for."""
    tap = state.sequence
    if state.mode is DoorMode.UNLOCKED:
        said = outcome_in_mode_unlocked(tap_is_entry=settings.tap_is_entry_when_unlocked)
        return record(state, Passed(tap=tap, outcome=said))
    state = replace(state, unlocked_until=stamp.monotonic + settings.pulse_seconds)
    pulse: list[Effect] = [Energise(settings.pulse_seconds)]
    leaf = _leaf(settings, state)
    if leaf is Leaf.CLOSED:
        return replace(state, passes=(*state.passes, tap)), pulse
    state, effects = record(state, Passed(tap=tap, outcome=outcome(leaf, Until.RELOCKED)))
    return state, pulse + effects


def _leaf(settings: Settings, state: State) -> Leaf:
    if not settings.has_contact or state.contact_open is None:
        return Leaf.UNSEEN
    return Leaf.OPEN if state.contact_open else Leaf.CLOSED
