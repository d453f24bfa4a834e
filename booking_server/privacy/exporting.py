# SPDX-License-Identifier: AGPL-3.0-or-later
"""All that the hub holds about one person, as one value and as one zip: JSON for machines, a page and tables for people.

A person gets their own, staff anybody's, and each time is recorded. What is left out, and why, stands in LEFT_OUT: a test holds
it against every column of the database that may name a person.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from booking_server.access import personal as access
from booking_server.accounts import personal as accounts
from booking_server.actors import Actor
from booking_server.audit import personal as audits
from booking_server.audit import service as audit
from booking_server.bookings import personal as bookings
from booking_server.doors import personal as doors
from booking_server.importing import personal as importing
from booking_server.invoices import personal as invoices
from booking_server.ledger import personal as ledger
from booking_server.messages import personal as messages
from booking_server.people import personal as people
from booking_server.personal import Held, Row, Who
from booking_server.privacy import asking, subjects
from booking_server.tags import personal as tags

PARTS = (
    people.about, accounts.about, tags.about, access.about, bookings.about, ledger.about, invoices.about, messages.about,
    asking.about, doors.about, importing.about,
)  # fmt: skip
"""What each noun holds about a person."""

LEFT_OUT = {
    "rights_changes.person_id": "says only that something changed for somebody; what changed is told where it stands",
    "door_tags.keytag_id": "how each door names a keytag: a hash under the door's own key",
    "taps.keytag_id": "told with the taps that name the person",
    "audit.actor": "told where the person acted or was acted on; who looked is named by it",
}
"""Columns that may name a person and are not looked through, each with the reason."""


def export(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> Held:
    """Return all that is held about a person, and record who took it. A person takes their own. Raise NotFound; NotAllowed."""
    subjects.check_own_or_desk(actor, person_id)
    held = everything(tx, subjects.who(tx, person_id))
    audit.note(tx, actor, now=now, act="data_exported", subject=f"person:{person_id}", rows=sum(map(len, held.values())))
    return held


def everything(tx: Connection, who: Who) -> Held:
    """Return the rows about a person, by table."""
    held: Held = {}
    for part in PARTS:
        held |= part(tx, who)
    return held | audits.about(tx, who, subjects.things_of(tx, who))


def packed(held: Held, page: str, *, now: datetime) -> bytes:
    """Return a zip of data.json, the page given as data.html, and one table (CSV, UTF-8) for each kind of row there is."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in _files(held, page):
            entry = zipfile.ZipInfo(name, now.timetuple()[:6])
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            file.writestr(entry, text)
    return made.getvalue()


def _files(held: Held, page: str) -> Iterator[tuple[str, str]]:
    yield "data.json", json.dumps(held, ensure_ascii=False, indent=1)
    yield "data.html", page
    for table, rows in held.items():
        if rows:
            yield f"tables/{table}.csv", "\ufeff" + _table(rows)


def _table(rows: Sequence[Row]) -> str:
    made = io.StringIO()
    writer = csv.DictWriter(made, list(rows[0]))
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return made.getvalue()


def _cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula is kept from it by an apostrophe."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
