# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's snapshot on its disk and on its way there: gathered in parts, swapped in whole, durably, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from access_contract.messages import SnapshotPart
from access_contract.snapshot import Snapshot, decode, digest


class SnapshotStore:
    """Keeps one file. `take` returns the snapshot once its last part came and it is on the disk."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._digest, self._parts = "", dict[int, bytes]()

    def load(self) -> tuple[Snapshot, str] | None:
        """Return what was kept and its digest; None if there is nothing that can be read."""
        try:
            content = self._file.read_bytes()
            return decode(content), digest(content)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def take(self, part: SnapshotPart, *, door: str, at_least: int) -> tuple[Snapshot, str] | None:
        """Add a part. Return the snapshot if now whole, of this door and not older than `at_least`; else None."""
        if part.digest != self._digest:
            self._digest, self._parts = part.digest, {}
        self._parts[part.part] = part.content
        if len(self._parts) != part.parts:
            return None
        content = b"".join(self._parts[number] for number in sorted(self._parts))
        self._digest, self._parts = "", {}
        if digest(content) != part.digest:
            return None
        try:
            snapshot = decode(content)
        except msgspec.DecodeError:
            return None
        if snapshot.door != door or snapshot.number < at_least:
            return None
        write_durably(self._file, content)
        return snapshot, part.digest


def write_durably(file: Path, content: bytes) -> None:
    """Replace `file` whole: after a power cut it holds the old bytes or the new ones."""
    beside = file.with_suffix(".new")
    with beside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
