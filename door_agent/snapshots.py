# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's snapshot on its disk and on its way there: gathered in parts, swapped in whole or not at all.

A whole one is taken on even where the disk refuses it, because it may say who may no longer pass; it is written later.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from access_contract.messages import PART_BYTES_MAX, SnapshotPart
from access_contract.snapshot import Head, Snapshot, Window, decode, digest_of, head_of, unpack
from access_contract.vocabulary import TagHash

PARTS_MAX = 2048
"""64 MiB: some 400 000 tags. More is refused, so that nothing fills a small machine's memory."""


class BadPart(ValueError):
    """A part that belongs to no snapshot this door may take on."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a door holds: its head, its digest (None: nothing but the head), and the windows of its unlocking hours."""

    head: Head
    digest: str | None
    unlocking_windows: tuple[Window, ...] = ()


class SnapshotStore:
    """Keeps one file. `trouble` says why it could not be read, or is None."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.trouble: str | None = None
        self._in_force: Snapshot | None = None
        self._unwritten: bytes | None = None
        self._gathering: tuple[str, int] = ("", 0)
        self._parts: dict[int, bytes] = {}

    def load(self, door: str) -> Held | None:
        """Return what was kept for `door` and its digest; None if nothing was, or it cannot be used (see `trouble`)."""
        try:
            content = self._file.read_bytes()
            snapshot = decode(content)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.trouble = f"{self._file}: {error.strerror}"
            return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.trouble = f"{self._file}: is damaged"
            return None
        if snapshot.door != door:
            self.trouble = f"{self._file}: is of the door {snapshot.door!r}"
            return None
        return self._held(snapshot, digest_of(snapshot))

    def take(self, part: SnapshotPart, *, door: str, at_least: int) -> Held | None:
        """Add a part and return the snapshot if it is whole, to be written next.

        Raise BadPart: out of range, too old, or not what it claims.
        """
        if part.number < at_least or part.part >= part.parts or part.parts > PARTS_MAX or len(part.content) > PART_BYTES_MAX:
            raise BadPart("out of range")
        if (part.digest, part.parts) != self._gathering:
            self._gathering, self._parts = (part.digest, part.parts), {}
        self._parts[part.part] = part.content
        if len(self._parts) != part.parts:
            return None
        content = b"".join(self._parts[number] for number in range(part.parts))
        self._forget()
        content, snapshot = _whole(content, part.digest)
        if snapshot.door != door or snapshot.number < at_least:
            raise BadPart("of another door, or too old")
        self._unwritten = content
        return self._held(snapshot, part.digest)

    def look_up(self, tag: TagHash) -> Snapshot | None:
        """Return what is in force of one tag, or None if nothing is."""
        if self._in_force is None:
            return None
        known = self._in_force.rights_of(tag)
        return msgspec.structs.replace(self._in_force, tags={} if known is None else {tag: known})

    def _held(self, snapshot: Snapshot, digest: str) -> Held:
        self._in_force = snapshot
        windows = () if snapshot.unlocking is None else snapshot.windows(snapshot.unlocking.windows)
        return Held(head_of(snapshot), digest, windows)

    @property
    def is_written(self) -> bool:
        return self._unwritten is None

    def write(self) -> str | None:
        """Put the newest on the disk; from any one thread. Return the trouble, or None."""
        content = self._unwritten
        if content is None:
            return None
        try:
            write_durably(self._file, content)
        except OSError as error:
            return f"{self._file}: {error.strerror}"
        if self._unwritten is content:
            self._unwritten = None
        return None

    def _forget(self) -> None:
        self._gathering, self._parts = ("", 0), {}


def _whole(packed: bytes, claimed: str) -> tuple[bytes, Snapshot]:
    try:
        content = unpack(packed)
        snapshot = decode(content)
    except (msgspec.DecodeError, ValueError):
        raise BadPart("is no snapshot") from None
    if digest_of(snapshot) != claimed:
        raise BadPart("the digest does not fit")
    return content, snapshot


def write_durably(file: Path, content: bytes) -> None:
    """Replace `file` whole: after a power cut it holds the old bytes or the new ones. Raise OSError."""
    beside = file.with_name(f"{file.name}.new")
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
