# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of one person's bookings, and how those to come end with the membership."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update

from booking_server.actors import Actor
from booking_server.bookings import service as bookings
from booking_server.bookings.tables import bookings as table
from booking_server.personal import Held, Who, told


def about(tx: Connection, who: Who) -> Held:
    """Return all bookings, cancelled ones too."""
    return {"bookings": told(tx, table, table.c.person_id == who.person_id)}


def end(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> int:
    """Cancel what has not started; return how many bookings."""
    to_come = (table.c.person_id == person_id) & (table.c.start_at > now) & table.c.cancelled_at.is_(None)
    numbers = tx.execute(select(table.c.id).where(to_come)).scalars().all()
    for number in numbers:
        bookings.cancel_booking(tx, actor, now=now, booking_id=number)
    return len(numbers)


def drop_purposes(tx: Connection, person_id: int) -> int:
    """Drop what a person's bookings were for; return how many said it. Space and hours stay: they were paid."""
    said = (table.c.person_id == person_id) & (table.c.purpose != "")
    return int(tx.execute(update(table).where(said).values(purpose="")).rowcount)


def started(tx: Connection, person_id: int, *, now: datetime) -> list[tuple[int, datetime]]:
    """Return the space and end of each booking that has begun and was not cancelled."""
    begun = (table.c.person_id == person_id) & (table.c.start_at <= now) & table.c.cancelled_at.is_(None)
    return [(row.space_id, row.end_at) for row in tx.execute(select(table.c.space_id, table.c.end_at).where(begun))]
