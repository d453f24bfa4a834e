# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a form read what people write, and refuse what it would have to guess?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_server.errors import Invalid
from booking_server.web.forms import Form, show_day, show_time

Read = Callable[[Form, str], object]


@pytest.mark.parametrize(
    ("read", "typed", "meant"),
    [
        (Form.day, "24.12.2026", date(2026, 12, 24)),
        (Form.day, " 1. 2. 2026 ", date(2026, 2, 1)),
        (Form.day, "2026-02-01", date(2026, 2, 1)),
        (Form.day_or_none, "", None),
        (Form.time, "9:30", time(9, 30)),
        (Form.time, "9.30", time(9, 30)),
        (Form.time, "9", time(9)),
        (Form.time, "", time(0)),
        (Form.time, "24:00", time(0)),
        (Form.cents, "4,20", 420),
        (Form.cents, "4.2", 420),
        (Form.cents, "12 €", 1200),
        (Form.permille, "25,5", 255),
        (Form.permille, "14 %", 140),
        (Form.permille, "0", 0),
        (Form.number, " 12 ", 12),
        (Form.choice, "7", 7),
    ],
)
def test_what_people_write_is_read(read: Read, typed: str, meant: object) -> None:
    """Finnish and ISO days, times with a dot or a colon, amounts with a comma or a point."""
    assert read(Form.empty(field=typed), "field") == meant


@pytest.mark.parametrize(
    ("read", "typed"),
    [
        (Form.day, "31.2.2026"), (Form.day, "12/24/2026"), (Form.day, "tomorrow"), (Form.day, ""), (Form.day, "1.1.26"),
        (Form.time, "25:00"), (Form.time, "9:60"), (Form.time, "24:01"), (Form.time, "-1"), (Form.time, "9:3"),
        (Form.cents, "4,205"), (Form.cents, "-1"), (Form.cents, "NaN"), (Form.cents, "1e3"), (Form.cents, ""),
        (Form.permille, "25,55"), (Form.permille, "Infinity"), (Form.permille, "many"),
        (Form.number, "1.5"), (Form.number, "-1"), (Form.number, "²"), (Form.number, "9" * 40), (Form.number, ""),
        (Form.choice, ""), (Form.choice, "1;2"),
    ],
)  # fmt: skip
def test_what_would_be_guessed_is_refused_at_the_field(read: Read, typed: str) -> None:
    """A day that is none, half a cent, no number: Invalid names the field and says what to write."""
    with pytest.raises(Invalid) as refused:
        read(Form.empty(field=typed), "field")
    assert refused.value.field == "field"
    assert refused.value.message.endswith(".")


@given(st.text(max_size=30))
def test_nothing_typed_is_a_fault(typed: str) -> None:
    """Whatever is typed is either read or refused."""
    for read in (Form.day, Form.time, Form.cents, Form.permille, Form.number, Form.choice):
        try:
            read(Form.empty(field=typed), "field")
        except Invalid:
            continue


@given(st.dates(min_value=date(1000, 1, 1)), st.times())
def test_what_a_field_shows_is_what_it_reads(day: date, at: time) -> None:
    """A day or minute shown in a field and sent back is the same."""
    at = at.replace(second=0, microsecond=0)
    assert Form.empty(field=show_day(day)).day("field") == day
    assert Form.empty(field=show_time(at)).time("field") == at
