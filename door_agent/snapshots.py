# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door holds of who may pass it: the newest change in memory, over what stands in the file.

A snapshot or a delta is taken on whole or not at all, and only if it proves its digest, is of this door and not older. It is in
force before it is written, and stays in force where the disk refuses it, because it may say who may no longer pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from access_contract.snapshot import (
    Head,
    Snapshot,
    TagRights,
    Window,
    bucket_of,
    window_sets_digest,
)
from access_contract.vocabulary import DoorId, TagHash
from door_agent.snapshot_file import Change, SnapshotFile, SnapshotLost

_RIGHTS = msgspec.json.Decoder(TagRights)
_WINDOWS = msgspec.json.Decoder(tuple[Window, ...])


class BadSnapshot(ValueError):
    """What this door may not take on, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a door goes by: the head, its digest (None: nothing but the head), and the windows of its unlocking hours."""

    head: Head
    digest: str | None = None
    unlocking_windows: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Layers:
    """A change over a file. The file may have taken on the change meanwhile: what is found is the same."""

    change: Change | None
    file: SnapshotFile | None

    def look_up(self, tag: TagHash, head: Head) -> Snapshot:
        """Return what is known of one tag, as a snapshot of that tag alone. Raise SnapshotLost."""
        content = self._tag(tag)
        try:
            known = None if content is None else _RIGHTS.decode(content)
            names = () if known is None else {right.windows for right in known.rights}
            return Snapshot(
                **msgspec.structs.asdict(head),
                window_sets={name: self.windows(name) for name in names},
                tags={} if known is None else {tag: known},
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:  # proven, yet of a version that wrote otherwise
            raise SnapshotLost(f"the rights of a tag cannot be read: {error}") from None

    def windows(self, name: str) -> tuple[Window, ...]:
        """Return a window set; one that is not there has no windows. Raise SnapshotLost."""
        if self.change is not None and (self.change.whole or name in self.change.window_sets):
            content = self.change.window_sets.get(name)
        else:
            content = None if self.file is None else self.file.window_set(name)
        return () if content is None else _WINDOWS.decode(content)

    def buckets(self) -> dict[str, str]:
        """Return the digest of every bucket. Raise SnapshotLost."""
        below = {} if self._below is None else self._below.buckets()
        return {**below, **({} if self.change is None else self.change.buckets)}

    def entries(self, buckets: Iterable[str]) -> dict[TagHash, bytes]:
        """Return all tags of these buckets. Raise SnapshotLost."""
        wanted = set(buckets)
        found: dict[TagHash, bytes | None] = {}
        if self._below is not None:
            for bucket in wanted:
                found |= self._below.bucket(bucket)
        if self.change is not None:
            found |= {tag: held for tag, held in self.change.tags.items() if bucket_of(tag) in wanted}
        return {tag: held for tag, held in found.items() if held is not None}

    def window_sets(self) -> dict[str, bytes]:
        """Return all window sets. Raise SnapshotLost."""
        found: dict[str, bytes | None] = {} if self._below is None else {**self._below.window_sets()}
        found |= {} if self.change is None else self.change.window_sets
        return {name: held for name, held in found.items() if held is not None}

    @property
    def sets_digest(self) -> str:
        if self.change is not None:
            return self.change.sets_digest
        return window_sets_digest(()) if self.file is None else self.file.sets_digest

    @property
    def _below(self) -> SnapshotFile | None:
        return None if self.change is not None and self.change.whole else self.file

    def _tag(self, tag: TagHash) -> bytes | None:
        if self.change is not None and (self.change.whole or tag in self.change.tags):
            return self.change.tags.get(tag)
        return None if self.file is None else self.file.tag(tag)


class SnapshotStore:
    """The door's snapshot. The loop's thread alone changes it and looks tags up; `path` None keeps it in memory only."""

    def __init__(self, path: Path | None, nothing: Head) -> None:
        """Hold what the file proves; where there is none, `nothing`, and the same with `trouble` where it proves nothing."""
        self.path = path
        self.trouble: str | None = None
        self.held = Held(head=nothing)
        self.change: Change | None = None
        self._file: SnapshotFile | None = None
        if path is not None and path.exists():
            self._open(path, nothing.door)

    @property
    def layers(self) -> Layers:
        return Layers(self.change, self._file)

    @property
    def unwritten(self) -> Change | None:
        return None if self.path is None else self.change

    @property
    def begins_anew(self) -> bool:
        """True if there is no file to write into."""
        return self._file is None

    def look_up(self, tag: TagHash) -> Snapshot:
        """Return what is in force of one tag. Raise SnapshotLost."""
        return self.layers.look_up(tag, self.held.head)

    def take_on(self, change: Change, held: Held) -> None:
        """From now on `change` is in force."""
        self.change, self.held = change, held

    def written(self, change: Change, file: SnapshotFile) -> None:
        """`file` holds `change` now, and what was before."""
        if self.held.digest is None:  # it was lost meanwhile
            file.close()
            return
        self._let_go()
        self._file = file
        if self.change is change:
            self.change = None

    def lose(self) -> bool:
        """Believe nothing of the file any more. Return True if nothing but the head is left."""
        self._let_go()
        if self.change is None or not self.change.whole:
            self.change, self.held = None, Held(head=self.held.head)
        return self.held.digest is None

    def close(self) -> None:
        self._let_go()

    def _open(self, path: Path, door: DoorId) -> None:
        try:
            self._file = SnapshotFile(path)
            self.held = held_of(self.layers, self._file.head, self._file.digest, door=door)
        except (SnapshotLost, BadSnapshot) as error:
            self.trouble = str(error)
            self._let_go()

    def _let_go(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None


def held_of(layers: Layers, head: bytes, digest: str, *, door: DoorId) -> Held:
    """Return what a door goes by from now on. Raise BadSnapshot: of another door, or malformed; or SnapshotLost."""
    try:
        known = msgspec.json.decode(head, type=Head)
        windows = () if known.unlocking is None else layers.windows(known.unlocking.windows)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadSnapshot("is malformed") from None
    if known.door != door:
        raise BadSnapshot(f"is of the door {known.door!r}")
    return Held(head=known, digest=digest, unlocking_windows=windows)
