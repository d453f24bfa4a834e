# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's journal: every event in order, hash-chained, kept until the server acknowledges it.

`append` returns once the event survives a killed process; `Syncer` (syncing.py) puts it on the disk right after. An event's
bytes are never written again, and none is dropped to make room: a journal that is full takes no more. A damaged file is put
aside and a new journal begun: the door comes up, the gap is seen. So is one that a newer agent laid out otherwise; it is taken
back by the first agent that can read it.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from access_contract.messages import FIRST_PREVIOUS, Event, What, event_hash
from access_contract.vocabulary import ClockQuality
from door_agent import layout
from door_agent.errors import JournalDamaged, JournalUnwritable
from door_agent.journal_file import (
    broken_at,
    count_waiting,
    header_of,
    is_checked_at_start,
    is_damage,
    sound,
    suspected,
    suspicion,
    take_back,
)

EVENTS_MAX = 1_000_000
_FORGOTTEN_AT_ONCE = 2000
"""While more waits to be sent, what was acknowledged is taken out by so many: each time rewrites pages of the file."""

_LOOKED_AT = 100
"""Events at the end among which the last trusted instant is looked for: what was doubted since must not hide it."""


class Journal:
    """One door's journal in one SQLite file. Used by the loop's thread only."""

    def __init__(self, file: Path, *, on_disk: bool = True, events_max: int = EVENTS_MAX) -> None:
        """Open or make it; one that is damaged is put aside. Raise JournalUnwritable.

        With `on_disk` False it is another journal, in memory only, for a door whose disk takes nothing: what happens can at
        least be sent.
        """
        self.file, self.on_disk, self.events_max = file, on_disk, events_max
        self.boot = secrets.token_hex(16)
        self._started = time.monotonic()
        self.damaged: Path | None = None
        self.newer: Path | None = None
        self.checked = True
        self.last_trusted_at: datetime | None = None
        try:
            self._db = self._opened()
            self._take_back()
            self._marks: dict[str, int] = dict(
                self._db.execute("select id, acknowledged from journal order by place").fetchall()
            )
            self._forgotten = dict(self._marks)
            self.waiting = count_waiting(self._db)
        except sqlite3.Error as error:
            raise JournalUnwritable(f"{file}: {error}") from None
        self.id = next(reversed(self._marks), "")
        self.sequence, self._previous = 0, FIRST_PREVIOUS
        if self.id:
            self._find_end()
        else:
            self.start_new()

    def start_new(self) -> str | None:
        """Begin another journal and return the one it continues; its events stay until they are acknowledged."""
        before = self.id or None
        new = secrets.token_hex(16)
        self._write("insert into journal(id, place) select ?, coalesce(max(place), 0) + 1 from journal", (new,))
        self.id, self.sequence, self._previous = new, 0, FIRST_PREVIOUS
        self._marks[new] = self._forgotten[new] = 0
        return before

    @property
    def acknowledged(self) -> int:
        """Up to where the server has stored the current journal."""
        return self._marks[self.id]

    @property
    def has_room(self) -> bool:
        """False once `events_max` events wait for the server."""
        return self.waiting < self.events_max

    def append(self, what: What, *, at: datetime, monotonic: float, clock: ClockQuality) -> int:
        """Return the new event's sequence, once it survives a killed process. Raise JournalUnwritable: nothing was added."""
        if not self.has_room:
            raise JournalUnwritable(f"{self.file}: is full with {self.waiting} events that the server has not acknowledged")
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
        self.sequence, self._previous, self.waiting = event.sequence, event_hash(content), self.waiting + 1
        return self.sequence

    def acknowledge(self, journal: str, up_to: int, missing: list[int], *, forked: bool = False) -> int:
        """Forget what the server stored: all of `journal` up to `up_to`, but for `missing`. The last event is always kept.

        An acknowledgement of what was never written proves nothing, unless the server says that this journal forked: then
        it holds ours beside its own, under numbers that may go beyond ours. Return how many events were taken out of the
        file just now. Raise JournalUnwritable.
        """
        [(stored,)] = self._read("select max(sequence) from event where journal = ?", (journal,))
        if stored is None or (up_to > stored and not forked):
            return 0
        upper = min([up_to, stored, *(number - 1 for number in missing)])
        if upper <= self._marks[journal]:
            return 0
        self.waiting -= upper - self._marks[journal]
        self._marks[journal] = upper
        if upper < stored and upper - self._forgotten[journal] < _FORGOTTEN_AT_ONCE:
            return 0
        return self._forget(journal, upper, stored)

    def unacknowledged(self, limit: int, *, up_to: int | None = None) -> list[bytes]:
        """Return the oldest events that the server has not acknowledged, at most `limit`, older journals first.

        Of the current journal none after `up_to`: what a power cut may still take back must not have been told.
        """
        found: list[bytes] = []
        for journal, mark in self._marks.items():
            upper = 2**62 if journal != self.id else self.sequence if up_to is None else up_to
            rows = self._read(
                "select content from event where journal = ? and sequence > ? and sequence <= ? order by sequence limit ?",
                (journal, mark, upper, limit - len(found)),
            )
            found += [content for (content,) in rows]
        return found

    def named(self, journal: str, sequences: Iterable[int], *, up_to: int) -> list[bytes]:
        """Return those of these events that are here, in order; of the current journal none after `up_to`."""
        wanted = [number for number in sorted(set(sequences)) if journal != self.id or number <= up_to]
        marks = ",".join("?" * len(wanted))
        rows = self._read(
            f"select content from event where journal = ? and sequence in ({marks}) order by sequence",  # noqa: S608
            (journal, *wanted),
        )
        return [content for (content,) in rows]

    def verify(self) -> bool:
        """True if the chain of what is kept holds, in every journal."""
        return broken_at(self._db) is None

    def close(self) -> None:
        self._db.close()

    def _forget(self, journal: str, upper: int, stored: int) -> int:
        """Take out what was acknowledged. After a power cut before it the server is sent again what it has: it counts once."""
        gone = self._write("delete from event where journal = ? and sequence <= ? and sequence < ?", (journal, upper, stored))
        self._write("update journal set acknowledged = ? where id = ?", (upper, journal))
        self._forgotten[journal] = upper
        return gone

    def _opened(self) -> sqlite3.Connection:
        self.checked = is_checked_at_start(self.file)
        try:
            database = sound(self.file if self.on_disk else Path(":memory:"), whole=self.checked)
            if self.checked and self.on_disk:
                with suppress(OSError):
                    suspicion(self.file).unlink(missing_ok=True)
            return database
        except layout.NewerLayout:
            self.newer = self._put_aside("newer")
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.damaged = self._put_aside("damaged")
        self.checked = True
        return sound(self.file, whole=True)

    def _take_back(self) -> None:
        """Bring back what an older agent put aside. What cannot be read yet is `newer`, and stays for a later start."""
        for aside in sorted(self.file.parent.glob(f"{self.file.name}.newer-*[0-9a-f]")) if self.on_disk else ():
            with suppress(sqlite3.Error, OSError):
                if not take_back(self._db, aside):
                    self.newer = aside
                else:
                    aside.unlink()
                    for suffix in ("-wal", "-shm"):
                        Path(f"{aside}{suffix}").unlink(missing_ok=True)

    def _put_aside(self, why: str) -> Path:
        """Keep a file that is `why` of no use for whoever can read it, beside the new one."""
        aside = self.file.with_name(f"{self.file.name}.{why}-{self.boot[:8]}")
        try:
            self.file.rename(aside)
            for suffix in ("-wal", "-shm"):
                with suppress(FileNotFoundError):
                    Path(f"{self.file}{suffix}").rename(f"{aside}{suffix}")
            suspicion(self.file).unlink(missing_ok=True)
        except OSError as error:
            raise JournalUnwritable(f"{self.file}: is {why} and cannot be put aside: {error.strerror}") from None
        return aside

    def _find_end(self) -> None:
        last = self._db.execute(
            "select sequence, content from event where journal = ? order by sequence desc limit ?", (self.id, _LOOKED_AT)
        ).fetchall()
        if last:
            self.sequence, self._previous = last[0][0], event_hash(last[0][1])
            headers = (header_of(content) for _, content in last)
            trusted = (one.at for one in headers if one is not None and one.clock is not ClockQuality.UNTRUSTED)
            self.last_trusted_at = next(trusted, None)

    def _read(self, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _write(self, statement: str, values: tuple[object, ...]) -> int:
        """Return how many rows were changed."""
        try:
            return self._db.execute(statement, values).rowcount
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _fault(self, error: sqlite3.Error) -> JournalUnwritable | JournalDamaged:
        if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
            return suspected(self.file, str(error))
        return JournalUnwritable(f"{self.file}: {error}")
