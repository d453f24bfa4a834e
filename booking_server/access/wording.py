# SPDX-License-Identifier: AGPL-3.0-or-later
"""A grant's days and hours in words, in the reader's language: "Mon to Fri, 8:00 to 16:00, until 31.5.2026"."""

from __future__ import annotations

from datetime import date, time
from typing import Protocol

from flask_babel import gettext, lazy_gettext

from booking_server import civil
from booking_server.access.service import Grant
from booking_server.web.forms import show_time
from booking_server.web.wording import day

DAYS = (
    lazy_gettext("Mon"), lazy_gettext("Tue"), lazy_gettext("Wed"), lazy_gettext("Thu"), lazy_gettext("Fri"),
    lazy_gettext("Sat"), lazy_gettext("Sun"),
)  # fmt: skip


class Weekly(Protocol):
    """Days of the week and hours of the day: a grant's, or a door's own."""

    @property
    def weekdays(self) -> int: ...
    @property
    def from_time(self) -> time: ...
    @property
    def until_time(self) -> time: ...


def hours_in_words(weekly: Weekly) -> str:
    """Return when it is, for a reader who never saw the form."""
    return ", ".join((_days(weekly.weekdays), _hours(weekly)))


def powers_in_words(grant: Grant) -> list[str]:
    """Return what a grant may beyond passing, each in a word or two."""
    words = {
        "standing": gettext("standing"),
        "passes_lock_down": gettext("passes a lock-down"),
        "may_disarm": gettext("disarms the alarm"),
        "starts_unlocking": gettext("starts unlocking hours"),
    }
    return [word for name, word in words.items() if getattr(grant, name)]


def span_in_words(grant: Grant, today: date) -> str:
    """Return from when until when the grant holds, as far as that is not plain: "from 1.5.2026 until 31.5.2026"."""
    parts = []
    if grant.from_day > today:
        parts.append(gettext("from %(day)s", day=day(grant.from_day)))
    if grant.until_day is not None:
        parts.append(gettext("until %(day)s", day=day(grant.until_day)))
    return " ".join(parts) or gettext("until withdrawn")


def is_over(grant: Grant, today: date) -> bool:
    return grant.until_day is not None and grant.until_day < today


def _days(weekdays: int) -> str:
    """Days in a row as "Mon to Fri", else one by one."""
    if weekdays == civil.ALL_DAYS:
        return gettext("every day")
    runs: list[list[int]] = []
    for number in range(7):
        if weekdays >> number & 1:
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
    return ", ".join(_run(run) for run in runs)


def _run(run: list[int]) -> str:
    if len(run) < 3:
        return ", ".join(str(DAYS[number]) for number in run)
    return gettext("%(first)s to %(last)s", first=DAYS[run[0]], last=DAYS[run[-1]])


def _hours(weekly: Weekly) -> str:
    if weekly.from_time == weekly.until_time:
        return gettext("at all hours")
    return gettext("%(first)s to %(last)s", first=show_time(weekly.from_time), last=show_time(weekly.until_time))
