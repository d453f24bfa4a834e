# SPDX-License-Identifier: AGPL-3.0-or-later
"""What can happen at a door (events) and what is then to be done (effects): the machine's whole world, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from access_contract.messages import Answer, Command, What
from access_contract.snapshot import Head, Snapshot, Window
from access_contract.vocabulary import AccessPointId, Assurance, ClockQuality, TagNumber
from door_agent.mode_file import Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When an event came: wall time, monotonic seconds, trust in the wall time, and a fresh identifier to mint from."""

    now: datetime
    monotonic: float
    clock: ClockQuality
    fresh: str


@dataclass(frozen=True, slots=True)
class TagRead:
    """A tag was read once. `rights` is what the door's snapshot says of it, which the loop adds; None: nothing."""

    access_point: AccessPointId
    number: TagNumber
    assurance: Assurance = Assurance.A0
    rights: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class TagUnreadable:
    """A tag lay on the reader and gave no number: torn off too soon, broken, or of a kind that has none."""

    access_point: AccessPointId


@dataclass(frozen=True, slots=True)
class ReaderMoved:
    """The reader of an access point is there under this name, or away (None) and why."""

    access_point: AccessPointId
    name: str | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    answer: Answer


@dataclass(frozen=True, slots=True)
class Commanded:
    command: Command


@dataclass(frozen=True, slots=True)
class ContactMoved:
    open: bool


@dataclass(frozen=True, slots=True)
class BoltMoved:
    thrown: bool


@dataclass(frozen=True, slots=True)
class ExitPressed:
    pass


@dataclass(frozen=True, slots=True)
class ExitReleased:
    pass


@dataclass(frozen=True, slots=True)
class TamperMoved:
    """The box was opened or closed."""

    tampered: bool


@dataclass(frozen=True, slots=True)
class FireMoved:
    """The fire alarm sounds, or no longer. It frees the door in hardware; the agent only hears of it."""

    sounding: bool


@dataclass(frozen=True, slots=True)
class AlarmMoved:
    """The burglar alarm is armed, or no longer."""

    armed: bool


@dataclass(frozen=True, slots=True)
class LinkChanged:
    up: bool


@dataclass(frozen=True, slots=True)
class SnapshotTaken:
    """A snapshot, whole and newer, is in force. `digest` is None where it was lost and only its head is left."""

    head: Head
    digest: str | None
    unlocking_windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class JournalReported:
    """How the journal does: `trouble` None if a write and sync went well; `sequence` is the last event that it holds."""

    trouble: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class JournalLate:
    """Events took longer to the disk than the door allows; `detail` says which."""

    detail: str


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something needs a person, or no longer does."""

    about: str
    raised: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TimePassed:
    pass


@dataclass(frozen=True, slots=True)
class Started:
    version: str
    continues: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """The door is about to stop, on purpose."""


Happening = (
    TagRead
    | TagUnreadable
    | ReaderMoved
    | Answered
    | Commanded
    | ContactMoved
    | BoltMoved
    | ExitPressed
    | ExitReleased
    | TamperMoved
    | FireMoved
    | AlarmMoved
    | LinkChanged
    | SnapshotTaken
    | JournalReported
    | JournalLate
    | Noticed
    | TimePassed
    | Started
    | Ending
)


@dataclass(frozen=True, slots=True)
class Record:
    """Append to the journal. If that fails, later records of the same step are left out too; and where the door's policy
    refuses, nothing after it that moves an output is carried out."""

    what: What


@dataclass(frozen=True, slots=True)
class Energise:
    pulse_seconds: float


@dataclass(frozen=True, slots=True)
class StayUnlocked:
    on: bool


@dataclass(frozen=True, slots=True)
class Operate:
    """Start the motor that swings the leaf."""

    pulse_seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Ask the burglar alarm to disarm."""

    pulse_seconds: float


@dataclass(frozen=True, slots=True)
class SendAsk:
    ask: str
    access_point: AccessPointId
    number: TagNumber
    assurance: Assurance


@dataclass(frozen=True, slots=True)
class SendCaptured:
    capture: str
    number: TagNumber


@dataclass(frozen=True, slots=True)
class PublishStatus:
    pass


@dataclass(frozen=True, slots=True)
class KeepMode:
    """Write how the door stands durably, to be taken on again at the next start."""

    kept: Kept


@dataclass(frozen=True, slots=True)
class Show:
    """Show a word by the door's lamps, and at the reader of this access point if it was tapped there."""

    granted: bool
    access_point: AccessPointId | None = None


@dataclass(frozen=True, slots=True)
class Warn:
    """Sound the pre-alarm for so long; 0 ends it."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Count:
    """Something was dropped, and why."""

    cause: str


Effect = (
    Record
    | Energise
    | StayUnlocked
    | Operate
    | Disarm
    | SendAsk
    | SendCaptured
    | PublishStatus
    | KeepMode
    | Show
    | Warn
    | Count
)
