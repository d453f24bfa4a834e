# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a snapshot swapped in whole or not at all, whatever parts come and whatever the disk says?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_contract.messages import SnapshotPart
from access_contract.snapshot import Snapshot, decode, digest_of, encode, pack
from access_contract.vocabulary import DoorId
from door_agent.snapshots import PARTS_MAX, BadPart, SnapshotStore

AT = datetime(2026, 1, 31, tzinfo=UTC)


def snapshot(number: int = 5, door: str = "front") -> bytes:
    return encode(Snapshot(door=DoorId(door), number=number, made_at=AT, expires_at=AT))


def parts(content: bytes, number: int = 5, size: int = 30) -> list[SnapshotPart]:
    packed, told = pack(content), digest_of(decode(content))
    cut = [packed[start : start + size] for start in range(0, len(packed), size)]
    return [SnapshotPart(number=number, digest=told, part=i, parts=len(cut), content=c) for i, c in enumerate(cut)]


def take(store: SnapshotStore, part: SnapshotPart) -> int | None:
    taken = store.take(part, door="front", at_least=3)
    return None if taken is None else taken.head.number


def test_parts_in_any_order_and_twice_make_one_snapshot(tmp_path: Path) -> None:
    """It is whole with the last part that was missing, and stands on the disk once written."""
    store = SnapshotStore(tmp_path / "snapshot")
    cut = parts(snapshot())
    assert [take(store, part) for part in [cut[-1], cut[-1], *cut[:-1]]] == [*[None] * len(cut), 5]
    assert (store.write(), store.is_written) == (None, True)
    again = SnapshotStore(tmp_path / "snapshot").load("front")
    assert again is not None
    assert again.digest == digest_of(decode(snapshot()))


@pytest.mark.parametrize(
    "bad",
    [
        SnapshotPart(number=5, digest="d", part=2, parts=2, content=b""),
        SnapshotPart(number=2, digest="d", part=0, parts=1, content=b""),
        SnapshotPart(number=5, digest="d", part=0, parts=PARTS_MAX + 1, content=b""),
        SnapshotPart(number=5, digest="d", part=0, parts=1, content=bytes(40_000)),
        SnapshotPart(number=5, digest="d", part=0, parts=1, content=b"{}"),
        SnapshotPart(number=5, digest="d", part=0, parts=1, content=pack(b"\xff")),
        parts(snapshot(door="back"), size=9999)[0],
        parts(snapshot(number=2), size=9999)[0],
    ],
    ids=["beyond", "old", "too many", "too long", "wrong digest", "no JSON", "another door", "old inside"],
)
def test_a_part_that_cannot_be_right_is_refused(tmp_path: Path, bad: SnapshotPart) -> None:
    """Nothing is taken on, nothing is written, and no memory is held for it."""
    store = SnapshotStore(tmp_path / "snapshot")
    with pytest.raises(BadPart):
        take(store, bad)
    assert not (tmp_path / "snapshot").exists()
    assert store.is_written


def test_parts_of_a_newer_snapshot_replace_the_half_gathered_one(tmp_path: Path) -> None:
    """Only one is gathered at a time."""
    store = SnapshotStore(tmp_path / "snapshot")
    take(store, parts(snapshot(5))[0])
    assert [take(store, part) for part in parts(snapshot(6), 6)][-1] == 6


def test_a_disk_that_refuses_does_not_keep_the_new_rights_out(tmp_path: Path) -> None:
    """It may say who is blocked: it is taken on at once, said to be unwritten, and written when that works."""
    store = SnapshotStore(tmp_path / "away" / "snapshot")
    assert [take(store, part) for part in parts(snapshot())][-1] == 5
    assert "No such file" in str(store.write())
    assert not store.is_written
    (tmp_path / "away").mkdir()
    assert store.write() is None
    assert store.is_written


@pytest.mark.parametrize("content", [b"", b"{", b'{"door":"\xff"}', b"\x00" * 4096, snapshot(door="back")])
def test_a_damaged_or_foreign_file_is_none_and_says_so(tmp_path: Path, content: bytes) -> None:
    """The door starts with the empty snapshot, which refuses everyone, and does not crash."""
    (tmp_path / "snapshot").write_bytes(content)
    store = SnapshotStore(tmp_path / "snapshot")
    assert store.load("front") is None
    assert store.trouble is not None
