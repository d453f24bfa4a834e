# SPDX-License-Identifier: AGPL-3.0-or-later
"""Snapshots in the form in which they come to a door, and in the file in which it keeps them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from access_contract.messages import PART_BYTES_MAX, SnapshotDelta, SnapshotPart
from access_contract.snapshot import Right, Snapshot, TagRights, Window, digest_of, encode, exact, head_of, pack
from access_contract.vocabulary import AccessPointId, DoorId, TagHash
from door_agent.machine import empty_head
from door_agent.proving import whole
from door_agent.snapshot_file import write
from door_agent.snapshots import Held

AT = datetime(2026, 1, 31, tzinfo=UTC)
FRONT = DoorId("front")
NOTHING = Held(head=empty_head(FRONT))


def snapshot(number: int = 5, tags: int = 3, door: str = "front") -> Snapshot:
    """Tags with a grant each, and a booked window set for every hundredth of them on each of 35 days."""
    days = [AT + timedelta(days=day) for day in range(35)]
    always = {"always": tuple(Window(day, day + timedelta(hours=10)) for day in days)}
    booked = {f"b{n}": (Window(days[n % 35], days[n % 35] + timedelta(hours=2)),) for n in range(0, tags, 100)}
    held = {tag(n): TagRights(rights=_rights(n)) for n in range(tags)}
    made = {"number": number, "made_at": AT, "expires_at": AT + timedelta(days=14)}
    return Snapshot(door=DoorId(door), window_sets=always | booked, tags=held, **made)  # type: ignore[arg-type]


def _rights(n: int) -> tuple[Right, ...]:
    points = (AccessPointId("in"), AccessPointId("out"))
    grant = Right(cause=f"grant:{n}", windows="always", access_points=points)
    return (
        (grant, Right(cause=f"booking:{n}", windows=f"b{n}", access_points=points, booked=True)) if n % 100 == 0 else (grant,)
    )


def tag(n: int) -> TagHash:
    return TagHash(hashlib.sha256(str(n).encode()).hexdigest())


def parts(of: Snapshot, size: int = PART_BYTES_MAX) -> list[SnapshotPart]:
    """Cut as the server does."""
    packed, told = pack(encode(of)), digest_of(of)
    cut = [packed[start : start + size] for start in range(0, len(packed), size)]
    return [SnapshotPart(number=of.number, digest=told, part=i, parts=len(cut), content=c) for i, c in enumerate(cut)]


def delta(before: Snapshot, after: Snapshot) -> SnapshotDelta:
    """What leads from one to the other."""
    return SnapshotDelta(
        from_digest=digest_of(before),
        digest=digest_of(after),
        head=msgspec.Raw(exact(head_of(after))),
        put_window_sets={n: msgspec.Raw(exact(w)) for n, w in after.window_sets.items() if before.window_sets.get(n) != w},
        drop_window_sets=sorted(before.window_sets.keys() - after.window_sets.keys()),
        put_tags={t: msgspec.Raw(exact(r)) for t, r in after.tags.items() if before.tags.get(t) != r},
        drop_tags=sorted(before.tags.keys() - after.tags.keys()),
    )


def keep(file: Path, of: Snapshot) -> None:
    """Write the file of a door that holds `of`."""
    change, _ = whole(pack(encode(of)), digest_of(of), Held(head=empty_head(of.door)))
    write(file, change, anew=True).close()
