# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do days, months and weekly hours hold in the two nights in which the clock is set?"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from booking_server import civil

HELSINKI = ZoneInfo("Europe/Helsinki")


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 11, 24), 24)])
def test_a_whole_day_is_as_long_as_the_day_is(day: date, hours: int) -> None:
    """Equal times are the whole calendar day, 23 or 25 hours long when the clock is set."""
    ((start, end),) = civil.weekly_windows(
        from_day=day, until_day=day, weekdays=127, from_time=time(), until_time=time(), zone=HELSINKI
    )
    assert end - start == timedelta(hours=hours)


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_starts() -> None:
    """Saturday 22:00 to 06:00 in the night of the autumn change is nine hours, and none starts on Sunday."""
    saturday = date(2026, 10, 24)
    found = civil.weekly_windows(
        from_day=saturday,
        until_day=saturday + timedelta(days=1),
        weekdays=1 << 5,
        from_time=time(22),
        until_time=time(6),
        zone=HELSINKI,
    )
    assert list(found) == [(datetime(2026, 10, 24, 19, tzinfo=UTC), datetime(2026, 10, 25, 4, tzinfo=UTC))]


def test_the_small_hours_belong_to_the_day_and_month_before() -> None:
    """02:00 on 1 February is January's, while its VAT day is February's; at 05:00 the month is over."""
    night = datetime(2026, 2, 1, 0, 0, tzinfo=UTC)
    assert civil.month_of(civil.service_day(night, HELSINKI)) == "2026-01"
    assert civil.vat_day(night, HELSINKI) == date(2026, 2, 1)
    assert civil.month_end("2026-01", HELSINKI) == datetime(2026, 2, 1, 3, 0, tzinfo=UTC)
    assert civil.service_day(datetime(2026, 2, 1, 3, 0, tzinfo=UTC), HELSINKI) == date(2026, 2, 1)


def test_a_time_that_comes_twice_is_the_first_or_the_second_as_asked() -> None:
    """03:30 in the autumn night: a window starts at the first and ends at the second; the skipped hour moves on."""
    night = date(2026, 10, 25)
    assert civil.utc(night, time(3, 30), HELSINKI) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert civil.utc(night, time(3, 30), HELSINKI, later=True) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    skipped = civil.utc(date(2026, 3, 29), time(3, 30), HELSINKI, later=True)
    assert skipped == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
