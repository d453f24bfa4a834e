# SPDX-License-Identifier: AGPL-3.0-or-later
"""A grant's days and hours in words, in the reader's language: "Mon to Fri, 8:00 to 16:00, until 31.5.2026"."""

from __future__ import annotations

from datetime import date

from flask_babel import gettext, lazy_gettext

from booking_server.access.service import ALL_DAYS, Grant
from booking_server.web.forms import show_time
from booking_server.web.wording import day

DAYS = (
    lazy_gettext("Mon"), lazy_gettext("Tue"), lazy_gettext("Wed"), lazy_gettext("Thu"), lazy_gettext("Fri"),
    lazy_gettext("Sat"), lazy_gettext("Sun"),
)  # fmt: skip


def hours_in_words(grant: Grant) -> str:
    """Return when the grant opens, for a reader who never saw the form."""
    return ", ".join((_days(grant.weekdays), _hours(grant)))


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
    if weekdays == ALL_DAYS:
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


def _hours(grant: Grant) -> str:
    if grant.from_time == grant.until_time:
        return gettext("at all hours")
    return gettext("%(first)s to %(last)s", first=show_time(grant.from_time), last=show_time(grant.until_time))
