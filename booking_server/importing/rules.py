# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a file of people may say: its columns by their names in three languages, and how much of it is taken. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from enum import StrEnum

UPLOAD_BYTES_MAX = 2 * 1024 * 1024
"""What the page takes."""
FILE_BYTES_MAX = 8 * 1024 * 1024
"""What a command takes: as many rows in UTF-16."""
ROWS_MAX = 20_000
CELL_LENGTH = 1_000


class Column(StrEnum):
    """What may stand in a column."""

    NAME = "name"
    EMAIL = "email"
    LANGUAGE = "language"
    ADDRESS = "address"
    CUSTOMER = "customer"
    BUSINESS_ID = "business_id"
    KEYTAG = "keytag"
    FROM = "from"
    UNTIL = "until"
    ACCESS = "access"
    EXTERNAL_ID = "external_id"


HEADERS: Mapping[Column, tuple[str, ...]] = {
    Column.NAME: ("name", "nimi", "namn", "full name"),
    Column.EMAIL: ("email", "e-mail", "sähköposti", "sähköpostiosoite", "e-post", "epost"),
    Column.LANGUAGE: ("language", "kieli", "språk"),
    Column.ADDRESS: ("address", "osoite", "laskutusosoite", "adress", "faktureringsadress"),
    Column.CUSTOMER: ("customer", "asiakas", "maksaja", "yritys", "kund", "betalare", "företag", "company"),
    Column.BUSINESS_ID: ("business id", "y-tunnus", "ytunnus", "fo-nummer", "fo nummer"),
    Column.KEYTAG: (
        "keytag",
        "keytags",
        "tag",
        "avainlätkä",
        "avainlätkät",
        "lätkä",
        "tunniste",
        "bricka",
        "nyckelbricka",
        "uid",
    ),
    Column.FROM: ("from", "alkaen", "alkaa", "från", "from day"),
    Column.UNTIL: ("until", "asti", "päättyy", "till", "until day"),
    Column.ACCESS: ("access", "space", "site", "group", "kulkuoikeus", "tila", "ryhmä", "tillträde", "utrymme", "grupp"),
    Column.EXTERNAL_ID: ("external id", "tunnus", "ulkoinen tunnus", "externt id", "student number", "opiskelijanumero"),
}
"""What stands at a column's head; case, spaces, "-" and "_" do not matter."""

LANGUAGES = {
    **dict.fromkeys(("fi", "fi-fi", "suomi", "finnish", "finska"), "fi"),
    **dict.fromkeys(("sv", "sv-fi", "sv-se", "ruotsi", "svenska", "swedish"), "sv"),
    **dict.fromkeys(("en", "en-gb", "en-us", "englanti", "engelska", "english"), "en"),
}


def column_of(header: str) -> Column | None:
    """Return which column this is the head of; None for one that is not known."""
    return _COLUMNS.get(_plain(header))


def _plain(header: str) -> str:
    text = unicodedata.normalize("NFC", header).casefold()
    return "".join(sign for sign in text if sign not in " \t\u00a0-_*:.")


_COLUMNS = {_plain(name): column for column, names in HEADERS.items() for name in (*names, column.value)}
