# SPDX-License-Identifier: AGPL-3.0-or-later
"""Proves what the server sent of the snapshot, before the door goes by it: whole, of this door, not older, digest right.

It changes nothing, and runs beside the loop: with many tags a small machine is busy for seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

import msgspec

from access_contract.messages import PART_BYTES_MAX, ZLIB, SnapshotDelta, SnapshotPart
from access_contract.snapshot import (
    EMPTY_BUCKET,
    TagRights,
    Window,
    bucket_digests,
    bucket_of,
    snapshot_digest,
    taken_apart,
    unpack,
    window_sets_digest,
)
from access_contract.vocabulary import TagHash
from door_agent.snapshot_file import Change
from door_agent.snapshots import BadSnapshot, Held, Layers, held_of

PARTS_MAX = 1024
"""32 MiB as they travel, for 64 MiB. More is refused, so that nothing fills a small machine's memory."""
Name = TypeVar("Name", bound=str)
_RIGHTS = msgspec.json.Decoder(TagRights)
_WINDOWS = msgspec.json.Decoder(tuple[Window, ...])


class Gathering:
    """The parts of snapshots on their way here: of several, since two servers may send the same rights under two numbers."""

    def __init__(self) -> None:
        self._parts: dict[tuple[int, str, int], dict[int, bytes]] = {}

    def add(self, part: SnapshotPart, *, at_least: int) -> bytes | None:
        """Return the whole once it is there, as it travels; then older ones are let go. Raise BadSnapshot.

        All together hold PARTS_MAX parts: what was not added to for the longest makes room.
        """
        if part.number < at_least:
            raise BadSnapshot("is older than the one in force")
        if part.packing != ZLIB:
            raise BadSnapshot(f"is packed by {part.packing!r}, which this version cannot unpack")
        if part.part >= part.parts or part.parts > PARTS_MAX or len(part.content) > PART_BYTES_MAX:
            raise BadSnapshot("is too large, or has a part beyond its last")
        which = (part.number, part.digest, part.parts)
        these = self._parts.pop(which, {})
        these[part.part] = part.content
        self._parts[which] = these
        while sum(map(len, self._parts.values())) > PARTS_MAX:
            del self._parts[next(iter(self._parts))]
        if len(these) < part.parts:
            return None
        self._parts = {other: parts for other, parts in self._parts.items() if other[0] > part.number}
        return b"".join(these[number] for number in range(part.parts))


def whole(packed: bytes, digest: str, before: Held) -> tuple[Change, Held]:
    """Return the snapshot that came as `packed`, proven. Raise BadSnapshot. Takes seconds where there are many tags."""
    try:
        pieces = taken_apart(unpack(packed))
    except (msgspec.DecodeError, ValueError):
        raise BadSnapshot("is no snapshot") from None
    _check(pieces.tags, pieces.window_sets)
    sets, buckets = window_sets_digest(pieces.window_sets.items()), bucket_digests(pieces.tags)
    if snapshot_digest(pieces.head, sets, buckets) != digest:
        raise BadSnapshot("does not have the digest that it names")
    change = Change(
        head=pieces.head,
        digest=digest,
        sets_digest=sets,
        whole=True,
        window_sets=pieces.window_sets,
        tags=pieces.tags,
        buckets=buckets,
    )
    return change, _newer(Layers(change, None), change, before)


def changed(delta: SnapshotDelta, layers: Layers, before: Held) -> tuple[Change, Held]:
    """Return what `delta` makes of what is in force, proven: a change that has the one before in it.

    Raise BadSnapshot, or SnapshotLost by the file. It opens the file for itself, so that it may run beside the loop.
    """
    if delta.from_digest != before.digest:
        raise BadSnapshot("is a change to another snapshot")
    if layers.file is None:
        return _applied(delta, layers, before)
    with closing(layers.file.again()) as file:
        return _applied(delta, Layers(layers.change, file), before)


def _applied(delta: SnapshotDelta, below: Layers, before: Held) -> tuple[Change, Held]:
    put, sets = _bytes(delta.put_tags), _bytes(delta.put_window_sets)
    _check({**dict.fromkeys(delta.drop_tags, b"{}"), **put}, sets)
    only = Change(
        head=bytes(delta.head),
        digest=delta.digest,
        sets_digest="",
        window_sets={**dict.fromkeys(delta.drop_window_sets), **sets},
        tags={**dict.fromkeys(delta.drop_tags), **put},
        buckets={},
    )
    draft = Layers(_over(only, below.change), below.file)
    touched = {bucket_of(tag) for tag in only.tags}
    buckets = {**dict.fromkeys(touched, EMPTY_BUCKET), **bucket_digests(draft.entries(touched))}
    sets_digest = window_sets_digest(draft.window_sets().items()) if only.window_sets else below.sets_digest
    if snapshot_digest(only.head, sets_digest, {**below.buckets(), **buckets}) != delta.digest:
        raise BadSnapshot("does not lead to the digest that it names")
    change = _over(replace(only, sets_digest=sets_digest, buckets=buckets), below.change)
    return change, _newer(Layers(change, below.file), change, before)


def _over(change: Change, below: Change | None) -> Change:
    if below is None:
        return change
    return replace(
        change,
        whole=below.whole,
        window_sets={**below.window_sets, **change.window_sets},
        tags={**below.tags, **change.tags},
        buckets={**below.buckets, **change.buckets},
    )


def _newer(layers: Layers, change: Change, before: Held) -> Held:
    held = held_of(layers, change.head, change.digest, door=before.head.door)
    if held.head.number < before.head.number:
        raise BadSnapshot("is older than the one in force")
    return held


def _check(tags: Mapping[TagHash, bytes], window_sets: Mapping[str, bytes]) -> None:
    try:
        for tag, rights in tags.items():
            if len(tag) != 64 or bytes.fromhex(tag).hex() != tag:
                raise ValueError("no hash")
            _RIGHTS.decode(rights)
        for windows in window_sets.values():
            _WINDOWS.decode(windows)
    except (msgspec.DecodeError, ValueError):
        raise BadSnapshot("is malformed") from None


def _bytes(some: Mapping[Name, msgspec.Raw]) -> dict[Name, bytes]:
    return {name: bytes(raw) for name, raw in some.items()}
