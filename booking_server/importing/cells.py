# SPDX-License-Identifier: AGPL-3.0-or-later
"""One row's cells to what is wanted for one person. All that is wrong with a row is told at once, each at its column.

No sentence repeats a keytag's number or says who somebody is: it goes into reports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date

from access_contract.vocabulary import InvalidTagNumber, TagNumber
from booking_server.errors import Invalid
from booking_server.importing.reading import Line
from booking_server.importing.rules import CELL_LENGTH, LANGUAGES, Column

_FINNISH_DAY = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.\s?(\d{4})")
_TIDY = re.compile(r"[;,|/]")
EXTERNAL_ID_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a row says of a person; "" and empty where it says nothing. `text` holds name, e-mail and the like by column."""

    number: int
    text: Mapping[Column, str]
    external_id: str
    keytags: tuple[TagNumber, ...]
    from_day: date | None
    until_day: date | None
    area_ids: tuple[int, ...]


@dataclass(slots=True)
class Row:
    """A row being read: its line, and what is wrong with it so far."""

    line: Line
    wrong: list[Invalid] = field(default_factory=list)

    def get(self, column: Column) -> str:
        return self.line.cells.get(column, "")

    def ask(self, of: Callable[[], None]) -> None:
        """Do `of`, and keep what it refuses."""
        try:
            of()
        except Invalid as problem:
            self.wrong.append(problem)


AreasNamed = Mapping[str, tuple[int, ...]]
"""The areas that each name, in lower case, may mean."""
_TEXT = (Column.NAME, Column.EMAIL, Column.LANGUAGE, Column.ADDRESS, Column.CUSTOMER, Column.BUSINESS_ID)


def wanted(line: Line, areas: AreasNamed, *, access: str = "") -> tuple[Wanted, tuple[Invalid, ...]]:
    """Return what a row wants, and what is wrong with it. `access` stands for an empty cell of that column."""
    row = Row(line)
    row.ask(lambda: _check_whole(line))
    text = {column: row.get(column) for column in _TEXT if row.get(column)}
    if Column.LANGUAGE in text:
        row.ask(lambda: text.update({Column.LANGUAGE: _language(text[Column.LANGUAGE])}))
    external = row.get(Column.EXTERNAL_ID)
    if len(external) > EXTERNAL_ID_LENGTH:
        row.wrong.append(Invalid("external_id", "It is longer than {length} characters.", length=EXTERNAL_ID_LENGTH))
    days = {column: _day(row, column) for column in (Column.FROM, Column.UNTIL)}
    first, last = days[Column.FROM], days[Column.UNTIL]
    if first and last and last < first:
        row.wrong.append(Invalid("until", "The last day is before the first."))
    found = Wanted(
        number=line.number,
        text=text,
        external_id=external,
        keytags=_keytags(row),
        from_day=first,
        until_day=last,
        area_ids=_areas(row, row.get(Column.ACCESS) or access, areas),
    )
    return found, tuple(row.wrong)


def _check_whole(line: Line) -> None:
    if line.surplus:
        raise Invalid(
            "row",
            "The row has more cells than the first row has columns. Put a text that holds the delimiter in quotation marks.",
        )
    for column, cell in line.cells.items():
        if len(cell) > CELL_LENGTH:
            raise Invalid(column, "The cell is longer than {length} characters.", length=CELL_LENGTH)
        if not cell.replace("\n", "").replace("\r", "").replace("\t", "").isprintable():
            raise Invalid(column, "The cell holds a character that cannot be shown. Write it anew.")


def _language(text: str) -> str:
    found = LANGUAGES.get(text.casefold())
    if found is None:
        raise Invalid("language", "{value} is no language that is known. Write fi, sv or en.", value=repr(text[:20]))
    return found


def _day(row: Row, column: Column) -> date | None:
    text = row.get(column)
    if not text:
        return None
    found = _FINNISH_DAY.fullmatch(text)
    try:
        return date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(text)
    except ValueError:
        row.wrong.append(
            Invalid(column.value, "{value} is no day. Write it as 24.12.2026 or 2026-12-24.", value=repr(text[:20]))
        )
    return None


def _keytags(row: Row) -> tuple[TagNumber, ...]:
    found: list[TagNumber] = []
    for text in filter(None, (part.strip() for part in _TIDY.split(row.get(Column.KEYTAG)))):
        try:
            number = TagNumber.parse(text)
        except InvalidTagNumber:
            row.wrong.append(
                Invalid(
                    "keytag",
                    "This is no keytag number: 8, 14 or 20 digits of 0-9 and A-F, the whole UID, several with ; between."
                    " Format the column as text: a spreadsheet drops leading zeros.",
                )
            )
            continue
        if number not in found:
            found.append(number)
    return tuple(found)


def _areas(row: Row, text: str, areas: AreasNamed) -> tuple[int, ...]:
    found: list[int] = []
    for name in filter(None, (part.strip() for part in text.split(";"))):
        meant = areas.get(" ".join(name.split()).casefold(), ())
        if len(meant) == 1:
            found.append(meant[0])
        elif meant:
            row.wrong.append(
                Invalid(
                    "access",
                    "{count} places are called {name}. Write the site before it, as in Omnia/Studio.",
                    count=len(meant),
                    name=repr(name[:60]),
                )
            )
        else:
            row.wrong.append(
                Invalid("access", "There is no site or space called {name}. Look at Spaces for its name.", name=repr(name[:60]))
            )
    return tuple(dict.fromkeys(found))
