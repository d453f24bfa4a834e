# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub that is backed up and put back, on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest

from tests.booking_server.backups.hub_here import HubHere, hub_here


@pytest.fixture
def here(tmp_path: Path, database_url: str) -> HubHere:
    return hub_here(tmp_path, database_url)


@pytest.fixture
def small(tmp_path: Path, sqlite_template: Path) -> HubHere:
    """The same on SQLite alone, for what does not depend on the database."""
    file = tmp_path / "hub.sqlite"
    file.write_bytes(sqlite_template.read_bytes())
    return hub_here(tmp_path, f"sqlite:///{file}")
