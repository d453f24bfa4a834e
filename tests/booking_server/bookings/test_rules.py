# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which times may be booked, and what is said to stand in the way?"""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_server.bookings.rules import FURTHEST_AHEAD, LATE_START, LONGEST, Booking, check_times, first_full
from booking_server.errors import Invalid
from tests.booking_server.hub import NOW

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


def _booking(start: int, end: int) -> Booking:
    at = {"start_at": NOW + start * HOUR, "end_at": NOW + end * HOUR}
    return Booking(id=1, space_id=1, person_id=1, purpose="", booked_at=NOW, cancelled_at=None, **at)


@pytest.mark.parametrize(
    ("start", "length"),
    [
        (timedelta(0), INSTANT),
        (-LATE_START, HOUR),
        (timedelta(0), LONGEST),
        (FURTHEST_AHEAD, HOUR),
    ],
)
def test_the_outermost_times_may_be_booked(start: timedelta, length: timedelta) -> None:
    """Each limit itself is still allowed."""
    check_times(NOW + start, NOW + start + length, NOW)


@pytest.mark.parametrize(
    ("start", "length", "field"),
    [
        (timedelta(0), timedelta(0), "end"),
        (HOUR, -HOUR, "end"),
        (-LATE_START - INSTANT, HOUR, "start"),
        (timedelta(0), LONGEST + INSTANT, "end"),
        (FURTHEST_AHEAD + INSTANT, HOUR, "start"),
    ],
)
def test_a_time_beyond_a_limit_is_refused_at_its_field(start: timedelta, length: timedelta, field: str) -> None:
    """The smallest step beyond is refused, and the form shows it beside the right field."""
    with pytest.raises(Invalid) as refused:
        check_times(NOW + start, NOW + start + length, NOW)
    assert refused.value.field == field


def test_bookings_that_touch_are_never_together() -> None:
    """One ends at the instant the next starts: a space for two is nowhere full, a space for one from the first to the last."""
    day = [_booking(0, 1), _booking(1, 2), _booking(2, 3)]
    assert first_full(day, 2) is None
    assert first_full(day, 1) == (NOW, NOW + 3 * HOUR)


def test_the_first_full_stretch_is_named() -> None:
    """Of two full stretches the earlier, exactly where both bookings stand."""
    day = [_booking(0, 4), _booking(2, 6), _booking(8, 9), _booking(8, 9)]
    assert first_full(day, 2) == (NOW + 2 * HOUR, NOW + 4 * HOUR)


spans = st.tuples(st.integers(0, 12), st.integers(1, 5)).map(lambda pair: _booking(pair[0], pair[0] + pair[1]))


@given(st.lists(spans, max_size=8), st.integers(1, 4))
def test_it_agrees_with_counting_hour_by_hour(day: list[Booking], capacity: int) -> None:
    """Whatever the bookings: the stretch found is the first unbroken run of hours in which enough of them stand."""
    full = [sum(b.start_at <= NOW + n * HOUR < b.end_at for b in day) >= capacity for n in range(20)]
    expected = None
    if True in full:
        first = full.index(True)
        expected = (NOW + first * HOUR, NOW + full.index(False, first) * HOUR)
    assert first_full(day, capacity) == expected
