# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's journal: every event in order, hash-chained, kept until the server acknowledges it.

`append` returns once the event survives a killed process; `Syncer` puts it on the disk right after, in a thread of its own,
so that no slow disk holds up a tap. An event's bytes are never written again.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from access_contract.messages import FIRST_PREVIOUS, Event, What, event_hash
from access_contract.vocabulary import ClockQuality
from door_agent.errors import JournalUnwritable

_TABLES = """
create table if not exists journal (id text primary key, place integer not null unique,
  acknowledged integer not null default 0);
create table if not exists event (journal text not null, sequence integer not null, content blob not null,
  primary key (journal, sequence)) without rowid;
"""


class Journal:
    """One door's journal in one SQLite file. Used by the loop's thread only."""

    def __init__(self, file: Path) -> None:
        """Open or make it. Raise JournalUnwritable."""
        self.file = file
        self.boot = secrets.token_hex(16)
        self._started = time.monotonic()
        try:
            self._db = sqlite3.connect(file, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=normal")
            self._db.execute("pragma wal_autocheckpoint=0")
            self._db.executescript(_TABLES)
            found = self._db.execute("select id, acknowledged from journal order by place desc limit 1").fetchone()
        except sqlite3.Error as error:
            raise JournalUnwritable(f"{file}: {error}") from None
        self.id: str = found[0] if found else ""
        self.acknowledged: int = found[1] if found else 0
        self.sequence, self._previous = 0, FIRST_PREVIOUS
        if found is None:
            self.start_new()
        else:
            self._find_end()

    def start_new(self) -> str | None:
        """Begin another journal and return the one it continues; its events stay until they are acknowledged."""
        before = self.id or None
        self.id, self.acknowledged, self.sequence, self._previous = secrets.token_hex(16), 0, 0, FIRST_PREVIOUS
        self._write("insert into journal(id, place) select ?, coalesce(max(place), 0) + 1 from journal", (self.id,))
        return before

    def append(self, what: What, *, at: datetime, monotonic: float, clock: ClockQuality) -> int:
        """Return the new event's sequence, once it survives a killed process. Raise JournalUnwritable: nothing was added."""
        event = Event(
            journal=self.id,
            sequence=self.sequence + 1,
            boot=self.boot,
            at=at,
            monotonic_ms=max(0, int((monotonic - self._started) * 1000)),
            clock=clock,
            previous=self._previous,
            what=what,
        )
        content = msgspec.json.encode(event)
        self._write("insert into event(journal, sequence, content) values (?, ?, ?)", (self.id, event.sequence, content))
        self.sequence, self._previous = event.sequence, event_hash(content)
        return self.sequence

    def acknowledge(self, journal: str, up_to: int, missing: list[int]) -> None:
        """Forget what the server stored: all of `journal` up to `up_to`, but for `missing`. The last event is always kept."""
        stored = self._db.execute("select max(sequence) from event where journal = ?", (journal,)).fetchone()[0]
        if stored is None or up_to > stored:
            return  # an acknowledgement of what we never wrote proves nothing
        upper = min([up_to, *(number - 1 for number in missing)])
        self._write("delete from event where journal = ? and sequence <= ? and sequence < ?", (journal, upper, stored))
        self._write("update journal set acknowledged = max(acknowledged, ?) where id = ?", (upper, journal))
        if journal == self.id:
            self.acknowledged = max(self.acknowledged, upper)

    def unacknowledged(self, limit: int) -> list[bytes]:
        """Return the oldest events that the server has not acknowledged, at most `limit`, older journals first."""
        rows = self._db.execute(
            "select event.content from event join journal on journal.id = event.journal"
            " where event.sequence > journal.acknowledged order by journal.place, event.sequence limit ?",
            (limit,),
        )
        return [content for (content,) in rows]

    def verify(self) -> bool:
        """True if the chain of what is kept of the current journal holds."""
        previous = None
        for (content,) in self._db.execute("select content from event where journal = ? order by sequence", (self.id,)):
            event = msgspec.json.decode(content, type=Event)
            if previous is not None and event.previous != previous:
                return False
            previous = event_hash(content)
        return True

    def close(self) -> None:
        self._db.close()

    def _find_end(self) -> None:
        row = self._db.execute(
            "select sequence, content from event where journal = ? order by sequence desc limit 1", (self.id,)
        ).fetchone()
        if row is not None:
            self.sequence, self._previous = row[0], event_hash(row[1])

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        try:
            self._db.execute(statement, values)
        except sqlite3.Error as error:
            raise JournalUnwritable(f"{self.file}: {error}") from None


class Syncer:
    """Puts appended events on the disk, in a thread of its own, and reports each sync by `report(sequence, error)`."""

    def __init__(self, file: Path, report: Callable[[int, str | None], None]) -> None:
        self._file, self._report = file, report
        self._wanted = 0
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def sync(self, sequence: int) -> None:
        """Ask that everything up to `sequence` be put on the disk."""
        with self._changed:
            self._wanted = sequence
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(5)

    def _run(self) -> None:
        done = 0
        while True:
            with self._changed:
                while not self._ended and self._wanted == done:
                    self._changed.wait()
                if self._ended:
                    return
                done = self._wanted
            self._report(done, self._put_on_disk(checkpoint=done % 500 == 0))

    def _put_on_disk(self, *, checkpoint: bool) -> str | None:
        try:
            descriptor = os.open(f"{self._file}-wal", os.O_RDWR)
            try:
                os.fdatasync(descriptor)
            finally:
                os.close(descriptor)
            if checkpoint:
                with sqlite3.connect(self._file) as database:
                    database.execute("pragma wal_checkpoint(passive)")
        except (OSError, sqlite3.Error) as error:
            return str(error)
        return None
