# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a person get all that the hub holds about them, and nobody else's, and is it recorded?"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import JSON, Column, LargeBinary, Table, func, select

from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.db import UtcDateTime, metadata
from booking_server.errors import NotFound
from booking_server.personal import Who
from booking_server.privacy import exporting
from tests.booking_server.hub import BILLING, HOST
from tests.booking_server.privacy.conftest import NOW, ONE_ENGINE, Kept
from tests.booking_server.test_schema import TABLES

NAMES = {"by", "closed_by", "answered_by", "actor", "sign_in_name"}
"""Columns in which a sign-in name stands."""
assert TABLES is not None


def _may_name_somebody() -> Iterator[Column[object]]:
    """Yield each column that refers to a person, an account, a customer or a keytag, or is named as one that does."""
    for table in metadata.sorted_tables:
        for column in table.c:
            to = {key.target_fullname for key in column.foreign_keys}
            known = to & {"people.id", "accounts.id", "customers.id", "keytags.id"}
            told = column.name in NAMES or column.name.endswith(("person_id", "account_id", "customer_id", "keytag_id"))
            if known or told:
                yield column


COLUMNS = {f"{column.table.name}.{column.name}": column for column in _may_name_somebody()}


@pytest.fixture
def held(kept: Kept) -> dict[str, list[dict[str, object]]]:
    with kept.office.desk.database.write() as tx:
        for table in metadata.sorted_tables:
            mine = table.c.account_id == kept.actor.account_id if "account_id" in table.c else None
            if mine is not None and tx.execute(select(table).where(mine)).first() is None:
                values = {column.name: _anything(column) for column in table.c if not column.nullable}
                tx.execute(table.insert().values({**values, "account_id": kept.actor.account_id}))
        return exporting.export(tx, kept.actor, now=NOW, person_id=kept.aino)


def _anything(column: Column[object]) -> object:
    if isinstance(column.type, UtcDateTime):
        return NOW
    return [] if isinstance(column.type, JSON) else b"x" if isinstance(column.type, LargeBinary) else column.type.python_type(7)


def test_every_column_that_may_name_a_person_is_exported_or_left_out_for_a_reason(held: dict[str, list[object]]) -> None:
    """No table can be added that keeps something of a person and tells them nothing of it."""
    assert len(COLUMNS) > 20
    forgotten = [name for name, column in COLUMNS.items() if column.table.name not in held and name not in exporting.LEFT_OUT]
    assert forgotten == []
    assert [name for name, why in exporting.LEFT_OUT.items() if name not in COLUMNS or len(why) < 20] == []


def test_each_row_that_names_the_person_is_there(kept: Kept, held: dict[str, list[dict[str, object]]]) -> None:
    """By every such column as many rows as the database counts; and there is one in each table to be counted."""
    who = kept.who()
    for name in sorted(COLUMNS.keys() - exporting.LEFT_OUT.keys()):
        column, values = COLUMNS[name], _values(COLUMNS[name], who, [row["id"] for row in held["keytags"]])
        table: Table = column.table
        with kept.office.desk.database.read() as tx:
            counted = tx.execute(select(func.count()).select_from(table).where(column.in_(values))).scalar_one()
        assert len(held[table.name]) >= counted, name
        assert held[table.name] or table.name in EMPTY, f"{table.name} has nothing of Aino to compare"


EMPTY = {
    *("exposures", "lock_downs", "revocations", "message_choices", "erasures", "months"),
    *("external_ids", "roster_grants", "imports"),
}
"""Tables in which Aino left nothing."""


def _values(column: Column[object], who: Who, keytags: Sequence[object]) -> Sequence[object]:
    if column.name in NAMES:
        return who.sign_in_names
    to = {key.target_fullname for key in column.foreign_keys}
    named = {"accounts.id": who.account_ids, "customers.id": who.customer_ids, "keytags.id": keytags}
    return next((values for key, values in named.items() if key in to), (who.person_id,))


@ONE_ENGINE
def test_nothing_of_anybody_else_and_no_secret_is_there(kept: Kept, held: dict[str, list[object]]) -> None:
    """Ville is not named, nor his number; no password, token, sealed number or key."""
    said = json.dumps(held, ensure_ascii=False)
    for there in ("Aino Virtanen", "aino@example.org", "Aino's phone", "My daughter's party", "I married", "192.0.2.7"):
        assert there in said
    for secret in ("Ville", "ville@", "argon2", "number_sealed", "number_index", "password_hash"):
        assert secret not in said
    for row in held["taps"]:
        assert row["person_id"] == kept.aino  # type: ignore[index]


@ONE_ENGINE
def test_a_table_for_a_spreadsheet_says_the_same_and_starts_no_formula(held: dict[str, list[dict[str, object]]]) -> None:
    """The zip holds the JSON, the page and one table for each kind of row; a text like a formula is held back."""
    held["wishes"][0]["text"] = "=HYPERLINK(1)"
    with zipfile.ZipFile(io.BytesIO(exporting.packed(held, "<p>page</p>", now=NOW))) as file:
        names = set(file.namelist())
        assert json.loads(file.read("data.json")) == held
        assert file.read("data.html") == b"<p>page</p>"
        wishes = list(csv.DictReader(io.StringIO(file.read("tables/wishes.csv").decode("utf-8-sig"))))
    assert names == {"data.json", "data.html", *(f"tables/{table}.csv" for table, rows in held.items() if rows)}
    assert [row["text"] for row in wishes] == ["'=HYPERLINK(1)"]


@ONE_ENGINE
def test_who_may_take_it_and_that_they_did(kept: Kept) -> None:
    """The person and the desk of the whole hub; not another member, not billing, not a host of one site. Each is recorded."""
    database = kept.office.desk.database
    other = Actor.of("ville", Role.MEMBER, account_id=99, person_id=kept.office.ville)
    for actor, refusal in ((other, NotFound), (BILLING, NotAllowed), (Actor.of("one site", Role.HOST, site_id=1), NotAllowed)):
        with pytest.raises(refusal), database.write() as tx:
            exporting.export(tx, actor, now=NOW, person_id=kept.aino)
    for actor in (kept.actor, HOST):
        with database.write() as tx:
            exporting.export(tx, actor, now=NOW, person_id=kept.aino)
    with database.read() as tx:
        rows = audit.of_subject(tx, f"person:{kept.aino}")
    assert [row["actor"] for row in rows if row["act"] == "data_exported"] == [HOST.name, kept.actor.name]
