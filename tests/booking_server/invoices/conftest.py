# SPDX-License-Identifier: AGPL-3.0-or-later
"""The office of `tests.booking_server.invoices.office`, on SQLite and on PostgreSQL."""

from pathlib import Path

import pytest

from booking_server.db import Database
from booking_server.keys import make_keys
from tests.booking_server.invoices.office import Office, TurnedByHand, make_office
from tests.system.desk import Desk


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    """A hub on the first working day of March, nothing used yet."""
    clock = TurnedByHand()
    return make_office(Desk(database, make_keys(tmp_path / "state"), clock), clock)
