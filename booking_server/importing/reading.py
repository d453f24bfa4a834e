# SPDX-License-Identifier: AGPL-3.0-or-later
"""Bytes to rows: which encoding and delimiter a file has is found out and said, never asked, and nothing in it is ever run.

A file that cannot be read as a whole is refused as a whole, with one sentence that says what to do.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from booking_server.errors import Invalid
from booking_server.importing.rules import FILE_BYTES_MAX, ROWS_MAX, Column, column_of

DELIMITERS = (";", ",", "\t")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_NAMES = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252"}
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: its number as a spreadsheet counts (the head is 1), its filled cells, and how many cells too many it has."""

    number: int
    cells: dict[Column, str]
    surplus: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file as it was taken. `skipped` are the heads of columns that are not known; `digest` is the SHA-256 of its bytes."""

    digest: str
    encoding: str
    delimiter: str
    columns: tuple[Column, ...]
    skipped: tuple[str, ...]
    lines: tuple[Line, ...]


def sheet_of(content: bytes, *, most: int = FILE_BYTES_MAX) -> Sheet:
    """Return what a file of at most `most` bytes says. Raise Invalid at "file" with what to do about it."""
    if len(content) > most:
        raise Invalid("file", "The file is larger than {megabytes} MB. Split it.", megabytes=most // 2**20)
    encoding, text = _decoded(content)
    delimiter, rows = _split(text)
    head_number, head = next(((n, row) for n, row in enumerate(rows, 1) if any(row)), (0, []))
    if not head:
        raise Invalid("file", "The file is empty.")
    places, skipped = _places(head)
    lines = tuple(_lines(rows[head_number:], head_number + 1, places, len(head)))
    if len(lines) > ROWS_MAX:
        raise Invalid(
            "file", "The file has {rows} rows; at most {most} are taken at once. Split it.", rows=len(lines), most=ROWS_MAX
        )
    return Sheet(
        digest=hashlib.sha256(content).hexdigest(),
        encoding=encoding,
        delimiter=delimiter,
        columns=tuple(places),
        skipped=skipped,
        lines=lines,
    )


def _decoded(content: bytes) -> tuple[str, str]:
    if content.startswith(_WORKBOOKS):
        raise Invalid("file", "This is a workbook, not a table of text. Open it in the spreadsheet and save it as CSV.")
    for codec in _candidates(content):
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return _NAMES.get(codec, "UTF-16"), unicodedata.normalize("NFC", text).removeprefix("\ufeff")
    raise Invalid("file", "The file is no text in UTF-8, UTF-16 or Windows-1252. Save it as CSV in UTF-8.")


def _candidates(content: bytes) -> tuple[str, ...]:
    """A mark at the beginning decides. Without one UTF-16 shows by its zero bytes, and UTF-8 by being UTF-8."""
    for mark, codec in _BOMS:
        if content.startswith(mark):
            return (codec,)
    start = content[:1000]
    for codec, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[0::2])):
        if zeros.count(0) * 3 > len(zeros) > 0:
            return (codec,)
    return ("utf-8", "cp1252")


def _split(text: str) -> tuple[str, list[list[str]]]:
    """Return the delimiter by which the head names the most columns, and the rows by it."""
    told, _, rest = text.partition("\n")
    if told.strip().startswith("sep=") and len(told.strip()) == 5:
        return told.strip()[4], [[], *_rows(rest, told.strip()[4])]
    head = next((line for line in text.splitlines() if line.strip()), "")
    ranked = sorted(DELIMITERS, key=lambda one: (-_known(head, one), -head.count(one)))
    return ranked[0], _rows(text, ranked[0])


def _known(head: str, delimiter: str) -> int:
    return sum(column_of(cell) is not None for row in csv.reader([head], delimiter=delimiter) for cell in row)


def _rows(text: str, delimiter: str) -> list[list[str]]:
    found: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            found.append([cell.strip() for cell in row])
    except csv.Error:
        raise Invalid(
            "file", 'Row {row} cannot be read: a quotation mark (") is not closed, or stands in the middle of a cell.',
            row=len(found) + 1,
        ) from None  # fmt: skip
    return found


def _places(head: Sequence[str]) -> tuple[dict[Column, int], tuple[str, ...]]:
    places: dict[Column, int] = {}
    skipped: list[str] = []
    for number, name in enumerate(head):
        column = column_of(name)
        if column is None:
            skipped.append(name[:60])
        elif column in places:
            raise Invalid("file", "The column {column} is there twice. Keep one.", column=column.value)
        else:
            places[column] = number
    if not places.keys() & {Column.EMAIL, Column.EXTERNAL_ID}:
        raise Invalid(
            "file",
            "The first row names no column by which a person can be known: email or external id. It says: {head}.",
            head=", ".join(name[:30] for name in head[:12]),
        )
    return places, tuple(name for name in skipped if name)


def _lines(rows: Sequence[Sequence[str]], first: int, places: dict[Column, int], width: int) -> Iterator[Line]:
    for number, row in enumerate(rows, first):
        if any(row):
            cells = {column: row[place] for column, place in places.items() if place < len(row) and row[place]}
            yield Line(number=number, cells=cells, surplus=sum(bool(cell) for cell in row[width:]))
