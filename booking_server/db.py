# SPDX-License-Identifier: AGPL-3.0-or-later
"""One schema and one way in, on SQLite and PostgreSQL alike: a transaction that reads, or one that writes.

SQLite: write-ahead log, foreign keys on, a writer takes the lock at once (BEGIN IMMEDIATE) and waits its turn, full sync.
Instants go in aware and come out aware, in UTC; a naive one is refused.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    and_,
    create_engine,
    event,
    func,
    make_url,
    or_,
    select,
    text,
)  # fmt: skip
from sqlalchemy.types import TypeDecorator

BUSY_TIMEOUT_MS = 5_000
PAIRS_AT_ONCE, GROUPS_AT_ONCE = 400, 50
"""How many pairs of values one statement names, with how many different first ones."""
WRITER_WAITS_SECONDS, WRITER_ASKS_MS = 30.0, 25
"""SQLite asks ever more rarely the longer it waits, so that of many busy writers one starves. Each begins anew after a moment,
which keeps their chances even."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The whole schema. Each noun adds its own tables; foreign keys name other nouns' tables by string."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant is aware and UTC, this one has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """The way in. `read()` and `write()` give a connection inside a transaction; leaving by an exception undoes it all.

    All that one `read()` sees is of one instant, on PostgreSQL too. What a `write()` reads there may move between statements.
    """

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def close(self) -> None:
        self.engine.dispose()


def one_at_a_time(tx: Connection, what: str) -> None:
    """Wait until no other transaction is past here with the same `what`; from now on the others wait for this one's end.

    For what must be seen whole or not at all where writers run side by side. SQLite has one writer at a time anyway.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(func.pg_advisory_xact_lock(func.hashtext(what))))


def count_on_after(tx: Connection, column: Column[Any], number: int) -> None:
    """Have the next row of a counted key get a number larger than `number`, and than any that it had."""
    names = {"t": column.table.name, "c": column.name}
    if tx.dialect.name == "sqlite":
        known = tx.execute(text("update sqlite_sequence set seq = max(seq, :n) where name = :t"), {**names, "n": number})
        if not known.rowcount:
            tx.execute(text("insert into sqlite_sequence(name, seq) values (:t, :n)"), {**names, "n": number})
        return
    sequence = tx.execute(text("select pg_get_serial_sequence(:t, :c)"), names).scalar_one()
    told = f"select setval(:s, greatest(:n, (select last_value from {sequence})))"  # noqa: S608 - the database's own name
    tx.execute(text(told), {"s": sequence, "n": number})


def among_pairs(
    first: ColumnElement[Any], second: ColumnElement[Any], pairs: Collection[tuple[Any, Any]]
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions that each select some of the rows whose two columns are one of `pairs`, by the index of the two.

    For a plain list of pairs SQLite reads the whole table, however large it has grown.
    """
    grouped: dict[Any, list[Any]] = {}
    for one, other in pairs:
        grouped.setdefault(one, []).append(other)
    shares = [
        (one, others[at : at + PAIRS_AT_ONCE]) for one, others in grouped.items() for at in range(0, len(others), PAIRS_AT_ONCE)
    ]
    together: list[tuple[Any, list[Any]]] = []
    for share in shares:
        full = sum(len(others) for _, others in together) + len(share[1]) > PAIRS_AT_ONCE
        if together and (full or len(together) == GROUPS_AT_ONCE):
            yield or_(*(and_(first == one, second.in_(others)) for one, others in together))
            together = []
        together.append(share)
    if together:
        yield or_(*(and_(first == one, second.in_(others)) for one, others in together))


def _engine(url: str) -> Engine:
    address = make_url(url)
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    engine = create_engine(address, pool_pre_ping=address.get_backend_name() != "sqlite")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", f"busy_timeout = {BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    """SQLite's own knows only A to Z, and Åsa would not be found by "åsa"."""
    return text if text is None else text.lower()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    if not (writes and _took_write_lock(connection.connection.dbapi_connection)):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _took_write_lock(driver: Any) -> bool:
    """Begin to write as soon as nobody else does; False if that cannot be had, for the caller to meet the reason."""
    until = time.monotonic() + WRITER_WAITS_SECONDS
    driver.execute(f"PRAGMA busy_timeout = {WRITER_ASKS_MS}")
    try:
        while time.monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
            else:
                return True
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
