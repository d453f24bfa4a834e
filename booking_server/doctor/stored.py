# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the database says of itself, through a connection that cannot write: not even a log beside it is made."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from booking_server import schema
from booking_server.audit import service as audit
from booking_server.config import Config
from booking_server.doctor.facts import DatabaseFact, DoorFact, Outbox
from booking_server.doctor.looking import sqlite_file
from booking_server.doors import service as doors
from booking_server.doors.showing import is_online
from booking_server.ledger import service as ledger
from booking_server.messages import measuring

LOOK_SECONDS = 20.0
CONNECT_SECONDS = 5
_STEPS = 100_000
"""After so many steps of SQLite's machine it is asked whether it took too long."""


def database_fact(config: Config, now: datetime) -> DatabaseFact:
    """Return how the database is. It never raises for one that cannot be used."""
    url = make_url(config.database)
    file = sqlite_file(config)
    where = str(file) if file is not None else f"PostgreSQL {url.database} at {url.host or 'this machine'}"
    if file is not None and not file.exists():
        return DatabaseFact(where=where, trouble="there is none")
    engine = _engine(url, file)
    try:
        with _reading(engine) as tx:
            return _looked_at(tx, where, file, now)
    except SQLAlchemyError as error:
        said = _said(error)
        return DatabaseFact(where=where, damage=said) if _is_damaged(error) else DatabaseFact(where=where, trouble=said)
    finally:
        engine.dispose()


def _engine(url: URL, file: Path | None) -> Engine:
    if file is not None:
        alone = not file.with_name(
            f"{file.name}-wal"
        ).exists()  # nobody has it open: then even looking would make files beside it
        address = f"{file.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
        return create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True, timeout=5), poolclass=NullPool)
    driver = url.set(drivername="postgresql+psycopg")
    options = {"connect_timeout": CONNECT_SECONDS, "options": "-c default_transaction_read_only=on -c statement_timeout=20s"}
    return create_engine(driver, connect_args=options, poolclass=NullPool, hide_parameters=True)


@contextmanager
def _reading(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection, connection.begin():
        yield connection


def _looked_at(tx: Connection, where: str, file: Path | None, now: datetime) -> DatabaseFact:
    scripts = ScriptDirectory(str(schema.MIGRATIONS))
    revision, head = MigrationContext.configure(tx).get_current_revision(), str(scripts.get_current_head())
    found: dict[str, Any] = {
        "where": where,
        "revision": revision,
        "head": head,
        "is_known": revision is None or revision in {script.revision for script in scripts.walk_revisions()},
    }
    if file is not None:
        found |= _of_file(tx, file)
    if revision == head and not found.get("damage"):
        found |= _of_hub(tx, now)
    return DatabaseFact(**found)


def _of_file(tx: Connection, file: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"bytes": file.stat().st_size, "wal_bytes": 0}
    with suppress(OSError):
        found["wal_bytes"] = file.with_name(f"{file.name}-wal").stat().st_size
    driver: Any = tx.connection.dbapi_connection
    until = time.monotonic() + LOOK_SECONDS
    driver.set_progress_handler(lambda: int(time.monotonic() > until), _STEPS)
    try:
        says = [str(row[0]) for row in driver.execute("PRAGMA quick_check(3)").fetchall()]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        return found | {"unlooked": True}
    finally:
        driver.set_progress_handler(None, 0)
    return found if says == ["ok"] else found | {"damage": says[0].splitlines()[-1]}


def _of_hub(tx: Connection, now: datetime) -> dict[str, Any]:
    states, waiting = doors.door_states(tx), measuring.waiting(tx)
    facts = []
    for door in doors.doors(tx):
        state = states.get(door.id)
        if door.retired_at is None and state is None:
            facts.append(DoorFact(id=door.id))
        elif door.retired_at is None and state is not None:
            online = is_online(state, now)
            since = state.changed_at if state.online == online else state.heard_at
            facts.append(DoorFact(id=door.id, online=online, changed_at=since, version=state.status.version))
    instants = [at for at in (ledger.newest_received_at(tx), audit.newest_at(tx)) if at is not None]
    outbox = Outbox(waiting=waiting.count, oldest_at=waiting.oldest_at, trouble_since=waiting.trouble_since)
    return {"doors": tuple(facts), "newest_at": max(instants, default=None), "outbox": outbox}


def _is_damaged(error: SQLAlchemyError) -> bool:
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _said(error: SQLAlchemyError) -> str:
    """A driver's first line names host and cause; a password never stands in it."""
    cause = getattr(error, "orig", None) or error
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0]
