# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does every command that reads or writes the database refuse one of a newer version, in one line that says what to do?"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from booking_server import schema
from booking_server.broker.settings import write_broker
from booking_server.cli import main
from booking_server.config import load
from booking_server.db import Database
from booking_server.keys import make_keys

COMMANDS = [
    ["database", "upgrade"],
    ["database", "downgrade", "0011"],
    ["account", "add", "aino@example.org", "--role", "host"],
    ["door-files", "front", "--to", "x"],
    ["door", "stolen", "front", "--reason", "gone"],
    ["keys"],
    ["keys", "rotate"],
    ["doors"],
    ["web"],
    ["mail"],
    ["forget"],
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hub that is complete but for its database, which a newer version has touched."""
    folder = tmp_path_factory.mktemp("hub")
    url = f"sqlite:///{folder / 'hub.sqlite'}"
    database = Database(url)
    schema.upgrade(database)
    with database.write() as tx:
        tx.exec_driver_sql("update alembic_version set version_num = '0999'")
    database.close()
    file = folder / "server.toml"
    file.write_text(f'database = "{url}"\nstate_folder = "{folder}"\n', encoding="utf-8")
    make_keys(folder)
    write_broker(load(file))
    return file


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_newer_database_is_refused_in_one_line(words: list[str], settings: Path) -> None:
    """It names both versions' tables and the two ways out, and the database is not touched."""
    said = CliRunner().invoke(main, ["--config", str(settings), *words], input="a long password\na long password\n")
    assert said.exit_code == 1
    lines = [line for line in said.output.splitlines() if line.startswith("Error")]
    assert len(lines) == 1
    assert "is of a newer version of the server (its tables are 0999, this version knows them up to" in lines[0]
    assert "install that version again, or restore a backup made by this one" in lines[0]
