# SPDX-License-Identifier: AGPL-3.0-or-later
"""Lets a hub that was put back go on where doors and people are already, which is further than its backup.

Doors refuse what is older than what they hold: numbers of rights changes, lock-downs and keys go on beyond any that a door can
have. What they did is not known here, so the numbers follow the clock, not a guess.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection

from booking_server import rotating
from booking_server.access import changes
from booking_server.accounts import sessions
from booking_server.actors import COMMAND_LINE
from booking_server.backups import service as backups
from booking_server.db import Database
from booking_server.doors import lock_down

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
SLACK = 100_000


def beyond(newest: int, now: datetime) -> int:
    """Return a number that no door holds: a number for each second since 2020, or well after the newest that is known.

    A hub makes far less than one change a second, so it never catches up with the clock; nor does what it did since a backup
    catch up with a second restore. 32 bits last until 2088.
    """
    return max(newest + SLACK, int((now - BEGINS).total_seconds()))


def past_doors(database: Database, *, now: datetime, at_least: int = 0) -> None:
    """Number what follows beyond what doors hold, and no more: for a copy so young that nothing else was lost."""
    with database.write() as tx:
        _number_on(tx, now=now, at_least=at_least)


def go_on(
    database: Database, state_folder: Path, *, now: datetime, backup_at: datetime, version: str, at_least: int = 0
) -> None:
    """Do so for a database and a state folder that nothing uses yet; `at_least` is the newest change known from elsewhere."""
    with database.write() as tx:
        _number_on(tx, now=now, at_least=at_least)
        sessions.end_everywhere(tx)
        backups.note_restore(tx, COMMAND_LINE, now=now, backup_at=backup_at, version=version)
    rotating.count_on(state_folder, now=now)


def _number_on(tx: Connection, *, now: datetime, at_least: int) -> None:
    number = beyond(max(changes.latest_change(tx), at_least), now)
    changes.go_on_after(tx, now=now, number=number)
    lock_down.go_on_after(tx, number)
