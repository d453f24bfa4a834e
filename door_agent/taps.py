# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a tag at a reader to a decision: the door's own, replaced by the server's answer if that comes in time. Pure.

One granted tap is one pulse. A late answer changes nothing, and a lost link is not waited for.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from access_contract.decide import Decision, decide
from access_contract.messages import Answer, Tapped
from access_contract.vocabulary import ClockQuality, Moment, Reason, TagHash, tag_hash
from door_agent import commands
from door_agent.granting import conclude
from door_agent.happenings import Count, Effect, SendAsk, Show, Stamp, TagRead, TagUnreadable
from door_agent.refusals import refused
from door_agent.state import REMEMBERED, Done, Settings, State, Waiting


def tag_read(settings: Settings, state: State, stamp: Stamp, read: TagRead) -> Done:
    """Decide alone, ask, and conclude at once where no answer can be expected."""
    if state.capture is not None:
        return commands.captured(state, state.capture, read)
    tag = tag_hash(settings.tag_key, read.number)
    own = _alone(state, stamp, read, tag)
    waiting = Waiting(ask=stamp.fresh, read=read, tag=tag, own=own, until=stamp.monotonic + settings.ask_deadline_seconds)
    ask = SendAsk(waiting.ask, read.access_point, read.number, read.assurance)
    if not state.link_up:
        return conclude(settings, state, stamp, waiting, None)
    if state.answers_come:
        return replace(state, waiting=(*state.waiting, waiting)), [ask]
    state = replace(state, late_asks=(*state.late_asks, waiting.ask)[-REMEMBERED:])
    state, effects = conclude(settings, state, stamp, waiting, None)
    return state, [*effects, ask]


def tag_unreadable(settings: Settings, state: State, stamp: Stamp, unreadable: TagUnreadable) -> Done:
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
        unlocked=state.stands_unlocked,
        simulated=settings.simulated,
    )
    state, effects = refused(settings, state, stamp, what)
    return state, [*effects, Show(False, unreadable.access_point)]


def answered(settings: Settings, state: State, stamp: Stamp, answer: Answer) -> Done:
    """Conclude the tap that this answer names, if it still waits."""
    for waiting in state.waiting:
        if waiting.ask == answer.ask:
            rest = tuple(other for other in state.waiting if other is not waiting)
            return conclude(settings, replace(state, waiting=rest, answers_come=True), stamp, waiting, answer)
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
        state, more = conclude(settings, state, stamp, waiting, None)
        effects += more
    return state, effects


def link_lost(settings: Settings, state: State, stamp: Stamp) -> Done:
    """Conclude every waiting tap by the door's own decision: no answer can come any more."""
    waiting, state = state.waiting, replace(state, waiting=(), link_up=False)
    effects: list[Effect] = []
    for one in waiting:
        state, more = conclude(settings, state, stamp, one, None)
        effects += more
    return state, effects


def _alone(state: State, stamp: Stamp, read: TagRead, tag: TagHash) -> Decision:
    """What the door says by itself. One that is wired to the burglar alarm knows it, and vetoes where it is armed."""
    if read.rights is None:
        return Decision(reason=Reason.TAG_UNKNOWN)
    rights = read.rights
    if state.alarm_armed is not None:
        rights = msgspec.structs.replace(rights, rules=msgspec.structs.replace(rights.rules, unknown_alarm_admits_alone=True))
    trusted = stamp.clock is not ClockQuality.UNTRUSTED
    moment = Moment(now=stamp.now, access_point=read.access_point, clock_trusted=trusted, assurance=read.assurance)
    return decide(rights, None, tag, moment)
