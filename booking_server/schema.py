# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings a database's tables to this version of the server, or tells that they are. All of a move happens, or none of it.

Two processes may do it at once: the second waits, and finds nothing left to do. On SQLite foreign keys rest during the
move, so that a table can be made anew, and are checked before it counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from booking_server.config import BadConfiguration
from booking_server.db import Database, one_at_a_time

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(database: Database) -> None:
    """Make every table and guard that is missing. Does nothing where all is there. Raise BadConfiguration for a newer one."""
    _must_not_be_newer(database)
    with _moving(database) as tx:
        command.upgrade(_config(tx), "head")


def downgrade(database: Database, revision: str) -> None:
    """Go back to `revision` ("0001"; "base" removes everything, with its data). Raise BadConfiguration for a newer database."""
    _must_not_be_newer(database)
    with _moving(database) as tx:
        command.downgrade(_config(tx), revision)


def revision(database: Database) -> str:
    """Return the last move that this database has seen ("0011"); "" for an empty one."""
    with database.read() as tx:
        return MigrationContext.configure(tx).get_current_revision() or ""


def is_current(database: Database) -> bool:
    """Return whether this database has exactly the tables of this version."""
    return revision(database) == _known().get_current_head()


def must_be_current(database: Database) -> None:
    """Raise BadConfiguration if this database has not exactly the tables of this version."""
    _must_not_be_newer(database)
    if not is_current(database):
        raise BadConfiguration(
            f"database {database.engine.url} has not the tables of this version; run: booking-server database upgrade"
        )


def _must_not_be_newer(database: Database) -> None:
    found, known = revision(database), _known()
    if found and found not in {script.revision for script in known.walk_revisions()}:
        raise BadConfiguration(
            f"database {database.engine.url} is of a newer version of the server (its tables are {found}, this version knows"
            f" them up to {known.get_current_head()}); install that version again, or restore a backup made by this one"
        )


def _known() -> ScriptDirectory:
    return ScriptDirectory(str(MIGRATIONS))


@contextmanager
def _moving(database: Database) -> Iterator[Connection]:
    with database.engine.connect().execution_options(writes=True) as connection:
        if not database.is_sqlite:
            with connection.begin():
                one_at_a_time(connection, "schema")
                yield connection
            return
        with _foreign_keys_resting(connection), connection.begin():
            yield connection
            _check_foreign_keys(connection)


@contextmanager
def _foreign_keys_resting(connection: Connection) -> Iterator[None]:
    """SQLite can only switch them outside a transaction: SQLAlchemy would begin one, so ask the driver."""
    driver = connection.connection.cursor()
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")
        driver.close()


def _check_foreign_keys(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise RuntimeError(f"after the move these rows refer to nothing: {broken[:5]}")


def _config(tx: Connection) -> Config:
    config = Config(attributes={"connection": tx})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
