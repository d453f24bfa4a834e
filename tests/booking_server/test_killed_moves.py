# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a move of the tables that is killed, or finds no room, leave the database as it was, never half?"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect

from booking_server import schema
from booking_server.audit.tables import audit
from booking_server.config import BadConfiguration
from booking_server.db import Database
from tests.booking_server.hub import NOW
from tests.door_agent.test_disk import _UNSHARE, needs_mount

SEED, FIRST, ROWS = 20261125, "0001", 20_000
_ON_SMALL_DISK = """
mount -t tmpfs -o size=$3k tmpfs "$1" && cp "$2" "$1"/hub.sqlite || exit 99
"$4" -c "from booking_server.cli import main; main()" --config "$5" database upgrade
code=$?
cp "$1"/hub.sqlite* "$6"/ || exit 98
exit $code
"""


def old(database: Database, rows: int = ROWS) -> tuple[str, list[str]]:
    """Take a database back to the first tables, full of rows, and return how it is then."""
    with database.write() as tx:
        row = {"at": NOW, "actor": "a", "act": "looked", "subject": "s", "detail": {}}
        columns = {name: row[name] for name in row if name in audit.c}
        tx.execute(insert(audit), [columns] * rows)
    schema.downgrade(database, FIRST)
    return state(database)


def state(database: Database) -> tuple[str, list[str]]:
    with database.read() as tx:
        found = inspect(tx)
        tables = found.get_table_names()
        columns = [f"{table}.{column['name']}" for table in tables for column in found.get_columns(table)]
    return schema.revision(database), sorted(columns)


def killed_at(database: Database, statement: int) -> bool:
    """Upgrade in a process of its own and kill it in its nth statement; False if it was done by then."""
    url = database.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.booking_server.upgrader", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as moving:
        assert moving.stdin is not None
        assert moving.stdout is not None
        for _ in range(statement):
            if moving.stdout.readline() != "next\n":
                return False
            moving.stdin.write("\n")
            moving.stdin.flush()
        moving.kill()
    return True


def check_killed(database: Database, times: int) -> None:
    before, chance = old(database), random.Random(SEED)  # noqa: S311
    database.close()
    for _ in range(times):
        assert killed_at(database, chance.randint(8, 90)), "it was done before"
        assert state(database) == before
        database.close()
    schema.upgrade(database)
    assert schema.is_current(database)
    with database.read() as tx:
        assert tx.exec_driver_sql("select count(*) from audit").scalar_one() == ROWS


def test_a_move_that_is_killed_leaves_the_old_tables(database: Database) -> None:
    """kill -9 between any two statements, with many rows: tables and rows are the old ones, and the next try succeeds."""
    check_killed(database, 2)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_same_forty_times(database: Database) -> None:
    """The full count."""
    check_killed(database, 40)


def test_a_database_of_a_newer_version_is_named_as_one(database: Database) -> None:
    """No command says "run upgrade", and an upgrade or downgrade touches nothing: the line says which versions met."""
    with database.write() as tx:
        tx.exec_driver_sql("update alembic_version set version_num = '0999'")
    for do in (schema.must_be_current, schema.upgrade, lambda one: schema.downgrade(one, FIRST)):
        with pytest.raises(BadConfiguration, match=r"is of a newer version of the server \(its tables are 0999"):
            do(database)
    assert not schema.is_current(database)
    assert schema.revision(database) == "0999"


@needs_mount
def test_a_full_disk_is_one_line_and_the_old_tables(tmp_path: Path) -> None:
    """On a disk that has no room for the move: the command says so in one line, and the file holds what it held."""
    file = tmp_path / "hub.sqlite"
    database = Database(f"sqlite:///{file}")
    schema.upgrade(database)
    before = old(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    database.close()
    disk = tmp_path / "disk"
    disk.mkdir()
    settings = tmp_path / "server.toml"
    settings.write_text(f'database = "sqlite:///{disk / "hub.sqlite"}"\nstate_folder = "{tmp_path}"\n', encoding="utf-8")
    size = file.stat().st_size // 1024 + 200
    kept = tmp_path / "kept"
    kept.mkdir()
    words = [str(disk), str(file), str(size), sys.executable, str(settings), str(kept)]
    done = subprocess.run([*_UNSHARE, "sh", "-c", _ON_SMALL_DISK, "sh", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip() == "Error: the database cannot be used: database or disk is full"
    left = Database(f"sqlite:///{kept / 'hub.sqlite'}")
    assert state(left) == before
    left.close()
