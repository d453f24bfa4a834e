# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a file read as what it is, whoever wrote it, and refused with one sentence where it cannot be?"""

from __future__ import annotations

import pytest

from booking_server.errors import Invalid
from booking_server.importing.reading import Sheet, sheet_of

TEXT = "Nimi;Sähköposti;Mystery\nÅsa Lindström;asa@example.org;x\n"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_letters_are_read_however_they_were_written(codec: str) -> None:
    """Four ways to write ä and Å come to the same cells, and what was taken is told."""
    sheet = sheet_of(TEXT.encode(codec))
    assert [list(line.cells.values()) for line in sheet.lines] == [["Åsa Lindström", "asa@example.org"]]
    assert sheet.skipped == ("Mystery",)
    assert sheet.encoding


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    """Semicolon, comma and tab; a cell in quotation marks may hold any of them."""
    sheet: Sheet = sheet_of(f'name{delimiter}email\n"A; B, C"{delimiter}a@example.org\n'.encode())
    assert list(sheet.lines[0].cells.values()) == ["A; B, C", "a@example.org"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 a workbook", "workbook"),
        (b"colour,size\nred,4\n", "names no column"),
        (b"email,email\na@b.fi,c@d.fi\n", "twice"),
        (b'email\n"a@b.fi\n', "quotation mark"),
        (b"\x81\x8d\x8f\x90\x00\x00", "UTF-8"),
    ],
    ids=["empty", "workbook", "no column", "twice", "open quote", "no text"],
)
def test_what_cannot_be_read_is_one_sentence(content: bytes, says: str) -> None:
    """It says what is wrong and what to do."""
    with pytest.raises(Invalid, match=says):
        sheet_of(content)
