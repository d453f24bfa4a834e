# SPDX-License-Identifier: AGPL-3.0-or-later
"""The facts a door holds to decide alone: which tags, at which access points, in which windows, until when.

A snapshot holds instants, not calendars: the server has expanded schedules, holidays and bookings into UTC windows.
It names no person. The empty snapshot refuses everyone.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from access_contract.vocabulary import AccessPointId, Assurance, DoorId, Reason, TagHash

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
"""No snapshot is larger, however little room it takes when packed."""
BUCKETS = tuple(f"{number:02x}" for number in range(256))
"""A tag belongs to the bucket that its hash begins with, so that a change of one tag reads 1/256 of them."""
EMPTY_BUCKET = "0" * 64
PACK_LEVEL = 6

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware instant; on the wire RFC 3339 in UTC ending in Z."""


class Window(msgspec.Struct, frozen=True, array_like=True, order=True, gc=False):
    """A half-open span of time: `start` belongs to it, `end` does not."""

    start: Instant
    end: Instant

    def covers(self, now: datetime) -> bool:
        return self.start <= now < self.end


class Right(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why a tag may pass: a grant or a booking, at some access points, within a named set of windows.

    `cause` is the server's own reference ("grant:7", "booking:12"); the door only repeats it.
    `standing` rights (caretaker, cleaner) outlast an expired snapshot and need no trusted clock to be believed. One that is to
    end says when in `until`: it is not believed beyond.
    """

    cause: str
    windows: str
    access_points: tuple[AccessPointId, ...]
    standing: bool = False
    until: Instant | None = None
    passes_lock_down: bool = False
    booked: bool = False
    may_disarm: bool = False
    starts_unlocking: bool = False


class TagRights(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All the rights of one tag at one door. `refused` outranks them (server only: a door never holds such a tag).

    `extended` gives the holder the longer of the door's two times, at the lock and until the leaf is held open.
    """

    rights: tuple[Right, ...] = ()
    refused: Reason | None = None
    extended: bool = False


class DoorRules(msgspec.Struct, frozen=True, kw_only=True):
    """What stays possible when something is not known: named settings, never accidents."""

    minimum_assurance: Assurance = Assurance.A0
    untrusted_clock_admits: bool = False
    expired_snapshot_admits_standing: bool = True
    full_space_admits_alone: bool = True
    used_quota_admits_alone: bool = True
    unknown_alarm_admits_alone: bool = True


class Unlocking(msgspec.Struct, frozen=True, kw_only=True):
    """When the door stands unlocked by itself: in these windows; with `first_in`, only once somebody whose right
    `starts_unlocking` was admitted in the window."""

    windows: str
    first_in: bool = False


class LockDown(msgspec.Struct, frozen=True, kw_only=True):
    """The last word on a lock-down that covers this door. `number` grows with each; a lower or equal one changes nothing."""

    number: int
    on: bool


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot says of the door itself. `number` grows with every change; `expires_at` bounds its use alone."""

    door: DoorId
    number: int
    made_at: Instant
    expires_at: Instant
    rules: DoorRules = DoorRules()
    unlocking: Unlocking | None = None
    lock_down: LockDown | None = None


class Snapshot(Head, frozen=True, kw_only=True):
    """Everything one door knows of who may pass it."""

    window_sets: dict[str, tuple[Window, ...]] = {}
    tags: dict[TagHash, TagRights] = {}

    def rights_of(self, tag: TagHash) -> TagRights | None:
        return self.tags.get(tag)

    def windows(self, name: str) -> tuple[Window, ...]:
        return self.window_sets.get(name, ())


class Rights(Protocol):
    """Where `decide` looks things up: a door's snapshot, or the server's index seen from one door."""

    @property
    def expires_at(self) -> datetime: ...
    @property
    def rules(self) -> DoorRules: ...
    def rights_of(self, tag: TagHash) -> TagRights | None: ...
    def windows(self, name: str) -> tuple[Window, ...]: ...


class LiveFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What only the server can know at the tap. A door that decides alone has None instead."""

    space_full: bool = False
    quota_used: bool = False
    alarm_armed: bool = False


def encode(snapshot: Snapshot) -> bytes:
    """Return the snapshot's one byte form (JSON, keys of tags and window sets in order)."""
    return msgspec.json.encode(snapshot, order="deterministic")


def decode(content: bytes) -> Snapshot:
    """Return the snapshot in `content`. Raise msgspec.ValidationError or msgspec.DecodeError if it is none."""
    return msgspec.json.decode(content, type=Snapshot)


def exact(value: Head | TagRights | tuple[Window, ...]) -> bytes:
    """Return the bytes that stand for `value` in a snapshot, and that its digest is taken over."""
    return msgspec.json.encode(value, order="deterministic")


def head_of(snapshot: Snapshot) -> Head:
    """Return what the snapshot says of the door itself."""
    return Head(**{name: getattr(snapshot, name) for name in Head.__struct_fields__})


def bucket_of(tag: TagHash) -> str:
    """Return which of BUCKETS holds `tag`."""
    return tag[:2]


def bucket_digest(entries: Iterable[tuple[TagHash, bytes]]) -> str:
    """Return the SHA-256 (hex) over a bucket's tags in order of their hashes, each with its exact bytes."""
    return _digest_of_pairs(entries) or EMPTY_BUCKET


def bucket_digests(tags: Mapping[TagHash, bytes]) -> dict[str, str]:
    """Return the digest of every bucket that one of `tags`, which are all there are, belongs to."""
    buckets: dict[str, list[tuple[TagHash, bytes]]] = {}
    for tag, content in tags.items():
        buckets.setdefault(bucket_of(tag), []).append((tag, content))
    return {bucket: bucket_digest(held) for bucket, held in buckets.items()}


def window_sets_digest(entries: Iterable[tuple[str, bytes]]) -> str:
    """Return the SHA-256 (hex) over all window sets in order of their names, each with its exact bytes."""
    return _digest_of_pairs(entries) or hashlib.sha256().hexdigest()


def snapshot_digest(head: bytes, window_sets: str, buckets: Mapping[str, str]) -> str:
    """Return a snapshot's digest from its head's exact bytes and the digests of its window sets and buckets.

    A bucket that is not in `buckets` is empty.
    """
    lines = [head, window_sets.encode(), *(buckets.get(bucket, EMPTY_BUCKET).encode() for bucket in BUCKETS)]
    return hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()


class Exact(msgspec.Struct, frozen=True):
    """A snapshot as the exact bytes of its pieces, fields of a later version among them: what its digest is taken over."""

    head: bytes
    window_sets: dict[str, bytes]
    tags: dict[TagHash, bytes]

    def digest(self) -> str:
        """Return what a door reports and a server compares."""
        return snapshot_digest(self.head, window_sets_digest(self.window_sets.items()), bucket_digests(self.tags))


def taken_apart(content: bytes) -> Exact:
    """Return the pieces of the snapshot in `content`, which need not be good ones. Raise msgspec.DecodeError or ValueError."""
    head = msgspec.json.decode(content, type=dict[str, msgspec.Raw])
    sets = msgspec.json.decode(head.pop("window_sets", b"{}"), type=dict[str, msgspec.Raw])
    tags = msgspec.json.decode(head.pop("tags", b"{}"), type=dict[TagHash, msgspec.Raw])
    return Exact(
        msgspec.json.encode(head),
        {name: bytes(windows) for name, windows in sets.items()},
        {tag: bytes(rights) for tag, rights in tags.items()},
    )


def digest_of(snapshot: Snapshot) -> str:
    """Return the digest of what `snapshot` says."""
    sets = {name: exact(windows) for name, windows in snapshot.window_sets.items()}
    return Exact(exact(head_of(snapshot)), sets, {tag: exact(rights) for tag, rights in snapshot.tags.items()}).digest()


def _digest_of_pairs(entries: Iterable[tuple[str, bytes]]) -> str | None:
    lines = [name.encode() + b"\x00" + content + b"\n" for name, content in sorted(entries)]
    return hashlib.sha256(b"".join(lines)).hexdigest() if lines else None


def pack(content: bytes) -> bytes:
    """Return the bytes in which a snapshot travels, to be cut into parts: its JSON, compressed by zlib."""
    return zlib.compress(content, PACK_LEVEL)


def unpack(packed: bytes) -> bytes:
    """Return what was packed. Raise ValueError if it is not whole, or larger than UNPACKED_BYTES_MAX."""
    stream = zlib.decompressobj()
    try:
        content = stream.decompress(packed, UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise ValueError(f"not compressed by zlib: {error}") from None
    if not stream.eof or stream.unused_data:
        raise ValueError("not one whole snapshot, or too large")
    return content
