# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is it known before anything is touched what an update is about, and whether it can be done?"""

from __future__ import annotations

from pathlib import Path

import pytest

from booking_server import schema
from booking_server.config import BadConfiguration, Config
from booking_server.db import Database
from booking_server.updating import asking
from booking_server.updating.asking import NotUpdated


def config_of(database: Database) -> Config:
    return Config(database=database.engine.url.render_as_string(hide_password=False), state_folder="/x")


def test_the_database_is_looked_at_where_it_is(database: Database) -> None:
    """Its revision and its bytes, on both; one that is not of this version ends the update before it begins."""
    revision, size = asking.look_at_database(config_of(database))
    assert revision == schema.revision(database)
    assert 100_000 < size < 100_000_000
    schema.downgrade(database, "0001")
    with pytest.raises(BadConfiguration, match="booking-server database upgrade"):
        asking.look_at_database(config_of(database))


def test_an_update_without_room_is_not_begun(tmp_path: Path) -> None:
    """The line says where, how much is free and how much is needed."""
    asking.must_have_room(1000, tmp_path)
    with pytest.raises(NotUpdated, match=rf"{tmp_path}: \d+ MB are free, and the update needs \d+ MB"):
        asking.must_have_room(10**15, tmp_path)


def test_a_file_that_is_no_package_of_the_server_s_is_named(tmp_path: Path) -> None:
    """A missing file and a file of another kind: one line each."""
    with pytest.raises(NotUpdated, match="there is no such package"):
        asking.package_file(tmp_path / "none.deb", tmp_path)
    (tmp_path / "some.deb").write_bytes(b"no package")
    with pytest.raises(NotUpdated, match="dpkg-deb: "):
        asking.version_of(tmp_path / "some.deb")


def test_a_password_is_no_part_of_the_address(tmp_path: Path) -> None:
    """libpq's programs get it apart, so that no list of processes shows it."""
    config = Config(database="postgresql+psycopg://hub:secret@db.example.org/hub", state_folder="/x")
    assert asking.address_of(config) == {"uri": "postgresql://hub@db.example.org/hub", "password": "secret"}
    config = Config(database=f"sqlite:///{tmp_path / 'hub.sqlite'}", state_folder="/x")
    assert asking.address_of(config) == {"file": str(tmp_path / "hub.sqlite")}
