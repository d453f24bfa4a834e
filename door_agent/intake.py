# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings what the server sends of the snapshot into force, and then to the disk.

All here runs on the loop's thread, but for two kinds of slow work, each in a thread of its own and one at a time: proving what
came, and writing it. Neither holds up a tap, and no disk holds up the proof of a revocation.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from access_contract.messages import Request, SnapshotCurrent, SnapshotDelta, SnapshotPart
from access_contract.snapshot import Snapshot
from access_contract.vocabulary import TagHash
from door_agent import happenings as h
from door_agent.clock import Clock
from door_agent.link import Link
from door_agent.proving import Gathering, changed, whole
from door_agent.snapshot_file import Change, SnapshotFile, SnapshotLost, SnapshotUnwritable, write
from door_agent.snapshots import BadSnapshot, Held, Layers, SnapshotStore

_ASK_AGAIN_SECONDS = 10.0
_WAITING_MAX = 16
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Whole:
    packed: bytes
    digest: str


class Intake:
    """`put` takes what the slow work comes to, from its thread, to be called on the loop's; `handle` steps the machine."""

    def __init__(
        self,
        store: SnapshotStore,
        link: Link,
        clock: Clock,
        *,
        put: Callable[[Callable[[], None]], None],
        handle: Callable[[h.Happening], None],
    ) -> None:
        self._store, self._link, self._clock, self._put, self._handle = store, link, clock, put, handle
        self._gathering = Gathering()
        self._waiting: deque[_Whole | SnapshotDelta] = deque()
        self._proving = False
        self._writing: threading.Thread | None = None
        self._ask_at: float | None = None

    def start(self) -> None:
        """Read beside the loop what has not been proven yet."""
        file = self._store.layers.file
        if file is not None:
            threading.Thread(target=self._prove_all, args=(file,), name="snapshot-check", daemon=True).start()

    def look_up(self, tag: TagHash) -> Snapshot | None:
        """Return what is known of one tag; None if nothing can be known."""
        try:
            return self._store.look_up(tag)
        except SnapshotLost as lost:
            self._lost(str(lost))
            return None

    def ask(self) -> None:
        """Ask for the snapshot, and again after a while if nothing whole came of it: the server may be away."""
        self._ask_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS
        self._link.send("request", Request(digest=self._store.held.digest), qos=0)

    def work(self, now: float) -> None:
        """Ask again if that is due, and nothing that came is still to be proven."""
        if self._ask_at is not None and now >= self._ask_at and not self._proving:
            self.ask()

    def write(self) -> None:
        """Bring to the disk what is not there yet, unless that is being done."""
        change = self._store.unwritten
        if change is None or self._store.path is None or (self._writing is not None and self._writing.is_alive()):
            return
        job = (self._store.path, change, self._store.begins_anew)
        self._writing = threading.Thread(target=self._write, args=job, name="snapshot-write", daemon=True)
        self._writing.start()

    def close(self) -> None:
        """Let what is being written be written; a disk that hangs is waited for five seconds."""
        if self._writing is not None:
            self._writing.join(_CLOSE_SECONDS)

    def heard(self, body: SnapshotPart | SnapshotDelta | SnapshotCurrent) -> None:
        """Take what the server sent."""
        match body:
            case SnapshotCurrent():
                if body.digest == self._store.held.digest:
                    self._ask_at = None
            case SnapshotDelta():
                self._prove(body)
            case SnapshotPart():
                self._part(body)

    def _part(self, part: SnapshotPart) -> None:
        try:
            packed = self._gathering.add(part, at_least=self._store.held.head.number)
        except BadSnapshot:
            self._link.drop("bad_snapshot_part")
            return
        if packed is None:
            self._ask_at = self._ask_at or self._clock.monotonic() + _ASK_AGAIN_SECONDS
        else:
            self._prove(_Whole(packed, part.digest))

    # --- proving -----------------------------------------------------------------------------------------------------

    def _prove(self, what: _Whole | SnapshotDelta) -> None:
        if len(self._waiting) == _WAITING_MAX:
            self._link.drop("snapshots_too_fast")
            return
        self._waiting.append(what)
        self._next()

    def _next(self) -> None:
        while self._waiting and not self._proving:
            what = self._waiting.popleft()
            if what.digest == self._store.held.digest:  # it came twice, or another way
                self._ask_at = None
                continue
            self._proving = True
            job = (what, self._store.layers, self._store.held)
            threading.Thread(target=self._proof, args=job, name="snapshot-proof", daemon=True).start()

    def _proof(self, what: _Whole | SnapshotDelta, layers: Layers, before: Held) -> None:
        try:
            match what:
                case _Whole():
                    change, held = whole(what.packed, what.digest, before)
                case SnapshotDelta():
                    change, held = changed(what, layers, before)
        except BadSnapshot:
            self._put(lambda: self._refused(what))
        except SnapshotLost as lost:
            said = str(lost)
            self._put(lambda: self._lost(said))
        else:
            self._put(lambda: self._proven(change, held, before))
        self._put(self._proved)

    def _proved(self) -> None:
        self._proving = False
        self._next()

    def _proven(self, change: Change, held: Held, before: Held) -> None:
        if self._store.held is not before and not change.whole:
            return  # what it builds on was lost meanwhile, and the whole was asked for
        self._ask_at = None
        self._store.take_on(change, held)
        self.write()
        self._handle(h.SnapshotTaken(held.head, held.digest, held.unlocking_windows))

    def _refused(self, what: _Whole | SnapshotDelta) -> None:
        self._link.drop("bad_snapshot" if isinstance(what, _Whole) else "bad_snapshot_delta")
        if isinstance(what, SnapshotDelta):
            self.ask()
        else:
            self._ask_at = self._clock.monotonic() + _ASK_AGAIN_SECONDS

    # --- the file ----------------------------------------------------------------------------------------------------

    def _prove_all(self, file: SnapshotFile) -> None:
        try:
            file.prove_all()
        except SnapshotLost as lost:
            said = str(lost)
            self._put(lambda: self._lost(said))

    def _lost(self, why: str) -> None:
        """Refuse everyone until the server has sent it anew, unless a whole one in memory is in force."""
        if self._store.lose():
            self._handle(h.Noticed("snapshot_lost", True, why))
            self._handle(h.SnapshotTaken(self._store.held.head, None))
            self.ask()

    def _write(self, path: Path, change: Change, anew: bool) -> None:  # noqa: FBT001
        try:
            file = write(path, change, anew=anew)
        except SnapshotUnwritable as unwritable:
            said = str(unwritable)
            self._put(lambda: self._handle(h.Noticed("snapshot_unwritable", True, said)))
        except SnapshotLost as lost:
            why = str(lost)
            self._put(lambda: self._lost(why))
        else:
            self._put(lambda: self._written(change, file))

    def _written(self, change: Change, file: SnapshotFile) -> None:
        self._store.written(change, file)
        self._handle(h.Noticed("snapshot_unwritable", False))
        self.write()
