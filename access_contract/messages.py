# SPDX-License-Identifier: AGPL-3.0-or-later
"""The shapes on the wire, as JSON. Lenient to read: unknown fields are skipped, new fields have defaults.

Bodies from the server travel inside an envelope (envelope.py); bodies from a door are plain, its certificate speaks for it.
A kind that this version does not know is the reader's to count and drop; it is never fatal and opens nothing.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

from access_contract.entries import Outcome
from access_contract.snapshot import Instant
from access_contract.vocabulary import AccessPointId, Assurance, ClockQuality, DoorMode, TagHash

VERSION = 1
MESSAGE_BYTES_MAX = 60 * 1024
"""No message is larger; the broker refuses more (its limit stands a little above, for the MQTT header)."""
PART_BYTES_MAX = 32 * 1024
"""Snapshot bytes in one part: with base64 and envelope below 48 KiB."""
EVENTS_IN_FLIGHT_MAX = 100
"""How many events a door may have sent and not yet seen acknowledged."""

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""As far as every JSON reader counts exactly."""
Sequence = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
"""A tap every second for 68 years; what no column could hold is no number of ours."""
ModeWord = Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
"""A DoorMode, or the word of one that only a later version knows: it must not make all else unreadable."""
ZLIB = "zlib"
"""How the bytes of a snapshot's parts are packed, unless they say otherwise (snapshot.pack)."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag=str.lower):
    v: Literal[1] = 1


# --- from a door -----------------------------------------------------------------------------------------------------


class Ask(_Message, tag="ask", frozen=True, kw_only=True):
    """May this tag pass? QoS 0, never stored. `sealed` is the tag number, readable by the server only (sealing.py)."""

    ask: Identifier
    access_point: AccessPointId
    sealed: bytes
    at: Instant
    assurance: Assurance = Assurance.A0


class Request(_Message, tag="request", frozen=True, kw_only=True):
    """Send me my snapshot, unless its digest is the one I have."""

    digest: str | None = None


class Renew(_Message, tag="renew", frozen=True, kw_only=True):
    """Give me my next certificate. `serial` (hex) names the one I have, whose key signed the request (renewing.py).

    `certificate` (DER) is that one itself, for a server that was put back from a backup and does not know it.
    """

    csr: bytes
    serial: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,40}$")]
    signature: bytes
    certificate: bytes = b""


class Captured(_Message, tag="captured", frozen=True, kw_only=True):
    """The tag tapped while a capture command stood; it opened nothing."""

    capture: Identifier
    sealed: bytes


class Events(_Message, tag="events", frozen=True, kw_only=True):
    """Journal events as their exact bytes, oldest first. QoS 1; repeated until acknowledged.

    `gone` names journals and up to where the door has their events no more, though the server may not have them either: what
    follows is acknowledged all the same.
    """

    events: list[msgspec.Raw]
    gone: dict[Identifier, Count] = {}


class Status(_Message, tag="status", frozen=True, kw_only=True):
    """How a door is. Retained; its last will is the same with online false. `nonce` is what a command must name."""

    online: bool
    at: Instant | None = None
    boot: str | None = None
    nonce: str | None = None
    journal: str | None = None
    last_sequence: Count = 0
    acknowledged: Count = 0
    snapshot_number: Count = 0
    snapshot_digest: str | None = None
    mode: ModeWord = DoorMode.LOCKED
    unlocked: bool = False
    lock_down: Count = 0
    alarm_armed: bool | None = None
    contact_open: bool | None = None
    clock: ClockQuality = ClockQuality.UNTRUSTED
    reader: str | None = None
    attention: list[str] = []
    version: str | None = None
    simulated: bool = False
    known_keys: list[str] = []


FromDoor = Ask | Request | Renew | Captured | Events | Status

# --- to a door, inside an envelope -----------------------------------------------------------------------------------


class Answer(_Message, tag="answer", frozen=True, kw_only=True):
    """The server's decision on one ask. `known` is the number of the last rights change it knew.

    `reason` is a word, not a Reason: one that this version does not know is still a refusal.
    """

    ask: Identifier
    granted: bool
    reason: str | None = None
    cause: str | None = None
    passes_lock_down: bool = False
    may_disarm: bool = False
    starts_unlocking: bool = False
    extended: bool = False
    known: Count = 0


class Acknowledgement(_Message, tag="acknowledgement", frozen=True, kw_only=True):
    """All events of `journal` up to `up_to` are stored, but for the missing ones, which are to be sent again.

    `forked` says that the server holds another event under one of these numbers: the door starts a new journal. `again` says
    that it has no more than this, whatever it acknowledged before it was put back from a backup: the door sends again what it
    keeps.
    """

    journal: Identifier
    up_to: Count
    missing: list[Sequence] = []
    forked: bool = False
    again: bool = False


class SnapshotPart(_Message, tag="snapshot_part", frozen=True, kw_only=True):
    """Part `part` (from 0) of `parts` of the snapshot with this digest. Swapped in only when whole.

    A door that does not know the `packing` takes none of it; another than ZLIB is sent only to doors that asked for it.
    """

    number: Count
    digest: str
    part: Count
    parts: Sequence
    content: bytes
    packing: str = ZLIB


class SnapshotCurrent(_Message, tag="snapshot_current", frozen=True, kw_only=True):
    """The door's snapshot is the current one."""

    digest: str


class SnapshotDelta(_Message, tag="snapshot_delta", frozen=True, kw_only=True):
    """What changed between two snapshots. Applied whole, in one transaction, and only onto the one with `from_digest`.

    Window sets and tags under `put` are new or take the place of their namesakes. One too large for a message is not sent: the
    server sends the whole snapshot instead. Head, windows and TagRights stay the exact bytes that the digest is taken over, so
    that a door hashes alike what a newer server adds to them.
    """

    from_digest: str
    digest: str
    head: msgspec.Raw
    put_window_sets: dict[str, msgspec.Raw] = {}
    drop_window_sets: list[str] = []
    put_tags: dict[TagHash, msgspec.Raw] = {}
    drop_tags: list[TagHash] = []


class Open(_Message, tag="open", frozen=True, kw_only=True):
    """Open the door once, as a tap would. `nonce` is the door's latest, so that a replay opens nothing."""

    command: Identifier
    nonce: str
    by: str = ""


class Capture(_Message, tag="capture", frozen=True, kw_only=True):
    """Send the next tag tapped instead of deciding on it, until `until`."""

    command: Identifier
    nonce: str
    until: Instant


class SetMode(_Message, tag="set_mode", frozen=True, kw_only=True):
    """Take on a door mode, durably. One that the door does not know is refused."""

    command: Identifier
    nonce: str
    mode: ModeWord


class ServerKeys(_Message, tag="keys", frozen=True, kw_only=True):
    """All the server's public keys from now on, 32 raw bytes each: what signs its word, and what tag numbers are sealed to.

    `number` grows with every step of a rotation. A door keeps them durably, drops the others, and never its last one: one
    of the signing keys is one that it holds already.
    """

    number: Count
    signing: dict[Identifier, bytes]
    sealing_id: Identifier
    sealing: bytes


class Renewed(_Message, tag="renewed", frozen=True, kw_only=True):
    """The door's next certificate (DER), for the key of its request."""

    certificate: bytes


Command = Open | Capture | SetMode
ToDoor = (
    Answer | Acknowledgement | SnapshotPart | SnapshotCurrent | SnapshotDelta | Open | Capture | SetMode | ServerKeys | Renewed
)

# --- journal events --------------------------------------------------------------------------------------------------


class Booted(msgspec.Struct, frozen=True, kw_only=True, tag="booted", tag_field="kind"):
    """The agent started. A new journal says which one it continues, if it knows."""

    version: str
    continues: str | None = None


class ClockSynced(msgspec.Struct, frozen=True, kw_only=True, tag="clock_synced", tag_field="kind"):
    """The clock is trusted from here on; earlier events of this boot are re-dated by their monotonic offset."""


class Tapped(msgspec.Struct, frozen=True, kw_only=True, tag="tapped", tag_field="kind", omit_defaults=True):
    """A tag was read once and decided on. `own_*` is what the door alone said, `server_*` what the server answered in time.

    `unlocked` says that the door stood unlocked, by its mode or by its unlocking hours.
    """

    access_point: AccessPointId
    tag: TagHash | None
    granted: bool
    reason: str | None = None
    cause: str | None = None
    decided_by: Literal["door", "server"] = "door"
    own_granted: bool = False
    own_reason: str | None = None
    server_granted: bool | None = None
    server_reason: str | None = None
    snapshot_number: Count = 0
    known: Count = 0
    contact_open: bool | None = None
    mode: ModeWord = DoorMode.LOCKED
    unlocked: bool = False
    assurance: Assurance = Assurance.A0
    simulated: bool = False


class RefusedAgain(msgspec.Struct, frozen=True, kw_only=True, tag="refused_again", tag_field="kind", omit_defaults=True):
    """The same as the refused tap with sequence `tap` (None: in another journal), `times` more, from `first_at` to `last_at`.

    `tag` is None for tags without a number, and for unknown ones that came too many to tell apart.
    """

    tap: Sequence | None
    access_point: AccessPointId
    tag: TagHash | None
    reason: str
    times: Sequence
    first_at: Instant
    last_at: Instant
    simulated: bool = False


class Passed(msgspec.Struct, frozen=True, kw_only=True, tag="passed", tag_field="kind"):
    """What became of the granted tap with sequence `tap`."""

    tap: Sequence
    outcome: Outcome


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag="opened", tag_field="kind"):
    """The contact saw the leaf open; `forced` if nothing had unlocked it."""

    forced: bool = False


class Closed(msgspec.Struct, frozen=True, kw_only=True, tag="closed", tag_field="kind"):
    """The contact saw the leaf close."""


class PreAlarm(msgspec.Struct, frozen=True, kw_only=True, tag="pre_alarm", tag_field="kind"):
    """The leaf will soon have been open for longer than the door allows; the buzzer says so."""


class HeldOpen(msgspec.Struct, frozen=True, kw_only=True, tag="held_open", tag_field="kind"):
    """The leaf has been open for longer than the door allows."""


class ExitRequested(msgspec.Struct, frozen=True, kw_only=True, tag="exit_requested", tag_field="kind"):
    """The exit button was pressed. The way out is wired past the agent; it only hears of it."""


class DisarmRequested(msgspec.Struct, frozen=True, kw_only=True, tag="disarm_requested", tag_field="kind"):
    """The burglar alarm was asked to disarm for this tag; what became of the tap is its own event, written afterwards."""

    access_point: AccessPointId
    tag: TagHash


class CommandDone(msgspec.Struct, frozen=True, kw_only=True, tag="command_done", tag_field="kind"):
    """A command was carried out, or refused for `refusal`. A page says that a door did something when this says so."""

    command: Identifier
    did: Literal["open", "capture", "set_mode"]
    refusal: str | None = None


class ModeChanged(msgspec.Struct, frozen=True, kw_only=True, tag="mode_changed", tag_field="kind"):
    """The door's mode is this from now on, `because` of a "command" or of a word on a "lock_down"."""

    mode: ModeWord
    because: str = "command"


class UnlockingChanged(msgspec.Struct, frozen=True, kw_only=True, tag="unlocking_changed", tag_field="kind"):
    """In mode locked the door stands unlocked by its unlocking hours, or no longer; `because` says what began or ended it."""

    unlocked: bool
    because: str


class Attention(msgspec.Struct, frozen=True, kw_only=True, tag="attention", tag_field="kind"):
    """Something at the door needs a person (`raised`), or no longer does. Written on change only."""

    about: str
    raised: bool
    detail: str = ""


What = (
    Booted
    | ClockSynced
    | Tapped
    | RefusedAgain
    | Passed
    | Opened
    | Closed
    | PreAlarm
    | HeldOpen
    | ExitRequested
    | DisarmRequested
    | CommandDone
    | ModeChanged
    | UnlockingChanged
    | Attention
)


class EventHeader(msgspec.Struct, frozen=True, kw_only=True):
    """An event's identity, minted at the door: readable even where what happened is of a later version."""

    journal: Identifier
    sequence: Sequence
    boot: Identifier
    at: Instant
    monotonic_ms: Count
    clock: ClockQuality
    previous: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Event(EventHeader, frozen=True, kw_only=True):
    """One line of a door's journal. `previous` is the hash of the line before (64 zeros at the first)."""

    what: What


FIRST_PREVIOUS = "0" * 64


def event_hash(content: bytes) -> str:
    """Return the SHA-256 of an event's exact bytes, in hex: what the next event names as `previous`."""
    return hashlib.sha256(content).hexdigest()
