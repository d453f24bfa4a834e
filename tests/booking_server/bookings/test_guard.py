# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 6, below the services: does the database itself refuse, whoever writes to it and however?"""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, insert, text, update
from sqlalchemy.exc import DBAPIError

from booking_server.bookings.tables import bookings
from tests.booking_server.hub import NOW, Hub

HOUR = timedelta(hours=1)


def _insert(tx: Connection, hub: Hub, start: float, end: float, *, cancelled: bool = False) -> int:
    row = {
        "space_id": hub.room,
        "person_id": hub.aino,
        "start_at": NOW + start * HOUR,
        "end_at": NOW + end * HOUR,
        "purpose": "",
        "booked_at": NOW,
        "cancelled_at": NOW if cancelled else None,
    }
    return int(tx.execute(insert(bookings).values(row).returning(bookings.c.id)).scalar_one())


def test_a_row_that_overlaps_cannot_be_written(hub: Hub) -> None:
    """Not one by one, and not two in one statement."""
    with hub.desk.database.write() as tx:
        _insert(tx, hub, 1, 2)
    with pytest.raises(DBAPIError, match="space_taken"), hub.desk.database.write() as tx:
        _insert(tx, hub, 1.5, 3)
    doubled = (
        "insert into bookings (space_id, person_id, start_at, end_at, purpose, booked_at) "
        "select b.space_id, b.person_id, b.end_at, '2026-11-25 00:00:00', '', b.booked_at from bookings b, "
        "(select 1 as n union select 2) as twice"
    )
    with pytest.raises(DBAPIError, match="space_taken"), hub.desk.database.write() as tx:
        tx.execute(text(doubled))


def test_a_row_cannot_be_moved_or_brought_back_onto_another(hub: Hub) -> None:
    """Changing the hours, the space or the cancelling of a stored booking meets the same guard."""
    other = hub.desk.space(hub.site, "Other", "office", bookable=True)
    with hub.desk.database.write() as tx:
        _insert(tx, hub, 1, 2)
        moved, back = _insert(tx, hub, 2, 3), _insert(tx, hub, 1, 2, cancelled=True)
        elsewhere = _insert(tx, hub, 1, 2, cancelled=True)
        tx.execute(update(bookings).where(bookings.c.id == elsewhere).values(space_id=other, cancelled_at=None))
    for row, values in (
        (moved, {"start_at": NOW + 1.5 * HOUR}),
        (back, {"cancelled_at": None}),
        (elsewhere, {"space_id": hub.room}),
    ):
        with pytest.raises(DBAPIError, match="space_taken"), hub.desk.database.write() as tx:
            tx.execute(update(bookings).where(bookings.c.id == row).values(values))


def test_a_booking_ends_after_it_starts(hub: Hub) -> None:
    """The table takes no empty and no backward stretch, in which the guard would see nothing."""
    for end in (1, 0.5):
        with pytest.raises(DBAPIError, match="ck_bookings_length"), hub.desk.database.write() as tx:
            _insert(tx, hub, 1, end)


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_frozen_snapshot_is_refused_instead_of_guessed_from(hub: Hub) -> None:
    """PostgreSQL: a repeatable-read transaction could not see what others just booked, so it may not book at all."""
    with hub.desk.database.read() as tx, pytest.raises(DBAPIError, match="read committed"):
        _insert(tx, hub, 1, 2)
