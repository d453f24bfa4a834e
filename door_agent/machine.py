# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door does: `step(settings, state, stamp, happening) -> (state, effects)`.

Pure: no I/O, no clock, no chance; all three come in with the stamp. It grants one pulse for one tap or command, never more;
a late answer changes nothing; what only the door knows can only refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from access_contract.decide import Decision, decide
from access_contract.entries import Leaf, Outcome, Until, outcome, outcome_in_mode_unlocked
from access_contract.messages import (
    Answer,
    Attention,
    Booted,
    Capture,
    ClockSynced,
    Closed,
    CommandDone,
    ExitRequested,
    HeldOpen,
    ModeChanged,
    Open,
    Opened,
    Passed,
    SetMode,
    Tapped,
)
from access_contract.snapshot import Snapshot
from access_contract.vocabulary import ClockQuality, DoorId, DoorMode, Moment, Reason, TagHash, tag_hash
from door_agent.happenings import (
    Answered,
    Commanded,
    ContactMoved,
    Count,
    Effect,
    Energise,
    ExitPressed,
    Happening,
    JournalReported,
    KeepMode,
    LinkChanged,
    Noticed,
    PublishStatus,
    Record,
    SendAsk,
    SendCaptured,
    Show,
    SnapshotTaken,
    Stamp,
    Started,
    StayUnlocked,
    TagRead,
    TimePassed,
)

_REMEMBERED = 32
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the caretaker and the hub settled for this door."""

    door: DoorId
    tag_key: bytes
    pulse_seconds: float = 5.0
    ask_deadline_seconds: float = 0.25
    held_open_seconds: float = 60.0
    has_contact: bool = False
    unwritable_refuses: bool = True
    tap_is_entry_when_unlocked: bool = False
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A tap that waits for its answer, the own decision in hand."""

    ask: str
    read: TagRead
    tag: TagHash
    own: Decision
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything the door knows of itself. `sequence` is the journal's last."""

    snapshot: Snapshot
    digest: str | None = None
    nonce: str = ""
    mode: DoorMode = DoorMode.LOCKED
    sequence: int = 0
    link_up: bool = False
    answers_come: bool = True
    waiting: tuple[Waiting, ...] = ()
    late_asks: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    capture: Capture | None = None
    unlocked_until: float | None = None
    exit_until: float | None = None
    passes: tuple[int, ...] = ()
    contact_open: bool | None = None
    held_open_at: float | None = None
    journal_writable: bool = True
    clock: ClockQuality = ClockQuality.UNTRUSTED
    attention: tuple[str, ...] = ()


def empty_snapshot(door: DoorId) -> Snapshot:
    """Return the snapshot that refuses everyone."""
    return Snapshot(door=door, number=0, made_at=_NEVER, expires_at=_NEVER)


Done = tuple[State, list[Effect]]


def step(settings: Settings, state: State, stamp: Stamp, happening: Happening) -> Done:
    """Return the door after `happening`, and what is to be done, in order. What was due before comes first."""
    state, effects = _due(settings, state, stamp)
    state, more = _happened(settings, state, stamp, happening)
    return state, effects + more


def next_due(state: State) -> float | None:
    """Return the monotonic instant by which the machine wants to be stepped, if any."""
    instants = [waiting.until for waiting in state.waiting]
    instants += [at for at in (state.unlocked_until, state.exit_until, state.held_open_at) if at is not None]
    return min(instants, default=None)


def _happened(settings: Settings, state: State, stamp: Stamp, happening: Happening) -> Done:  # noqa: C901
    match happening:
        case TagRead():
            return _tag_read(settings, state, stamp, happening)
        case Answered(answer):
            return _answered(settings, state, stamp, answer)
        case Commanded(command):
            return _commanded(settings, state, stamp, command)
        case ContactMoved(is_open):
            return _opened(settings, state, stamp) if is_open else _closed(state)
        case ExitPressed():
            state = replace(state, exit_until=stamp.monotonic + settings.pulse_seconds)
            return _record(state, ExitRequested())
        case LinkChanged(up):
            state = replace(state, link_up=up, answers_come=True, nonce=stamp.fresh)
            return state, [PublishStatus()] if up else []
        case SnapshotTaken(snapshot, digest):
            return _snapshot_taken(settings, state, snapshot, digest)
        case JournalReported():
            return _journal_reported(state, happening)
        case Noticed(about, raised, detail):
            return _notice(state, about, raised=raised, detail=detail)
        case TimePassed():
            return state, []
        case Started(version, continues):
            return _started(state, stamp, version, continues)
        case _:
            assert_never(happening)


def _started(state: State, stamp: Stamp, version: str, continues: str | None) -> Done:
    state = replace(state, nonce=stamp.fresh, clock=stamp.clock)
    state, effects = _record(state, Booted(version=version, continues=continues))
    if state.mode is DoorMode.UNLOCKED:
        effects.append(StayUnlocked(True))
    return state, effects


# --- a tap -----------------------------------------------------------------------------------------------------------


def _tag_read(settings: Settings, state: State, stamp: Stamp, read: TagRead) -> Done:
    if state.capture is not None and stamp.now < state.capture.until:
        return _captured(state, state.capture, read)
    tag = tag_hash(settings.tag_key, read.number)
    own = decide(state.snapshot, None, tag, _moment(stamp, read))
    waiting = Waiting(ask=stamp.fresh, read=read, tag=tag, own=own, until=stamp.monotonic + settings.ask_deadline_seconds)
    ask = SendAsk(waiting.ask, read.access_point, read.number, read.assurance)
    if not state.link_up:
        return _conclude(settings, state, stamp, waiting, None)
    if state.answers_come:
        return replace(state, waiting=(*state.waiting, waiting)), [ask]
    state = replace(state, late_asks=(*state.late_asks, waiting.ask)[-_REMEMBERED:])
    state, effects = _conclude(settings, state, stamp, waiting, None)
    return state, [*effects, ask]


def _moment(stamp: Stamp, read: TagRead) -> Moment:
    trusted = stamp.clock is not ClockQuality.UNTRUSTED
    return Moment(now=stamp.now, access_point=read.access_point, clock_trusted=trusted, assurance=read.assurance)


def _captured(state: State, capture: Capture, read: TagRead) -> Done:
    state, effects = _record(replace(state, capture=None), CommandDone(command=capture.command, did="capture"))
    return state, [SendCaptured(capture.command, read.number), *effects, Show(True)]


def _answered(settings: Settings, state: State, stamp: Stamp, answer: Answer) -> Done:
    for waiting in state.waiting:
        if waiting.ask == answer.ask:
            rest = tuple(other for other in state.waiting if other is not waiting)
            return _conclude(settings, replace(state, waiting=rest, answers_come=True), stamp, waiting, answer)
    if answer.ask in state.late_asks:
        rest_late = tuple(ask for ask in state.late_asks if ask != answer.ask)
        return replace(state, late_asks=rest_late, answers_come=True), []
    return state, [Count("unknown_ask")]


def _conclude(settings: Settings, state: State, stamp: Stamp, waiting: Waiting, answer: Answer | None) -> Done:
    granted, reason, cause, passes = _word(waiting.own, answer)
    veto = _veto(settings, state, passes_lock_down=passes) if granted else None
    if veto is not None:
        granted, reason, cause = False, veto.value, None
    state, effects = _record(state, _tapped(settings, state, waiting, answer, (granted, reason, cause)))
    if granted:
        state, more = _grant(settings, state, stamp)
        effects += more
    return state, [*effects, Show(granted)]


def _word(own: Decision, answer: Answer | None) -> tuple[bool, str | None, str | None, bool]:
    if answer is None:
        return own.granted, own.reason, own.cause, own.passes_lock_down
    reason = None if answer.granted else answer.reason or Reason.NO_GRANT.value
    return answer.granted, reason, answer.cause, answer.passes_lock_down


def _veto(settings: Settings, state: State, *, passes_lock_down: bool) -> Reason | None:
    if state.mode is DoorMode.BLOCKED:
        return Reason.DOOR_BLOCKED
    if state.mode is DoorMode.LOCKED_DOWN and not passes_lock_down:
        return Reason.DOOR_LOCKED_DOWN
    if not state.journal_writable and settings.unwritable_refuses:
        return Reason.JOURNAL_UNWRITABLE
    return None


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
        snapshot_number=state.snapshot.number,
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
        return _record(state, Passed(tap=tap, outcome=said))
    state = replace(state, unlocked_until=stamp.monotonic + settings.pulse_seconds)
    pulse: list[Effect] = [Energise(settings.pulse_seconds)]
    leaf = _leaf(settings, state)
    if leaf is Leaf.CLOSED:
        return replace(state, passes=(*state.passes, tap)), pulse
    state, effects = _record(state, Passed(tap=tap, outcome=outcome(leaf, Until.RELOCKED)))
    return state, pulse + effects


def _leaf(settings: Settings, state: State) -> Leaf:
    if not settings.has_contact or state.contact_open is None:
        return Leaf.UNSEEN
    return Leaf.OPEN if state.contact_open else Leaf.CLOSED


# --- the leaf --------------------------------------------------------------------------------------------------------


def _opened(settings: Settings, state: State, stamp: Stamp) -> Done:
    if state.contact_open:
        return state, []
    exiting = state.exit_until is not None
    forced = state.unlocked_until is None and not exiting and state.mode is not DoorMode.UNLOCKED
    held_at = stamp.monotonic + settings.held_open_seconds
    state = replace(state, contact_open=True, exit_until=None, held_open_at=held_at)
    state, effects = _record(state, Opened(forced=forced))
    state, more = _pass(state, outcome(Leaf.CLOSED, Until.OPENED_AFTER_EXIT_REQUEST if exiting else Until.OPENED))
    effects += more
    if forced:
        state, more = _notice(state, "forced_open", raised=True)
        effects += more
    return state, [*effects, PublishStatus()]


def _closed(state: State) -> Done:
    if state.contact_open is False:
        return state, []
    first = state.contact_open is None
    state = replace(state, contact_open=False, held_open_at=None)
    state, effects = (state, []) if first else _record(state, Closed())
    for about in ("forced_open", "held_open"):
        state, more = _notice(state, about, raised=False)
        effects += more
    return state, [*effects, PublishStatus()]


def _pass(state: State, said: Outcome) -> Done:
    effects: list[Effect] = []
    for tap in state.passes:
        state, more = _record(state, Passed(tap=tap, outcome=said))
        effects += more
    return replace(state, passes=()), effects


# --- time ------------------------------------------------------------------------------------------------------------


def _due(settings: Settings, state: State, stamp: Stamp) -> Done:
    effects: list[Effect] = []
    for part in (_clock_due, _asks_due, _relock_due, _held_due):
        state, more = part(settings, state, stamp)
        effects += more
    return state, effects


def _clock_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    before, state = state.clock, replace(state, clock=stamp.clock)
    if before is ClockQuality.UNTRUSTED and stamp.clock is not ClockQuality.UNTRUSTED and state.sequence > 0:
        return _record(state, ClockSynced())
    return state, []


def _asks_due(settings: Settings, state: State, stamp: Stamp) -> Done:
    effects: list[Effect] = []
    for waiting in [one for one in state.waiting if one.until <= stamp.monotonic]:
        rest = tuple(other for other in state.waiting if other is not waiting)
        late = (*state.late_asks, waiting.ask)[-_REMEMBERED:]
        state = replace(state, waiting=rest, late_asks=late, answers_come=False)
        state, more = _conclude(settings, state, stamp, waiting, None)
        effects += more
    return state, effects


def _relock_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    if state.exit_until is not None and state.exit_until <= stamp.monotonic:
        state = replace(state, exit_until=None)
    if state.unlocked_until is None or state.unlocked_until > stamp.monotonic:
        return state, []
    return _pass(replace(state, unlocked_until=None), outcome(Leaf.CLOSED, Until.RELOCKED))


def _held_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    if state.held_open_at is None or state.held_open_at > stamp.monotonic:
        return state, []
    state, effects = _record(replace(state, held_open_at=None), HeldOpen())
    state, more = _notice(state, "held_open", raised=True)
    return state, effects + more


# --- commands --------------------------------------------------------------------------------------------------------


def _commanded(settings: Settings, state: State, stamp: Stamp, command: Open | Capture | SetMode) -> Done:
    if command.command in state.commands:
        return state, [Count("replayed_command")]
    state = replace(state, commands=(*state.commands, command.command)[-_REMEMBERED:])
    if command.nonce != state.nonce:
        return _record(state, _done(command, "stale_nonce"))
    state = replace(state, nonce=stamp.fresh)
    obey: dict[type, Callable[..., Done]] = {Open: _open, Capture: _capture, SetMode: _set_mode}
    state, effects = obey[type(command)](settings, state, stamp, command)
    return state, [*effects, PublishStatus()]


def _done(command: Open | Capture | SetMode, refusal: str | None = None) -> CommandDone:
    did = {Open: "open", Capture: "capture", SetMode: "set_mode"}[type(command)]
    return CommandDone(command=command.command, did=did, refusal=refusal)  # type: ignore[arg-type]


def _open(settings: Settings, state: State, stamp: Stamp, command: Open) -> Done:
    veto = _veto(settings, state, passes_lock_down=False)
    if veto is not None:
        return _record(state, _done(command, veto.value))
    state, effects = _record(state, _done(command))
    if state.mode is DoorMode.UNLOCKED:
        return state, effects
    state = replace(state, unlocked_until=stamp.monotonic + settings.pulse_seconds)
    return state, [*effects, Energise(settings.pulse_seconds), Show(True)]


def _capture(_settings: Settings, state: State, stamp: Stamp, command: Capture) -> Done:
    if command.until <= stamp.now:
        return _record(state, _done(command, "expired"))
    return replace(state, capture=command), []


def _set_mode(_settings: Settings, state: State, _stamp: Stamp, command: SetMode) -> Done:
    was, state = state.mode, replace(state, mode=command.mode)
    state, effects = _record(state, ModeChanged(mode=command.mode))
    effects.insert(0, KeepMode(command.mode.value))
    if DoorMode.UNLOCKED in (was, command.mode) and was is not command.mode:
        state = replace(state, unlocked_until=None)
        effects.append(StayUnlocked(command.mode is DoorMode.UNLOCKED))
    state, more = _record(state, _done(command))
    return state, effects + more


# --- the rest --------------------------------------------------------------------------------------------------------


def _snapshot_taken(settings: Settings, state: State, snapshot: Snapshot, digest: str) -> Done:
    if snapshot.door != settings.door or snapshot.number < state.snapshot.number:
        return state, [Count("wrong_snapshot")]
    return replace(state, snapshot=snapshot, digest=digest), [PublishStatus()]


def _journal_reported(state: State, reported: JournalReported) -> Done:
    writable = reported.trouble is None
    state = replace(state, journal_writable=writable)
    if not writable:
        state = replace(state, sequence=reported.sequence)
    state, effects = _notice(state, "journal_unwritable", raised=not writable, detail=reported.trouble or "")
    if reported.late:
        state, more = _notice(state, "journal_slow", raised=True)
        effects += more
    return state, effects


def _notice(state: State, about: str, *, raised: bool, detail: str = "") -> Done:
    if (about in state.attention) is raised:
        return state, []
    rest = tuple(word for word in state.attention if word != about)
    state = replace(state, attention=(*rest, about) if raised else rest)
    state, effects = _record(state, Attention(about=about, raised=raised, detail=detail))
    return state, [*effects, PublishStatus()]


def _record(state: State, what: object) -> Done:
    """Foretell the journal's next sequence; the loop says so if the journal could not keep it."""
    return replace(state, sequence=state.sequence + 1), [Record(what)]  # type: ignore[arg-type]
