# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a booking is and which times may be booked. Pure: whether the space is free is for the database alone to say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from booking_server.errors import Invalid

LATE_START = timedelta(minutes=15)
"""How long after the wanted start a booking may still be made: somebody stands at the door and books from now on."""

LONGEST = timedelta(days=31)
FURTHEST_AHEAD = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A space held for a person from `start_at` until just before `end_at`, unless cancelled."""

    id: int
    space_id: int
    person_id: int
    start_at: datetime
    end_at: datetime
    purpose: str
    booked_at: datetime
    cancelled_at: datetime | None


def check_times(start_at: datetime, end_at: datetime, now: datetime) -> None:
    """Return if a booking of these instants may be made at `now`. Raise Invalid at "start" or "end"."""
    if end_at <= start_at:
        raise Invalid("end", "The end must be after the start.")
    if start_at < now - LATE_START:
        raise Invalid("start", "This start has passed. Choose a time from now on.")
    if end_at - start_at > LONGEST:
        raise Invalid("end", "A booking lasts at most {days} days. For longer use, grant access instead.", days=LONGEST.days)
    if start_at > now + FURTHEST_AHEAD:
        raise Invalid("start", "A booking starts at most {days} days ahead. Check the year.", days=FURTHEST_AHEAD.days)


def first_full(bookings: Iterable[Booking], capacity: int) -> tuple[datetime, datetime] | None:
    """Return the first stretch in which `capacity` or more of these bookings stand together; None where there is none."""
    changes: Counter[datetime] = Counter()
    for booking in bookings:
        changes[booking.start_at] += 1
        changes[booking.end_at] -= 1
    full_from, together = None, 0
    for at in sorted(changes):
        together += changes[at]
        if together >= capacity and full_from is None:
            full_from = at
        if together < capacity and full_from is not None:
            return full_from, at
    return None
