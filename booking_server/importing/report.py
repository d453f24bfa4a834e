# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every row's fate as a table: for the terminal, and as CSV for a spreadsheet, in which no cell can become a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator

from booking_server.errors import Invalid
from booking_server.importing.planning import Fate, FateKind, Plan

HEAD = ("row", "fate", "name", "column", "what")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Say = Callable[[Invalid], str]
"""How a refusal is said: in the reader's language, or as it is."""


def csv_of(made: Plan, say: Say) -> str:
    """Return the whole plan, one line for each thing that a row changes or for which it is refused; UTF-8 with its mark."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow(HEAD)
    for cells in rows_of(made, say):
        writer.writerow([safe(cell) for cell in cells])
    return "\ufeff" + text.getvalue()


def rows_of(made: Plan, say: Say) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield the lines: row, fate, name, column, what becomes of it or why it is refused."""
    for fate in made.fates:
        for column, what in _told(fate, say):
            yield str(fate.number), fate.kind.value, fate.name, column, what
    for one in made.endings:
        yield "", "ended", one.name, "access_ended", ""


def safe(cell: str) -> str:
    """Return a cell that a spreadsheet takes for text: an apostrophe before what it would take for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _told(fate: Fate, say: Say) -> Iterator[tuple[str, str]]:
    if fate.kind is FateKind.REFUSED:
        yield from ((one.field, say(one)) for one in fate.refusals)
    elif fate.changes:
        yield from ((one.what, f"{one.before} → {one.after}" if one.before else one.after) for one in fate.changes)
    else:
        yield "", ""
