# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was typed into a form, read strictly, and what is wrong with it, told at the field.

A form keeps what was typed, so that a refused one is shown again as it was. Every reading method raises Invalid with a
sentence that says what to write; it never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time
from decimal import Decimal
from typing import Self

from flask import request
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from booking_server.errors import BookingServerError, Invalid
from booking_server.web import wording

Shown = str | int | bool | Iterable[str]
_FINNISH_DAY = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_DECIMAL = re.compile(r"[0-9]{1,9}(?:[.,][0-9]{1,4})?")
_TIME = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?")


def say(problem: BookingServerError) -> str:
    """Return the problem's sentence in the reader's language, with its values filled in."""
    return str(gettext(problem.message)).format(**{name: _said(value) for name, value in problem.values.items()})


def _said(value: object) -> object:
    """An instant is told in the zone that it came in: that of its site."""
    if isinstance(value, datetime):
        return wording.exact(value, str(value.tzinfo))
    return wording.day(value) if isinstance(value, date) else value


class Form:
    """One form: what stands in its fields, and the error at each."""

    def __init__(self, typed: MultiDict[str, str]) -> None:
        self._typed = typed
        self.errors: dict[str, str] = {}

    @classmethod
    def empty(cls, **first: Shown) -> Self:
        """Return a form as first shown. A tick is True, several ticked choices are a list of their values."""
        typed: MultiDict[str, str] = MultiDict()
        for name, value in first.items():
            typed.setlist(name, _as_list(value))
        return cls(typed)

    @classmethod
    def posted(cls) -> Self:
        """Return the form that this request sent."""
        return cls(MultiDict(request.form))

    def refuse(self, problem: Invalid, **fields: str) -> Self:
        """Put the problem at its field and return this form. `fields` maps the problem's names to this form's."""
        self.errors[fields.get(problem.field, problem.field)] = say(problem)
        return self

    def value(self, name: str) -> str:
        return self._typed.get(name, "")

    def values(self, name: str) -> list[str]:
        return self._typed.getlist(name)

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def text(self, name: str) -> str:
        """Return what was typed, without spaces around it."""
        return self.value(name).strip()

    def ticked(self, name: str) -> bool:
        return bool(self.values(name))

    def number(self, name: str) -> int:
        """Return a whole number. Raise Invalid."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Invalid(name, "Write a whole number, for instance 12.")
        return int(text)

    def choice(self, name: str) -> int:
        """Return the number of what was chosen from a list. Raise Invalid if nothing was."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise Invalid(name, "Choose one from the list.")
        return int(text)

    def day(self, name: str) -> date:
        """Return a day written as 24.12.2026 or 2026-12-24. Raise Invalid."""
        text = self.text(name)
        found = _FINNISH_DAY.fullmatch(text)
        try:
            return date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(text)
        except ValueError:
            raise Invalid(name, "Write the day as day.month.year, for instance 24.12.2026.") from None

    def day_or_none(self, name: str) -> date | None:
        return self.day(name) if self.text(name) else None

    def time(self, name: str) -> time:
        """Return a time of day written as 9:30, 9.30 or 9; 24:00 and nothing are midnight. Raise Invalid."""
        found = _TIME.fullmatch(self.text(name) or "0:00")
        hour, minute = (int(found[1]), int(found[2] or 0)) if found else (99, 0)
        if (hour, minute) == (24, 0):
            return time(0)
        if hour > 23 or minute > 59:
            raise Invalid(name, "Write the time as hours and minutes, for instance 9:30.")
        return time(hour, minute)

    def weekdays(self, name: str) -> int:
        """Return the ticked days of the week as bits, bit 0 for Monday. Raise Invalid for what is no day."""
        chosen = set(self.values(name))
        if not chosen <= set("0123456"):
            raise Invalid(name, "Choose days from the list.")
        return sum(1 << int(day) for day in chosen)

    def cents(self, name: str) -> int:
        """Return an amount of euros, "4,20" or "4.20", in cents. Raise Invalid."""
        cents = _scaled(self.text(name).removesuffix("€").strip(), 100)
        if cents is None:
            raise Invalid(name, "Write the amount in euros, for instance 4,20.")
        return cents

    def permille(self, name: str) -> int:
        """Return a percentage, "25,5", in tenths of a percent. Raise Invalid."""
        permille = _scaled(self.text(name).removesuffix("%").strip(), 10)
        if permille is None:
            raise Invalid(name, "Write the VAT as a percentage, for instance 25,5.")
        return permille


def show_day(day: date | None) -> str:
    """Return a day as a form's field shows it: 24.12.2026, or nothing."""
    return f"{day.day}.{day.month}.{day.year}" if day else ""


def show_time(at: time) -> str:
    """Return a time of day as a form's field shows it: 9:30."""
    return f"{at.hour}:{at.minute:02d}"


def _as_list(value: Shown) -> list[str]:
    if isinstance(value, bool):
        return ["1"] if value else []
    if isinstance(value, str | int):
        return [str(value)]
    return list(value)


def _scaled(text: str, scale: int) -> int | None:
    if not _DECIMAL.fullmatch(text):
        return None
    exact = Decimal(text.replace(",", ".")) * scale
    return int(exact) if exact == exact.to_integral_value() and exact < 10**9 else None
