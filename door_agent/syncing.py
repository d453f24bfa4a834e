# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts the journal on the disk in a thread of its own, so that no slow disk holds up a tap, and says how that went.

It only reports; what a failed or late sync means is the machine's to say. It never writes an event.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from door_agent.journal_file import check_whole, checkpoint

Mark = tuple[str, int]
"""A journal and a sequence in it."""
_CHECKPOINT_WRITES = 500
"""So the write-ahead log stays at some megabytes: a write is an event, of some four pages of it."""
_FORGOTTEN_A_WRITE = 40
"""Events taken out that count as one write: their pages are emptied, too."""
_PROBE_BYTES = 64 * 1024


class Syncer:
    """Syncs on `sync`; wishes that come meanwhile are one sync. `synced` and `probed` hear of it, with the error or None."""

    def __init__(self, file: Path, synced: Callable[[Mark, str | None], None], probed: Callable[[str | None], None]) -> None:
        self._file, self._synced, self._probed = file, synced, probed
        self._wanted: Mark | None = None
        self._jobs: dict[Callable[[], None], None] = {}
        self._writes = 0
        self._probe = self._ended = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def sync(self, mark: Mark) -> None:
        """Ask that everything up to `mark` be put on the disk."""
        with self._changed:
            self._wanted = mark
            self._writes += 1
            self._changed.notify()

    def forgot(self, events: int) -> None:
        """Say that so many events were taken out of the journal: nothing to sync, but the write-ahead log grew."""
        with self._changed:
            self._writes += 1 + events // _FORGOTTEN_A_WRITE
            if self._writes >= _CHECKPOINT_WRITES:
                self._changed.notify()

    def probe(self) -> None:
        """Ask whether the disk takes anything again, without writing to the journal."""
        with self._changed:
            self._probe = True
            self._changed.notify()

    def also(self, job: Callable[[], None]) -> None:
        """Do other slow work with the disk, after the journal's; the same job waits once."""
        with self._changed:
            self._jobs[job] = None
            self._changed.notify()

    def close(self) -> None:
        """Do what was asked for, and end; a disk that hangs is waited for five seconds."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(5)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                wanted, probe, jobs, grown = self._wanted, self._probe, [*self._jobs], self._writes >= _CHECKPOINT_WRITES
                self._wanted, self._probe, self._writes = None, False, 0 if grown else self._writes
                self._jobs.clear()
                if self._ended and wanted is None and not jobs:
                    return
            if wanted is not None:
                self._synced(wanted, self._put_on_disk(grown=grown))
            elif grown:
                with suppress(sqlite3.Error):  # nothing of ours waits for it; a disk that fails says so at the next event
                    checkpoint(self._file)
            for job in jobs:
                job()
            if probe:
                self._probed(self._probe_disk())

    def _has_work(self) -> bool:
        grown = self._writes >= _CHECKPOINT_WRITES
        return bool(self._ended or self._probe or self._jobs or self._wanted or grown)

    def _put_on_disk(self, *, grown: bool) -> str | None:
        try:
            _sync_file(Path(f"{self._file}-wal"))
            if grown:
                checkpoint(self._file)
        except (OSError, sqlite3.Error) as error:
            return str(error)
        return None

    def _probe_disk(self) -> str | None:
        beside = self._file.with_name("probe")
        try:
            with beside.open("wb") as out:
                out.write(bytes(_PROBE_BYTES))
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            return str(error)
        finally:
            with suppress(OSError):
                beside.unlink()
        return None


def _sync_file(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def check_beside(file: Path, damaged: Callable[[str], None]) -> None:
    """Check a large file while the door works, after everything else that wants the machine; tell `damaged` if it is."""

    def check() -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        with suppress(sqlite3.Error):
            said = check_whole(file)
            if said is not None:
                damaged(said)

    threading.Thread(target=check, name="journal-check", daemon=True).start()
