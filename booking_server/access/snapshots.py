# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's snapshot as bytes, and cut into parts that fit the wire."""

from __future__ import annotations

from dataclasses import dataclass

from access_contract.messages import PART_BYTES_MAX, SnapshotPart
from access_contract.snapshot import Snapshot, digest_of, encode, pack
from booking_server.access.rules import for_door


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


def snapshot_of(index: Snapshot) -> DoorSnapshot:
    """Return the snapshot of a door whose part of the server's index is `index`."""
    snapshot = for_door(index)
    return DoorSnapshot(number=index.number, digest=digest_of(snapshot), content=pack(encode(snapshot)))
