# SPDX-License-Identifier: AGPL-3.0-or-later
"""Wall-clock arithmetic, in one place: service days, VAT days, months, and weekly hours as UTC windows over summer time.

Instants come in aware and go out in UTC; days are calendar days of a site's zone. It never reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY_STARTS = time(5, 0)
ALL_DAYS = 0b1111111
"""Every day of the week, bit 0 for Monday."""
ONE_DAY = timedelta(days=1)
YEARS = range(1970, 2200)


def can_be_reckoned_with(at: datetime) -> bool:
    """True for an instant that somebody can have meant, and that no zone and no span can carry out of the calendar."""
    return at.year in YEARS


def utc(day: date, at: time, zone: ZoneInfo, *, later: bool = False) -> datetime:
    """Return the instant of a wall-clock time. One that comes twice is the first, or the second if `later`; one that
    summer time skips moves on by the skipped hour."""
    return datetime.combine(day, at, zone).replace(fold=int(later and _comes_twice(day, at, zone))).astimezone(UTC)


def _comes_twice(day: date, at: time, zone: ZoneInfo) -> bool:
    local = datetime.combine(day, at, zone)
    first, second = local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)
    return first < second


def vat_day(at: datetime, zone: ZoneInfo) -> date:
    """Return the calendar day of an instant."""
    return at.astimezone(zone).date()


def service_day(at: datetime, zone: ZoneInfo) -> date:
    """Return the day, 05:00 to 05:00, that an instant belongs to."""
    local = at.astimezone(zone)
    return local.date() if local.time() >= DAY_STARTS else local.date() - ONE_DAY


def days_of_month(month: str) -> tuple[date, date]:
    """Return the first service day of "2026-11" and the first of the month after. Raise ValueError."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


def month_of(day: date) -> str:
    return f"{day.year:04d}-{day.month:02d}"


def month_end(month: str, zone: ZoneInfo) -> datetime:
    """Return the instant at which the month's last service day is over."""
    return utc(days_of_month(month)[1], DAY_STARTS, zone)


def weekly_windows(
    *, from_day: date, until_day: date, weekdays: int, from_time: time, until_time: time, zone: ZoneInfo
) -> Iterator[tuple[datetime, datetime]]:
    """Return half-open windows, in order, for the days `from_day` to `until_day`, both belonging to it.

    `weekdays`: bit 0 is Monday, and means the day on which a window starts. Equal times are the whole day; an end before
    the start is on the next day.
    """
    day = from_day
    while day <= until_day:
        if weekdays >> day.weekday() & 1:
            last = day if until_time > from_time else day + ONE_DAY
            start, end = utc(day, from_time, zone), utc(last, until_time, zone, later=until_time != from_time)
            if start < end:
                yield start, end
        day += ONE_DAY
