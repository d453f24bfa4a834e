# SPDX-License-Identifier: AGPL-3.0-or-later
"""One of several clients that book the same spaces at the same time, as a process of its own.

Run with a database URL, a person, a seed, a number of tries and then spaces, "7" or "7:mixed". It says "ready", waits for a
line, tries each space in turn, and says in one line of JSON what it got: [[space, start, end, got], ...].
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

from booking_server.actors import SYSTEM
from booking_server.bookings import service as bookings
from booking_server.db import Database
from booking_server.errors import Invalid
from tests.booking_server.hub import NOW

HALF_HOUR = timedelta(minutes=30)


def main(url: str, person: int, seed: int, tries: int, *spaces: str) -> None:
    database = Database(url)
    with database.read():
        sys.stdout.write("ready\n")
        sys.stdout.flush()
    sys.stdin.readline()
    said = []
    for space, _, mixed in (word.partition(":") for word in spaces):
        for start, end in _mixed_spans(seed, tries) if mixed else _same_spans(tries):
            got = _book(database, int(space), person, start, end)
            said.append([int(space), start.isoformat(), end.isoformat(), got])
    database.close()
    sys.stdout.write(json.dumps(said) + "\n")


def _same_spans(tries: int) -> Iterator[tuple[datetime, datetime]]:
    """Every half-hour in turn: all clients want the same at the same time."""
    for number in range(tries):
        yield NOW + number * HALF_HOUR, NOW + (number + 1) * HALF_HOUR


def _mixed_spans(seed: int, tries: int) -> Iterator[tuple[datetime, datetime]]:
    """One to four half-hours from any one on: what clients want overlaps in every way."""
    chosen = random.Random(seed)  # noqa: S311
    for _ in range(tries):
        first = chosen.randrange(tries)
        yield NOW + first * HALF_HOUR, NOW + (first + chosen.randint(1, 4)) * HALF_HOUR


def _book(database: Database, space: int, person: int, start: datetime, end: datetime) -> bool:
    try:
        with database.write() as tx:
            bookings.book_space(tx, SYSTEM, now=NOW, space_id=space, person_id=person, start_at=start, end_at=end)
    except Invalid as problem:
        if problem.field != "start":
            raise
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
