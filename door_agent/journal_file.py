# SPDX-License-Identifier: AGPL-3.0-or-later
"""The file that a journal is kept in: opened and checked, counted and read without holding it in memory.

Nothing here writes or removes an event.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import msgspec

from access_contract.messages import EventHeader, event_hash
from door_agent import layout
from door_agent.errors import JournalDamaged

CHECKED_AT_START_BYTES = 32 * 2**20
"""A larger file is checked while the door already works: reading it whole takes a memory card half a minute."""
_TAIL_EVENTS = 1000
_TABLES = """
create table if not exists journal (id text primary key, place integer not null unique,
  acknowledged integer not null default 0);
create table if not exists event (journal text not null, sequence integer not null, content blob not null,
  primary key (journal, sequence)) without rowid;
create table if not exists acknowledged_before (journal text not null, day text not null, sequence integer not null,
  primary key (journal, day)) without rowid;
"""


class _Damaged(sqlite3.DatabaseError):
    sqlite_errorcode = sqlite3.SQLITE_CORRUPT


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """True if the file itself is at fault, and not the disk or who else uses it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def suspected(file: Path, why: str) -> JournalDamaged:
    """Have the next start check the whole file, and return what to end this run with."""
    with suppress(OSError):
        suspicion(file).touch()
    return JournalDamaged(f"{file}: is damaged ({why}); starting anew to put it aside")


def check_whole(file: Path) -> str | None:
    """Return what is wrong with the file, None if nothing is. Long, for another thread than the loop's. Raise sqlite3.Error."""
    with closing(sqlite3.connect(file)) as database:
        try:
            said = str(database.execute("pragma quick_check(1)").fetchone()[0])
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            said = str(error)
    return None if said == "ok" else said


def suspicion(file: Path) -> Path:
    """Return the mark that lies beside a journal which the next start is to check whole."""
    return file.with_name(f"{file.name}.suspected")


def is_checked_at_start(file: Path) -> bool:
    """True if the file is small enough to be read whole before the door works, or was found damaged in its last run."""
    try:
        return file.stat().st_size <= CHECKED_AT_START_BYTES or suspicion(file).exists()
    except OSError:
        return True


def sound(file: Path, *, whole: bool) -> sqlite3.Connection:
    """Return a connection to a file that is whole, or at least at its end, and leave syncing to the Syncer.

    Raise layout.NewerLayout, with nothing changed in the file, or sqlite3.Error.
    """
    database = sqlite3.connect(file, isolation_level=None)
    try:
        layout.check(database)
        for pragma in ("journal_mode=wal", "synchronous=normal", "wal_autocheckpoint=0"):
            database.execute(f"pragma {pragma}")
        database.executescript(_TABLES)
        layout.mark(database)
        if whole and (said := database.execute("pragma quick_check").fetchone()[0]) != "ok":
            raise _Damaged(said)
        if (broken := _tail_broken_at(database)) is not None:
            raise _Damaged(f"event {broken} does not follow from the one before")
    except (sqlite3.Error, layout.NewerLayout):
        database.close()
        raise
    return database


def _tail_broken_at(database: sqlite3.Connection) -> int | None:
    """Return where the last events of the newest journal, which a power cut would hit, do not follow from each other."""
    tail = database.execute(
        "select journal, sequence, cast(content as blob) from event"
        " where journal = (select id from journal order by place desc limit 1) order by sequence desc limit ?",
        (_TAIL_EVENTS,),
    ).fetchall()
    broken = _first_broken(reversed(tail))
    return None if broken is None else broken[1]


def _kept_of(database: sqlite3.Connection, journal: str) -> int:
    """Return how many events of a journal are here, without reading them: they go without gaps from the first to the last."""
    ends = "select (select min(sequence) from event where journal = ?), (select max(sequence) from event where journal = ?)"
    first, last = database.execute(ends, (journal, journal)).fetchone()
    return 0 if first is None else last - first + 1


def count_kept(database: sqlite3.Connection) -> int:
    """Return how many events the file holds."""
    return sum(_kept_of(database, journal) for (journal,) in database.execute("select id from journal").fetchall())


def count_waiting(database: sqlite3.Connection) -> int:
    """Return how many of them the server has not acknowledged, without reading one."""
    found = database.execute(
        "select acknowledged, (select max(sequence) from event where event.journal = journal.id) from journal"
    ).fetchall()
    return sum(max(0, last - acknowledged) for acknowledged, last in found if last is not None)


def kept(database: sqlite3.Connection) -> Iterator[tuple[str, int, bytes]]:
    """Yield (journal, sequence, exact bytes) of every event in the file, oldest journal first, one at a time."""
    yield from database.execute(
        "select event.journal, event.sequence, cast(event.content as blob)"
        " from event join journal on journal.id = event.journal order by journal.place, event.sequence"
    )


def last_kept(database: sqlite3.Connection, limit: int) -> list[tuple[str, int, bytes]]:
    """Return the last `limit` events of the file as `kept` would yield them."""
    found = database.execute(
        "select event.journal, event.sequence, cast(event.content as blob)"
        " from event join journal on journal.id = event.journal order by journal.place desc, event.sequence desc limit ?",
        (limit,),
    ).fetchall()
    return found[::-1]


def broken_at(database: sqlite3.Connection) -> tuple[str, int] | None:
    """Return the first (journal, sequence) that does not follow from the event before it, or None if every chain holds."""
    return _first_broken(kept(database))


def _first_broken(events: Iterable[tuple[str, int, bytes]]) -> tuple[str, int] | None:
    before: tuple[str, int, str] | None = None
    for journal, sequence, content in events:
        header = header_of(content)
        follows = before is not None and before[:2] == (journal, sequence - 1)
        if header is None or header.sequence != sequence or (follows and before is not None and header.previous != before[2]):
            return journal, sequence
        before = (journal, sequence, event_hash(content))
    return None


def header_of(content: bytes) -> EventHeader | None:
    """Return who an event is, None if nobody can read it."""
    try:
        return msgspec.json.decode(content, type=EventHeader)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def take_back(database: sqlite3.Connection, aside: Path) -> bool:
    """Bring the events of a file that was put aside for its layout into this one, as older journals than those here.

    False if it still cannot be read; all of it is here, or none. Raise sqlite3.Error.
    """
    database.execute("attach ? as aside", (str(aside),))
    try:
        if database.execute("pragma aside.user_version").fetchone()[0] > layout.LAYOUT:
            return False
        database.execute("begin immediate")
        with database:
            [(below,)] = database.execute(
                "select (select coalesce(min(place), 0) from main.journal) - coalesce(max(place), 0) - 1 from aside.journal"
            ).fetchall()
            database.execute(
                "insert or ignore into main.journal(id, place, acknowledged)"
                " select id, place + ?, acknowledged from aside.journal",
                (below,),
            )
            database.execute("insert or ignore into main.event select journal, sequence, content from aside.event")
        return True
    finally:
        database.execute("detach aside")


def checkpoint(file: Path) -> None:
    """Move what is in the write-ahead log into the file, without holding up the writer. Raise sqlite3.Error."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("pragma wal_checkpoint(passive)")
