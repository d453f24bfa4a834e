# SPDX-License-Identifier: AGPL-3.0-or-later
"""A week of bookings as a table: for each space and each day, which bookings hold it and from when to when. Pure.

Days are calendar days of each space's own zone; a booking over midnight stands on every day that it touches.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from booking_server import civil
from booking_server.bookings.rules import Booking

DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One booking on one day: `start` and `end` are wall-clock times of that day, None where it goes on beyond it."""

    booking: Booking
    start: time | None
    end: time | None

    @property
    def from_minute(self) -> int:
        return _minutes(self.start) if self.start else 0

    @property
    def until_minute(self) -> int:
        return _minutes(self.end) if self.end else DAY_MINUTES


def days_of_week(day: date) -> list[date]:
    """Return Monday to Sunday of the week in which `day` is."""
    monday = day - timedelta(days=day.weekday())
    return [monday + timedelta(days=number) for number in range(7)]


def days_with(bookings: Iterable[Booking], days: list[date], zone: ZoneInfo) -> list[list[Held]]:
    """Return for each of `days` the bookings of one space that hold it, by start."""
    ordered = sorted(bookings, key=lambda booking: (booking.start_at, booking.id))
    return [[held for booking in ordered if (held := _on_day(booking, day, zone))] for day in days]


def _on_day(booking: Booking, day: date, zone: ZoneInfo) -> Held | None:
    begins, ends = civil.utc(day, time(0), zone), civil.utc(day + civil.ONE_DAY, time(0), zone)
    if booking.start_at >= ends or booking.end_at <= begins:
        return None
    return Held(
        booking=booking,
        start=_wall(booking.start_at, zone) if booking.start_at > begins else None,
        end=_wall(booking.end_at, zone) if booking.end_at < ends else None,
    )


def _wall(at: datetime, zone: ZoneInfo) -> time:
    return at.astimezone(zone).time()


def _minutes(at: time) -> int:
    return at.hour * 60 + at.minute
