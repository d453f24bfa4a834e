# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a copied database put back as it was, whatever came since, on SQLite and PostgreSQL?"""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from sqlalchemy import inspect

from booking_server import schema
from booking_server.actors import SYSTEM
from booking_server.audit import service as audit
from booking_server.config import Config
from booking_server.db import Database
from booking_server.updating.alone import data
from booking_server.updating.asking import address_of
from tests.booking_server.hub import NOW


def note(database: Database, act: str) -> None:
    with database.write() as tx:
        audit.note(tx, SYSTEM, now=NOW, act=act, subject="update")


def acts(database: Database) -> list[str]:
    with database.read() as tx:
        return [str(row["act"]) for row in audit.of_subject(tx, "update")]


def test_a_copy_put_back_is_the_database_as_it_was(database: Database, tmp_path: Path) -> None:
    """Rows and tables of since are gone, those of before are there, with every guard; twice is as good as once."""
    address = address_of(Config(database=database.engine.url.render_as_string(hide_password=False), state_folder="/x"))
    note(database, "before")
    with database.read() as tx:
        tables, revision = sorted(inspect(tx).get_table_names()), MigrationContext.configure(tx).get_current_revision()
    database.close()
    data.copy(address, tmp_path, [])
    assert data.is_whole(tmp_path)
    note(database, "since")
    with database.write() as tx:
        tx.exec_driver_sql("create table newer (id integer primary key)")
        tx.exec_driver_sql("update alembic_version set version_num = '0999'")
    for _ in range(2):
        database.close()
        data.put_back(address, tmp_path, [])
    assert acts(database) == ["before"]
    with database.read() as tx:
        assert sorted(inspect(tx).get_table_names()) == tables
        assert MigrationContext.configure(tx).get_current_revision() == revision
    assert schema.is_current(database)
    note(database, "afterwards")
    schema.downgrade(database, "0001")
    schema.upgrade(database)
    assert acts(database) == ["afterwards", "before"]


def test_a_folder_is_put_back_file_by_file(tmp_path: Path) -> None:
    """Changed and lost files are again what they were, mode and all; what came since is nobody's to delete."""
    folder = tmp_path / "etc"
    (folder / "secrets").mkdir(parents=True)
    (folder / "server.toml").write_text("old")
    (folder / "secrets" / "mail").write_text("word")
    (folder / "secrets" / "mail").chmod(0o640)
    data.copy_folder(folder, tmp_path / "kept")
    (folder / "server.toml").write_text("new")
    (folder / "secrets" / "mail").unlink()
    (folder / "since").write_text("mine")
    data.put_folder_back(folder, tmp_path / "kept")
    assert (folder / "server.toml").read_text() == "old"
    assert (folder / "secrets" / "mail").read_text() == "word"
    assert (folder / "secrets" / "mail").stat().st_mode & 0o777 == 0o640
    assert (folder / "since").read_text() == "mine"
