# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the migrations make the very tables that the code uses, and do they come and go without harm?"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect
from sqlalchemy.engine import Inspector

from booking_server import schema
from booking_server.access.tables import rights_changes
from booking_server.actors import SYSTEM
from booking_server.audit import service as audit
from booking_server.db import Database, metadata
from tests.booking_server.hub import NOW
from tests.system.postgres import Cluster

TABLES = Path(schema.__file__).parent.glob("*/tables.py")
for found in TABLES:
    import_module(f"booking_server.{found.parent.name}.tables")


@pytest.fixture
def empty(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[Database]:
    """A second database on the same engine, with nothing in it."""
    if database.is_sqlite:
        made = Database(f"sqlite:///{tmp_path / 'empty.sqlite'}")
    else:
        postgres: Cluster = request.getfixturevalue("postgres")
        made = Database(postgres.url(postgres.create()))
    yield made
    made.close()


def test_the_migrations_make_the_tables_that_the_code_names(database: Database) -> None:
    """Alembic finds nothing to add, drop or change between the migrated database and the code's tables."""
    with database.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_every_constraint_is_the_same_too(database: Database, empty: Database) -> None:
    """Checks, defaults, partial indexes, foreign keys and their names: as if the code's tables had been created outright."""
    metadata.create_all(empty.engine)
    with database.read() as migrated, empty.read() as created:
        assert _shape(migrated) == _shape(created)


def test_a_database_is_current_only_when_all_is_there(empty: Database) -> None:
    """An empty one is not, one that lacks the last migration is not; after `upgrade` it is, however often that runs."""
    assert not schema.is_current(empty)
    for _ in range(2):
        schema.upgrade(empty)
        assert schema.is_current(empty)
    schema.downgrade(empty, "0002")
    assert not schema.is_current(empty)


def test_a_database_in_memory_can_be_upgraded() -> None:
    """The migrations use the connection they are given, so what they make in memory is there afterwards."""
    database = Database("sqlite://")
    schema.upgrade(database)
    assert schema.is_current(database)
    with database.read() as tx:
        assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    database.close()


def test_going_back_and_forth_keeps_what_is_stored(database: Database) -> None:
    """Down to the first tables and up again: guards go and come back, rows stay."""
    with database.write() as tx:
        audit.note(tx, SYSTEM, now=NOW, act="looked", subject="schema")
    guards = _guards(database)
    schema.downgrade(database, "0001")
    assert _guards(database) == set()
    schema.upgrade(database)
    assert _guards(database) == guards != set()
    with database.read() as tx:
        assert [row["act"] for row in audit.of_subject(tx, "schema")] == ["looked"]


def test_everything_can_be_taken_away(database: Database) -> None:
    """Down to the base leaves no table but the one that says so."""
    schema.downgrade(database, "base")
    with database.read() as tx:
        assert inspect(tx).get_table_names() == ["alembic_version"]


def test_a_move_that_fails_leaves_everything_as_it_was(database: Database) -> None:
    """A table already in the way of a later migration: the fault is raised, and no earlier step of that move stands."""
    schema.downgrade(database, "base")
    with database.write() as tx:
        tx.exec_driver_sql("create table audit (id integer)")
    with pytest.raises(Exception, match="audit"):
        schema.upgrade(database)
    with database.read() as tx:
        assert sorted(inspect(tx).get_table_names()) == ["alembic_version", "audit"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_rights_change_is_told_when_it_is_committed(postgres: Cluster, database: Database) -> None:
    """PostgreSQL: a listener on `hubkey` hears the table's name after the commit, and nothing of what was undone."""
    name = database.engine.url.database
    with psycopg.connect(host=str(postgres.socket_folder), user="postgres", dbname=name, autocommit=True) as listener:
        listener.execute("listen hubkey")
        with suppress(ZeroDivisionError), database.write() as tx:
            tx.execute(insert(rights_changes), {"at": NOW, "cause": "undone"})
            raise ZeroDivisionError
        assert list(listener.notifies(timeout=0.2)) == []
        with database.write() as tx:
            tx.execute(insert(rights_changes), [{"at": NOW, "cause": "one"}, {"at": NOW, "cause": "two"}])
        heard = next(listener.notifies(timeout=10))
    assert (heard.channel, heard.payload) == ("hubkey", "rights_changes")


def _guards(database: Database) -> set[str]:
    kept = "select name from sqlite_master where type = 'trigger'"
    known = "select tgname from pg_trigger where not tgisinternal"
    with database.read() as tx:
        return set(tx.exec_driver_sql(kept if database.is_sqlite else known).scalars())


def _shape(tx: Connection) -> Mapping[str, object]:
    found = inspect(tx)
    return {name: _table(found, name) for name in found.get_table_names() if name != "alembic_version"}


def _table(found: Inspector, name: str) -> Mapping[str, object]:
    columns = [{**column, "type": repr(column["type"])} for column in found.get_columns(name)]
    many = (found.get_foreign_keys, found.get_unique_constraints, found.get_check_constraints, found.get_indexes)
    return {
        "columns": columns,
        "key": found.get_pk_constraint(name),
        **{list_of.__name__: sorted(map(_plain, list_of(name))) for list_of in many},
    }


def _plain(found: object) -> str:
    if isinstance(found, Mapping):
        return "; ".join(f"{key}: {_plain(found[key])}" for key in sorted(found))
    return str(found)
