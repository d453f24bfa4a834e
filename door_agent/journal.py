# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's journal: every event in order, hash-chained, kept until the server acknowledges it.

`append` returns once the event survives a killed process; `Syncer` (syncing.py) puts it on the disk right after. An event's
bytes are never written again. A damaged file is put aside and a new journal begun: the door comes up, the gap is seen.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import msgspec

from access_contract.messages import FIRST_PREVIOUS, Event, EventHeader, What, event_hash
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

    def __init__(self, file: Path, *, on_disk: bool = True) -> None:
        """Open or make it; one that is damaged is put aside. Raise JournalUnwritable.

        With `on_disk` False it is another journal, in memory only, for a door whose disk takes nothing: what happens can at
        least be sent.
        """
        self.file, self.on_disk = file, on_disk
        self.boot = secrets.token_hex(16)
        self._started = time.monotonic()
        self.damaged: Path | None = None
        try:
            self._db = self._opened()
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

    def acknowledge(self, journal: str, up_to: int, missing: list[int], *, forked: bool = False) -> None:
        """Forget what the server stored: all of `journal` up to `up_to`, but for `missing`. The last event is always kept.

        An acknowledgement of what was never written proves nothing, unless the server says that this journal forked: then
        it holds ours beside its own, under numbers that may go beyond ours.
        """
        stored = self._db.execute("select max(sequence) from event where journal = ?", (journal,)).fetchone()[0]
        if stored is None or (up_to > stored and not forked):
            return
        upper = min([up_to, stored, *(number - 1 for number in missing)])
        self._write("delete from event where journal = ? and sequence <= ? and sequence < ?", (journal, upper, stored))
        self._write("update journal set acknowledged = max(acknowledged, ?) where id = ?", (upper, journal))
        if journal == self.id:
            self.acknowledged = max(self.acknowledged, upper)

    def unacknowledged(self, limit: int, *, up_to: int | None = None) -> list[bytes]:
        """Return the oldest events that the server has not acknowledged, at most `limit`, older journals first.

        Of the current journal none after `up_to`: what a power cut may still take back must not have been told.
        """
        rows = self._db.execute(
            "select event.content from event join journal on journal.id = event.journal"
            " where event.sequence > journal.acknowledged and (event.journal <> ? or event.sequence <= ?)"
            " order by journal.place, event.sequence limit ?",
            (self.id, self.sequence if up_to is None else up_to, limit),
        )
        return [content for (content,) in rows]

    def verify(self) -> bool:
        """True if the chain of what is kept holds, in every journal."""
        return broken_at(self._db) is None

    def close(self) -> None:
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        try:
            return _sound(self.file if self.on_disk else Path(":memory:"))
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
        self.damaged = self._put_aside()
        return _sound(self.file)

    def _put_aside(self) -> Path:
        """Keep the damaged file for whoever wants to read it, beside the new one."""
        aside = self.file.with_name(f"{self.file.name}.damaged-{self.boot[:8]}")
        try:
            self.file.rename(aside)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.file}{suffix}").rename(f"{aside}{suffix}")
        except OSError as error:
            raise JournalUnwritable(f"{self.file}: is damaged and cannot be put aside: {error.strerror}") from None
        return aside

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


class _Damaged(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _sound(file: Path) -> sqlite3.Connection:
    """Return a connection to a file that is whole, and leave syncing to the Syncer."""
    database = sqlite3.connect(file, isolation_level=None)
    try:
        for pragma in ("journal_mode=wal", "synchronous=normal", "wal_autocheckpoint=0"):
            database.execute(f"pragma {pragma}")
        database.executescript(_TABLES)
        if (said := database.execute("pragma quick_check").fetchone()[0]) != "ok":
            raise _Damaged(said)
    except sqlite3.Error:
        database.close()
        raise
    return database


def kept(database: sqlite3.Connection) -> Iterator[tuple[str, int, bytes]]:
    """Yield (journal, sequence, exact bytes) of every event in the file, oldest journal first."""
    yield from database.execute(
        "select event.journal, event.sequence, cast(event.content as blob)"
        " from event join journal on journal.id = event.journal order by journal.place, event.sequence"
    )


def broken_at(database: sqlite3.Connection) -> tuple[str, int] | None:
    """Return the first (journal, sequence) that does not follow from the event before it, or None if every chain holds."""
    before: tuple[str, int, str] | None = None
    for journal, sequence, content in kept(database):
        try:
            header = msgspec.json.decode(content, type=EventHeader)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return journal, sequence
        follows = before is not None and before[:2] == (journal, sequence - 1)
        if header.sequence != sequence or (follows and before is not None and header.previous != before[2]):
            return journal, sequence
        before = (journal, sequence, event_hash(content))
    return None


def checkpoint(file: Path) -> None:
    """Move what is in the write-ahead log into the file, without holding up the writer. Raise sqlite3.Error."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("pragma wal_checkpoint(passive)")
