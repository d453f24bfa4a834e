# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door is to hold, made ready for the wire: whole, packed and cut into parts, or only what changed since another.

It is made bucket by bucket, so that no step keeps an ask waiting. Never does a refused tag go out.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from access_contract.messages import MESSAGE_BYTES_MAX, PART_BYTES_MAX, SnapshotDelta, SnapshotPart
from access_contract.snapshot import PACK_LEVEL, Head, Snapshot, TagRights, Window, exact
from access_contract.vocabulary import TagHash
from booking_server.access.door_rights import DoorRights, admitted

ENVELOPE_BYTES = 1024
"""More than signature, names and expiry ever take."""
TAGS_MAX = MESSAGE_BYTES_MAX // 64
"""A hash alone is 64 letters: more tags than these fit no message, and need not be tried."""


@dataclass(frozen=True, slots=True)
class DoorSnapshot:
    """What a door is to hold, packed to travel; the digest of what it says, and the number it carries."""

    number: int
    digest: str
    content: bytes

    def parts(self) -> list[SnapshotPart]:
        """Return the parts in order; an empty snapshot is one part too."""
        pieces = [self.content[at : at + PART_BYTES_MAX] for at in range(0, len(self.content), PART_BYTES_MAX)]
        return [
            SnapshotPart(number=self.number, digest=self.digest, part=number, parts=len(pieces), content=piece)
            for number, piece in enumerate(pieces)
        ]


def snapshot_of(rights: DoorRights) -> DoorSnapshot:
    """Return what the door is to hold, packed."""
    packer = zlib.compressobj(PACK_LEVEL)
    packed = [packer.compress(piece) for piece in _pieces(rights)]
    return DoorSnapshot(number=rights.number, digest=rights.digest, content=b"".join((*packed, packer.flush())))


def _pieces(rights: DoorRights) -> Iterator[bytes]:
    """Return the JSON of the snapshot, a bucket at a time."""
    yield exact(rights.head)[:-1] + b',"window_sets":' + msgspec.json.encode(rights.window_sets) + b',"tags":{'
    between = b""
    for bucket in rights.buckets.values():
        tags = msgspec.json.encode(dict(admitted(bucket)))[1:-1]
        if tags:
            yield between + tags
            between = b","
    yield b"}}"


def for_door(rights: DoorRights) -> Snapshot:
    """Return what the door itself may hold: only tags that it may admit."""
    tags = {tag: held for bucket in rights.buckets.values() for tag, held in admitted(bucket)}
    head = {name: getattr(rights.head, name) for name in rights.head.__struct_fields__}
    return Snapshot(**head, window_sets=dict(rights.window_sets), tags=tags)


def delta_between(before: DoorRights, now: DoorRights) -> SnapshotDelta | None:
    """Return what makes the one into the other; None if it is too much for one message."""
    sets = {name: _raw(windows) for name, windows in now.window_sets.items() if before.window_sets.get(name) != windows}
    put: dict[TagHash, msgspec.Raw] = {}
    drop: list[TagHash] = []
    for name in before.bucket_digests.keys() | now.bucket_digests.keys():
        if before.bucket_digests.get(name) != now.bucket_digests.get(name):
            old, new = (dict(admitted(rights.buckets.get(name, {}))) for rights in (before, now))
            put.update({tag: _raw(held) for tag, held in new.items() if old.get(tag) != held})
            drop += [tag for tag in old if tag not in new]
    if len(put) + len(drop) > TAGS_MAX:
        return None
    delta = SnapshotDelta(
        from_digest=before.digest,
        digest=now.digest,
        head=_raw(now.head),
        put_window_sets=sets,
        drop_window_sets=[name for name in before.window_sets if name not in now.window_sets],
        put_tags=put,
        drop_tags=drop,
    )
    return delta if len(msgspec.json.encode(delta)) <= MESSAGE_BYTES_MAX - ENVELOPE_BYTES else None


def _raw(value: Head | TagRights | tuple[Window, ...]) -> msgspec.Raw:
    return msgspec.Raw(exact(value))
