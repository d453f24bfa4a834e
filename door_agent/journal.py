# SPDX-License-Identifier: AGPL-3.0-or-later
"""The door's journal: every event in order, hash-chained, kept until the server acknowledges it, and a while longer.

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
    count_kept,
    count_waiting,
    header_of,
    is_checked_at_start,
    is_damage,
    sound,
    suspected,
    suspicion,
    take_back,
)
from door_agent.keeping import AT_ONCE, KEEP_DAYS, KEPT_MAX, Keeping

EVENTS_MAX = 1_000_000
_LOOKED_AT = 100
"""Events at the end among which the last trusted instant is looked for: what was doubted since must not hide it."""


class Journal:
    """One door's journal in one SQLite file. Used by the loop's thread only."""

    def __init__(
        self,
        file: Path,
        *,
        on_disk: bool = True,
        events_max: int = EVENTS_MAX,
        keep_days: int = KEEP_DAYS,
        kept_max: int = KEPT_MAX,
    ) -> None:
        """Open or make it; one that is damaged is put aside. Raise JournalUnwritable.

        With `on_disk` False it is another journal, in memory only, for a door whose disk takes nothing: what happens can at
        least be sent. Acknowledged events stay for `keep_days`, at most `kept_max` of them.
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
            self._written = dict(self._marks)
            self.waiting, self._all = count_waiting(self._db), count_kept(self._db)
            self._keeping = Keeping(self._db, days=keep_days, most=kept_max)
            self.gone = self._gone()
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
        self._marks[new] = self._written[new] = 0
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
        self.sequence, self._previous = event.sequence, event_hash(content)
        self.waiting, self._all = self.waiting + 1, self._all + 1
        return self.sequence

    def acknowledge(
        self, journal: str, up_to: int, missing: list[int], *, forked: bool = False, now: datetime | None = None
    ) -> int:
        """The server stored all of `journal` up to `up_to`, but for `missing`: it is not sent again, and goes in time.

        An acknowledgement of what was never written proves nothing, unless the server says that this journal forked: then
        it holds ours beside its own, under numbers that may go beyond ours. `now` is None while the clock is not trusted.
        Return how many events were taken out of the file just now. Raise JournalUnwritable.
        """
        [(stored,)] = self._read("select max(sequence) from event where journal = ?", (journal,))
        if stored is None or (up_to > stored and not forked):
            return 0
        upper = min([up_to, stored, *(number - 1 for number in missing)])
        if upper <= self._marks[journal]:
            return 0
        self._mark(journal, upper)
        if upper < stored and upper - self._written[journal] < AT_ONCE:
            return 0
        self._write("update journal set acknowledged = ? where id = ?", (upper, journal))
        self._written[journal] = upper
        return self._forget(now)

    def send_again(self, journal: str, up_to: int) -> bool | None:
        """The server has of `journal` no more than this: it was put back from a backup. Send again what it may have lost.

        That is all that is kept, of every journal: of those begun since the backup it cannot know. What it has it says at
        once. Return None if it lost nothing that it ever acknowledged; else whether all of `journal` that it lost is still
        here. Raise JournalUnwritable.
        """
        if up_to >= self._marks.get(journal, 0):
            return None
        first = self._firsts()
        self._marks[journal] = max(up_to, first[journal] - 1)
        for other in self._marks.keys() - {journal}:
            self._marks[other] = min(self._marks[other], first[other] - 1)
        for each, mark in self._marks.items():
            self._write("update journal set acknowledged = ? where id = ?", (mark, each))
        self._written = dict(self._marks)
        self.waiting = self._waiting()
        self.gone = self._gone()
        return first[journal] - 1 <= up_to

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

    def _mark(self, journal: str, upper: int) -> None:
        self.waiting -= upper - self._marks[journal]
        self._marks[journal] = upper
        if upper > self.gone.get(journal, upper):
            del self.gone[journal]

    def _forget(self, now: datetime | None) -> int:
        """Take out what need not be kept. After a power cut before it the server is sent again what it has: it counts once."""
        room = self.events_max // 2 - self.waiting
        try:
            if now is not None:
                self._keeping.begin_day(now.date(), self._marks)
            gone = self._keeping.forget(self._marks, kept=self._all - self.waiting, room=room)
        except sqlite3.Error as error:
            raise self._fault(error) from None
        self._all -= gone
        return gone

    def _waiting(self) -> int:
        try:
            return count_waiting(self._db)
        except sqlite3.Error as error:
            raise self._fault(error) from None

    def _firsts(self) -> dict[str, int]:
        """Return the first sequence that is here of each journal; of one with none, the one that comes next."""
        found = {each: self._read("select min(sequence) from event where journal = ?", (each,))[0][0] for each in self._marks}
        return {each: mark + 1 if found[each] is None else found[each] for each, mark in self._marks.items()}

    def _gone(self) -> dict[str, int]:
        """Return up to where the events of a journal are no longer here, where all that still is waits for the server."""
        return {each: first - 1 for each, first in self._firsts().items() if 1 < first == self._marks[each] + 1}

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
