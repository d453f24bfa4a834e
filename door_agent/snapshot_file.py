# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's snapshot in one SQLite file: changed in whole steps, each one transaction, and believed as far as its digests go.

What is read is proven first: head, window sets and the list of buckets when the file is opened, a bucket at its first use.
A file that does not prove itself is lost; nothing of it is guessed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access_contract.snapshot import BUCKETS, EMPTY_BUCKET, bucket_digest, bucket_of, snapshot_digest, window_sets_digest
from access_contract.vocabulary import TagHash
from door_agent import layout
from door_agent.durable import replace_durably
from door_agent.journal_file import is_damage

_TABLES = """
create table if not exists held (one integer primary key check (one = 1), head blob not null, digest text not null,
  sets_digest text not null);
create table if not exists window_set (name text primary key, content blob not null) without rowid;
create table if not exists bucket (name text primary key, digest text not null) without rowid;
create table if not exists tag (hash blob primary key, content blob not null) without rowid;
"""
_BUCKET = """
select (select digest from bucket where name = ?), hash, content from (select 1) left join tag on hash >= ? and hash < ?
"""
_BEYOND = b"\xff" * 33


class SnapshotLost(Exception):
    """The file cannot be read, or does not prove itself; the message says which and why."""


class SnapshotUnwritable(Exception):
    """The disk does not take it; the message is the disk's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A whole snapshot, or what differs from the one before, in exact bytes; None stands for gone.

    `buckets` has the digest of each bucket that it touches, `sets_digest` that of all window sets afterwards.
    """

    head: bytes
    digest: str
    sets_digest: str
    whole: bool = False
    window_sets: Mapping[str, bytes | None]
    tags: Mapping[TagHash, bytes | None]
    buckets: Mapping[str, str]


class SnapshotFile:
    """What one file holds, for one thread to look things up in. It is never waited for by a writer, nor waits for one."""

    def __init__(self, path: Path) -> None:
        """Open it and prove all but the buckets. Raise SnapshotLost."""
        self.path = path
        self._proven: set[str] = set()
        try:
            self._db = _to_read(path)
        except sqlite3.Error as error:
            raise SnapshotLost(f"{path}: {error}") from None
        try:
            self._prove()
        except SnapshotLost:
            self._db.close()
            raise

    def _prove(self) -> None:
        self._read("begin")  # so that no writer comes in between
        rows = self._read("select head, digest, sets_digest from held")
        sets, buckets = window_sets_digest(self.window_sets().items()), self.buckets()
        self._read("commit")
        if not rows or rows[0][2] != sets or snapshot_digest(rows[0][0], sets, buckets) != rows[0][1]:
            raise SnapshotLost(f"{self.path}: is damaged")
        self.head, self.digest, self.sets_digest = rows[0]

    def again(self) -> SnapshotFile:
        """Return the same for another thread, as it is by now. Raise SnapshotLost."""
        return SnapshotFile(self.path)

    def prove_all(self) -> None:
        """Prove every bucket, beside the thread that looks things up. Raise SnapshotLost."""
        with closing(self.again()) as beside:
            for bucket in BUCKETS:
                beside.bucket(bucket)
                self._proven.add(bucket)

    def close(self) -> None:
        self._db.close()

    def tag(self, tag: TagHash) -> bytes | None:
        """Return a tag's rights, or None. Raise SnapshotLost."""
        bucket = bucket_of(tag)
        if bucket not in self._proven:
            self.bucket(bucket)
        rows = self._read("select content from tag where hash = ?", (bytes.fromhex(tag),))
        return bytes(rows[0][0]) if rows else None

    def bucket(self, name: str) -> dict[TagHash, bytes]:
        """Return all of a bucket, proven. Raise SnapshotLost."""
        number = int(name, 16)
        beyond = bytes([number + 1]) if number < 255 else _BEYOND
        rows = self._read(_BUCKET, (name, bytes([number]), beyond))
        found = {TagHash(bytes(tag).hex()): bytes(content) for _, tag, content in rows if tag is not None}
        if bucket_digest(found.items()) != (rows[0][0] or EMPTY_BUCKET):
            raise SnapshotLost(f"{self.path}: is damaged")
        self._proven.add(name)
        return found

    def window_set(self, name: str) -> bytes | None:
        """Return one window set, or None. Raise SnapshotLost."""
        rows = self._read("select content from window_set where name = ?", (name,))
        return bytes(rows[0][0]) if rows else None

    def window_sets(self) -> dict[str, bytes]:
        """Return all window sets. Raise SnapshotLost."""
        return {name: bytes(content) for name, content in self._read("select name, content from window_set")}

    def buckets(self) -> dict[str, str]:
        """Return the digests of all buckets that are not empty. Raise SnapshotLost."""
        return dict(self._read("select name, digest from bucket"))

    def _read(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise SnapshotLost(f"{self.path}: {error}") from None


def write(path: Path, change: Change, *, anew: bool) -> SnapshotFile:
    """Bring `change` into the file in one transaction, on the disk when this returns; with `anew` into a new file.

    Return it opened anew. Raise SnapshotUnwritable: the file holds what it held; or SnapshotLost: it proves nothing.
    """
    try:
        if anew:
            _make(path, change)
        else:
            _bring(path, change)
    except sqlite3.DatabaseError as error:
        raise (SnapshotLost if is_damage(error) else SnapshotUnwritable)(f"{path}: {error}") from None
    except OSError as error:
        raise SnapshotUnwritable(f"{path}: {error.strerror}") from None
    return SnapshotFile(path)


def remove(path: Path) -> None:
    """Leave nothing of the file, nor of one that was being made to take its place. Raise OSError."""
    for each in (path, _beside(path)):
        _remove(each)


def _remove(path: Path) -> None:
    for suffix in ("-wal", "-shm", ""):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _make(path: Path, change: Change) -> None:
    beside = _beside(path)
    _remove(beside)
    _bring(beside, change)
    _remove(path)  # with its log, which would be taken for the new one's
    replace_durably(beside, path)


def _bring(path: Path, change: Change) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for pragma in ("journal_mode=wal", "synchronous=full"):
            database.execute(f"pragma {pragma}")
        database.executescript(_TABLES)
        layout.mark(database)
        database.execute("begin immediate")
        _put(database, change)
        database.execute("commit")
        database.execute("pragma wal_checkpoint(truncate)")  # whoever can only read needs nothing beside the file


def _put(database: sqlite3.Connection, change: Change) -> None:
    if change.whole:
        for table in ("tag", "window_set", "bucket"):
            database.execute(f"delete from {table}")  # noqa: S608
    _put_all(database, "tag", "hash", "content", ((bytes.fromhex(tag), held) for tag, held in sorted(change.tags.items())))
    _put_all(database, "window_set", "name", "content", change.window_sets.items())
    buckets = ((name, None if digest == EMPTY_BUCKET else digest) for name, digest in change.buckets.items())
    _put_all(database, "bucket", "name", "digest", buckets)
    database.execute("insert or replace into held values (1, ?, ?, ?)", (change.head, change.digest, change.sets_digest))


def _put_all(
    database: sqlite3.Connection, table: str, key: str, value: str, rows: Iterable[tuple[object, object | None]]
) -> None:
    gone: list[tuple[object]] = []

    def staying() -> Iterable[tuple[object, object]]:
        for name, content in rows:
            if content is None:
                gone.append((name,))
            else:
                yield name, content

    database.executemany(f"insert or replace into {table}({key}, {value}) values (?, ?)", staying())  # noqa: S608
    database.executemany(f"delete from {table} where {key} = ?", gone)  # noqa: S608


def _to_read(path: Path) -> sqlite3.Connection:
    """Connect for reading; on a disk that takes nothing at all, to what stands in the file itself."""
    try:
        return _connected(path, "mode=rw")
    except sqlite3.OperationalError:
        with suppress(OSError):
            if Path(f"{path}-wal").stat().st_size > 0:  # the newest rights stand there, and cannot be read
                raise
        return _connected(path, "immutable=1")


def _connected(path: Path, how: str) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?{how}"
    database = sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    try:
        layout.check(database)
        database.execute("select one from held").fetchone()
    except layout.NewerLayout as newer:
        database.close()
        raise SnapshotLost(f"{path}: {newer}") from None
    except sqlite3.Error:
        database.close()
        raise
    return database
