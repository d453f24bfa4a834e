# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door is told once (`Settings`), what it knows of itself (`State`), and the moves that all its parts make.

Plain frozen values: a part of the machine returns a new state and never changes one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from access_contract.decide import Decision
from access_contract.messages import Answer, Attention, Capture, What
from access_contract.snapshot import Head, Window
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, Reason, TagHash
from door_agent.happenings import Effect, PublishStatus, Record, TagRead

REMEMBERED = 32
"""How many asks and commands a door remembers to tell a late or repeated one."""
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the caretaker and the hub settled for this door.

    `after_pulse_seconds`: how long the lock may still be open once the relay is off. No operator or disarm output: None.
    """

    door: DoorId
    tag_key: bytes
    pulse_seconds: float = 5.0
    extended_pulse_seconds: float = 10.0
    after_pulse_seconds: float = 0.0
    operator_pulse_seconds: float | None = None
    operator_delay_seconds: float = 0.0
    disarm_pulse_seconds: float | None = None
    confirmation_seconds: float = 5.0
    bolt_seconds: float = 10.0
    ask_deadline_seconds: float = 0.25
    held_open_seconds: float = 60.0
    extended_held_open_seconds: float = 120.0
    pre_alarm_seconds: float = 15.0
    exit_stuck_seconds: float = 30.0
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
class Disarming:
    """A granted tap, not written down yet, that waits for the burglar alarm to say that it is disarmed."""

    waiting: Waiting
    answer: Answer | None
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Refusals of one tag at one reader for one reason, one soon after the other (refusals.py).

    `tap` is the first one's event (None: in another journal); `times` how many came since something was last written of it,
    from `first_at` to `last_at`. `many` counts unknown tags together.
    """

    tap: int | None
    access_point: AccessPointId
    tag: TagHash | None
    reason: str
    disagreed: bool
    many: bool = False
    times: int = 0
    first_at: datetime
    last_at: datetime
    last: float
    write_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything the door knows of itself. `sequence` is the journal's last; instants are monotonic seconds.

    Of the snapshot it holds the head and the windows of the unlocking hours; a tag's rights come with the tag.
    `mode_before` is what a lock-down by word `lock_down` goes back to. `by_hours` says that the unlocking hours keep the door
    unlocked, since the event `hours_event`; `started_at` (wall time, event `started_event`) when a tap started them.
    `kept_unlocked` is what the relay was told last. `readers_why` is why a reader is away. `causes` is the newest cause of each
    word of `attention`.
    """

    head: Head
    digest: str | None = None
    unlocking_windows: tuple[Window, ...] = ()
    nonce: str = ""
    mode: DoorMode = DoorMode.LOCKED
    mode_before: DoorMode | None = None
    lock_down: int = 0
    by_hours: bool = False
    hours_event: int = 0
    started_at: datetime | None = None
    started_event: int = 0
    kept_unlocked: bool = False
    sequence: int = 0
    link_up: bool = False
    answers_come: bool = True
    waiting: tuple[Waiting, ...] = ()
    late_asks: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    capture: Capture | None = None
    capture_until: float | None = None
    unlocked_until: float | None = None
    extended: bool = False
    operate_at: float | None = None
    exit_until: float | None = None
    exit_stuck_at: float | None = None
    passes: tuple[int, ...] = ()
    runs: tuple[Run, ...] = ()
    contact_open: bool | None = None
    bolt_thrown: bool | None = None
    bolt_late_at: float | None = None
    pre_alarm_at: float | None = None
    held_open_at: float | None = None
    fire: bool = False
    alarm_armed: bool | None = None
    disarming: tuple[Disarming, ...] = ()
    journal_writable: bool = True
    slow_until: float | None = None
    clock: ClockQuality = ClockQuality.UNTRUSTED
    doubted_since: float | None = None
    readers: tuple[tuple[AccessPointId, str | None], ...] = ()
    readers_why: tuple[tuple[AccessPointId, str], ...] = ()
    attention: tuple[str, ...] = ()
    causes: tuple[tuple[str, str], ...] = ()

    @property
    def stands_unlocked(self) -> bool:
        """True if anybody may open the door without a tap."""
        return self.mode is DoorMode.UNLOCKED or self.by_hours

    @property
    def exiting(self) -> bool:
        """True if somebody asked for the way out just now."""
        return self.exit_until is not None or self.exit_stuck_at is not None


Done = tuple[State, list[Effect]]


def empty_head(door: DoorId) -> Head:
    """Return the head of the snapshot that refuses everyone."""
    return Head(door=door, number=0, made_at=_NEVER, expires_at=_NEVER)


def record(state: State, what: What) -> Done:
    """Foretell the journal's next sequence; the loop says so if the journal could not keep it."""
    return replace(state, sequence=state.sequence + 1), [Record(what)]


def notice(state: State, about: str, *, raised: bool, detail: str = "") -> Done:
    """Raise or clear what needs a person: journaled on change only. Of a word that stands the newest cause is kept."""
    causes = tuple(cause for cause in state.causes if cause[0] != about)
    if raised:
        causes += ((about, detail),)
    if (about in state.attention) is raised:
        return (state if causes == state.causes else replace(state, causes=causes)), []
    rest = tuple(word for word in state.attention if word != about)
    state = replace(state, attention=(*rest, about) if raised else rest, causes=causes)
    state, effects = record(state, Attention(about=about, raised=raised, detail=detail))
    return state, [*effects, PublishStatus()]


def veto(settings: Settings, state: State, *, passes_lock_down: bool) -> Reason | None:
    """Return why what only the door knows refuses, or None. It never admits."""
    if state.mode is DoorMode.BLOCKED:
        return Reason.DOOR_BLOCKED
    if state.mode is DoorMode.LOCKED_DOWN and not passes_lock_down:
        return Reason.DOOR_LOCKED_DOWN
    if not state.journal_writable and settings.unwritable_refuses:
        return Reason.JOURNAL_UNWRITABLE
    if state.alarm_armed:
        return Reason.ALARM_ARMED
    return None
