# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which events stay at the door after the server acknowledged them: the newest, so that a server put back from an old backup
can be sent what it lost.

Bounded by days and by count; what still waits for the server always goes before. It never takes out an event that waits, nor a
journal's last one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import date, timedelta

KEEP_DAYS, KEPT_MAX = 35, 50_000
"""Longer than from one backup to the next, however late it is missed; some 25 MB."""
AT_ONCE = 2000
"""So many go at once: each time rewrites pages of the file, and holds the loop up for some milliseconds."""


class Keeping:
    """Works in the journal's file; raises sqlite3.Error. `marks` are how far each journal is acknowledged, oldest first."""

    def __init__(self, database: sqlite3.Connection, *, days: int, most: int) -> None:
        self._database, self._days, self._most = database, days, most if days else 0
        self._day: date | None = None
        self._over: dict[str, int] = {}

    def begin_day(self, day: date, marks: Mapping[str, int]) -> None:
        """Once a day, write down how far each journal was acknowledged before it, and find out what has been kept for long."""
        if day == self._day:
            return
        rows = [(journal, day.isoformat(), mark) for journal, mark in marks.items()]
        self._database.executemany("insert or ignore into acknowledged_before(journal, day, sequence) values (?, ?, ?)", rows)
        since = (day - timedelta(days=self._days)).isoformat()
        over = "select journal, max(sequence) from acknowledged_before where day <= ? group by journal"
        self._over = dict(self._database.execute(over, (since,)).fetchall())
        self._database.execute("delete from acknowledged_before where day < ?", (since,))
        self._day = day

    def forget(self, marks: Mapping[str, int], *, kept: int, room: int) -> int:
        """Take out the oldest of what need not be kept, and return how many events that were.

        `kept` events are in the file that were acknowledged; `room` says how many of them there is room for.
        """
        most = max(0, min(self._most, room))
        excess = kept - most
        if excess < min(AT_ONCE, most + 1) and not self._over:
            return 0
        for journal, mark in marks.items():
            ends = "select min(sequence), max(sequence) from event where journal = ?"
            first, last = self._database.execute(ends, (journal,)).fetchone()
            if first is not None and (many := self._due(journal, first, min(mark, last - 1), excess)) > 0:
                gone = "delete from event where journal = ? and sequence < ?"
                return self._database.execute(gone, (journal, first + many)).rowcount
        self._over.clear()
        return 0

    def _due(self, journal: str, first: int, upper: int, excess: int) -> int:
        aged = self._over.get(journal, 0) - first + 1
        return min(AT_ONCE, upper - first + 1, max(aged, excess))
