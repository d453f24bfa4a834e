# SPDX-License-Identifier: AGPL-3.0-or-later
"""A booking's hours in words, in the reader's language: "14:00–16:00", "Tue 24 Nov 2026, 22:00 – Wed 25 Nov 2026, 2:00"."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_date
from flask_babel import get_locale, gettext

from booking_server.bookings.rules import Booking
from booking_server.bookings.week import Held
from booking_server.web.forms import show_time


def hours_of_day(held: Held) -> str:
    """Return when a booking holds its space on one day; it goes on beyond the day where nothing stands before or after "–"."""
    if held.start is None and held.end is None:
        return gettext("all day")
    return f"{show_time(held.start) if held.start else ''}–{show_time(held.end) if held.end else ''}"


def span_of(booking: Booking, zone: ZoneInfo) -> str:
    """Return from when until when a booking holds, the day once if it is one; midnight ends the day before it."""
    start, end = booking.start_at.astimezone(zone), booking.end_at.astimezone(zone)
    if (end - timedelta(microseconds=1)).date() == start.date():
        last = "24:00" if end.date() != start.date() else show_time(end.time())
        return f"{day_in_words(start.date())}, {show_time(start.time())}–{last}"
    return f"{day_in_words(start.date())}, {show_time(start.time())} – {day_in_words(end.date())}, {show_time(end.time())}"


def day_in_words(day: date) -> str:
    """Return a day with its weekday: "Tue 24 Nov 2026" or "ti 24.11.2026"."""
    return format_date(day, "ccc d.M.yyyy" if _finnish() else "ccc d MMM yyyy", locale=get_locale())


def weekday(day: date) -> str:
    return format_date(day, "ccc", locale=get_locale())


def short_day(day: date) -> str:
    """Return a day without its year: "24 Nov" or "24.11."."""
    return format_date(day, "d.M." if _finnish() else "d MMM", locale=get_locale())


def _finnish() -> bool:
    return str(get_locale()) == "fi"
