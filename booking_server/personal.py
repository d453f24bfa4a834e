# SPDX-License-Identifier: AGPL-3.0-or-later
"""How each noun tells what it holds about one person: its rows as plain values, by the name of their table.

Each noun's `personal` module has `about(tx, who)`, and what it drops of a person or after its days. Secrets (keys, hashes of
passwords, sealed numbers) are never told, not even to the person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

Row = dict[str, Any]
Held = dict[str, list[Row]]
"""Rows by the table that they stand in: text, numbers, truth, and lists of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """A person, by all that rows may name them by: their number, who pays for them alone, their accounts, and sign-in names."""

    person_id: int
    customer_ids: tuple[int, ...] = ()
    account_ids: tuple[int, ...] = ()
    sign_in_names: tuple[str, ...] = ()


def told(tx: Connection, table: Table, *which: ColumnElement[bool], but: Collection[str] = ()) -> list[Row]:
    """Return the rows of a table that are meant, without the columns `but`, and without bytes."""
    wanted = [column for column in table.c if column.name not in but]
    found = tx.execute(select(*wanted).select_from(table).where(*which).order_by(*table.primary_key.columns))
    return [{name: plain(value) for name, value in row._mapping.items() if not isinstance(value, bytes)} for row in found]


def plain(value: Any) -> Any:
    """Return a value as JSON writes it."""
    return value.isoformat() if isinstance(value, datetime | date | time) else value
