# SPDX-License-Identifier: AGPL-3.0-or-later
"""For how long an entry stays linked to a person: until the closing that counted it can be contested no longer.

Where use costs nothing nothing is contested: there the days count from the entry itself.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import Connection

from booking_server.billing import service as billing
from booking_server.bookings import personal as bookings
from booking_server.invoices import personal as invoices
from booking_server.ledger import forgetting
from booking_server.ledger import personal as ledger


def forget(tx: Connection, *, now: datetime, days: int, person_id: int | None = None) -> int:
    """Drop the links, of one person or of all, that nobody needs any more; return how many."""
    past = [one for one in invoices.closings(tx) if one.closed_at < now - timedelta(days=days)]
    return forgetting.forget_links(
        tx,
        counted_before=past[-1].before if past else date.min,
        newest_entry=past[-1].newest_entry if past else 0,
        unpriced_before=now.date() - timedelta(days=days),
        priced=billing.priced(tx),
        person_id=person_id,
    )


def until(tx: Connection, *, now: datetime, days: int, person_id: int) -> date | None:
    """Return the day on which the last of a person's links goes; None while one of a priced space was not counted."""
    if not_counted(tx, now=now, person_id=person_id):
        return None
    closed = max((one.closed_at for one in invoices.closings(tx)), default=now)
    last = ledger.last_day(tx, person_id) or now.date()
    return max(closed.date(), last) + timedelta(days=days)


def not_counted(tx: Connection, *, now: datetime, person_id: int) -> bool:
    """True while a person's use of a priced space waits for its month to close."""
    priced, closed = billing.priced(tx), max((one.before for one in invoices.closings(tx)), default=date.min)
    booked = [(space_id, end.date()) for space_id, end in bookings.started(tx, person_id, now=now) if end.date() >= closed]
    return any(priced(space_id, day) for space_id, day in [*ledger.not_settled(tx, person_id), *booked])
