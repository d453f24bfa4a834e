# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings messages.po up to the words in the source, says which are not translated yet, and writes messages.mo.

It never drops a translation that the source still uses, and never guesses one.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

FOLDER = Path(__file__).parent
SOURCE = FOLDER.parents[1]
_UNDATED = datetime(2026, 1, 1, tzinfo=UTC)
"""The files say no date of their own, so that they change only when words do."""
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
OPTIONS = {"**/templates/**.html": {"encoding": "utf-8", "trimmed": "true"}}
KEYWORDS = {
    "_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2), "_counted": (1, 2), "pgettext": ((1, "c"), 2),
    "Invalid": (2,), "NotFound": (1,), "BookingServerError": (1,), "SignInRefused": (1,), "Refused": (1,), "__init__": (1,),
}  # fmt: skip


def extracted() -> Catalog:
    """Return every string of the source that a page may show."""
    catalog = Catalog(project="hubkey", charset="utf-8")
    for file, line, words, comments, context in extract_from_dir(SOURCE, METHODS, OPTIONS, KEYWORDS):
        if not file.startswith("migrations/"):
            catalog.add(words, None, [(file, line)], auto_comments=comments, context=context)
    return catalog


def stored(language: str) -> Catalog:
    with (FOLDER / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def missing(catalog: Catalog) -> list[str]:
    """Return the strings without a translation."""
    return [str(entry.id) for entry in catalog if entry.id and not _is_whole(entry.string)]


def _is_whole(translated: object) -> bool:
    return all(translated) if isinstance(translated, list | tuple) else bool(translated)


def update(language: str) -> Catalog:
    """Write messages.po and messages.mo of a language anew."""
    folder, catalog = FOLDER / language / "LC_MESSAGES", stored(language)
    catalog.update(extracted(), no_fuzzy_matching=True)
    catalog.obsolete.clear()
    catalog.creation_date = catalog.revision_date = _UNDATED
    catalog.last_translator, catalog.language_team, catalog.msgid_bugs_address = "", "", ""
    with (folder / "messages.po").open("wb") as file:
        write_po(file, catalog, width=120, sort_output=True, no_location=True)
    with (folder / "messages.mo").open("wb") as file:
        write_mo(file, catalog)
    return catalog


def main() -> int:
    left = missing(update("fi"))
    for words in left:
        sys.stdout.write(f"not translated: {words}\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
