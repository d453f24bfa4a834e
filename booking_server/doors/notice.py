# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says within a moment that another connection committed something, so that nobody has to ask the tables all the time.

It only wakes: what happened stands in the tables, and who misses the word finds it there a second later. SQLite: the file's
data version. PostgreSQL: the channel `hubkey`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg
from sqlalchemy.exc import OperationalError

from booking_server.db import Database

STEP_SECONDS = 0.05


class Notice(Protocol):
    """Made, used and closed on one thread."""

    def wait(self) -> bool:
        """Return True as soon as something may have changed; False after STEP_SECONDS."""
        ...

    def close(self) -> None: ...


def notice_of(database: Database) -> Notice:
    """Return what tells of changes in this database. It holds a connection of its own."""
    connection = database.engine.raw_connection()
    return WatchedFile(connection) if database.is_sqlite else Listener(connection)


@contextmanager
def _as_fault(*kinds: type[Exception]) -> Iterator[None]:
    """What the driver says, said as SQLAlchemy does elsewhere: these connections are used without it."""
    try:
        yield
    except kinds as error:
        raise OperationalError("watch for changes", None, error) from error


class WatchedFile:
    """SQLite counts, for each connection, the commits of all others."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._pause = threading.Event()
        self._version = self._read()

    def wait(self) -> bool:
        self._pause.wait(STEP_SECONDS)
        before, self._version = self._version, self._read()
        return self._version != before

    def close(self) -> None:
        self._connection.close()

    def _read(self) -> int:
        cursor = self._connection.cursor()
        try:
            with _as_fault(sqlite3.Error):
                return int(cursor.execute("PRAGMA data_version").fetchone()[0])
        finally:
            cursor.close()


class Listener:
    """PostgreSQL tells who listens; see the migration that makes it tell."""

    def __init__(self, connection: Any) -> None:
        self._driver = connection.driver_connection
        connection.detach()
        self._driver.autocommit = True
        self._driver.execute("LISTEN hubkey")

    def wait(self) -> bool:
        with _as_fault(psycopg.Error):
            return bool(list(self._driver.notifies(timeout=STEP_SECONDS, stop_after=1)))

    def close(self) -> None:
        self._driver.close()
