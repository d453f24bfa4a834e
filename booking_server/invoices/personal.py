# SPDX-License-Identifier: AGPL-3.0-or-later
"""What invoices keep of who pays, for how long the books need it, and what is dropped after.

An invoice stays as issued while the books need it. After that only its buyer and its papers go; number, lines and amounts
stay, so that the series has no hole and every sum can be counted again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update

from booking_server.invoices import rules, waiting
from booking_server.invoices.rules import Party
from booking_server.invoices.tables import invoice_documents, invoice_lines, invoices, months
from booking_server.personal import Held, Who, told

NOBODY: Party = {"name": "", "address": "", "business_id": "", "vat_id": "", "iban": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A closing at `closed_at`: it counted the entries up to `newest_entry` of service days before `before`."""

    before: date
    newest_entry: int
    closed_at: datetime


def books_until(issued_on: date, years: int) -> date:
    """Return the last day on which the books need an invoice: the end of the year, `years` after the one it was issued in."""
    return date(issued_on.year + years, 12, 31)


def about(tx: Connection, who: Who) -> Held:
    """Return the invoices to who pays, and months that somebody closed."""
    mine = select(invoices.c.id).where(invoices.c.customer_id.in_(who.customer_ids))
    return {
        "invoices": told(tx, invoices, invoices.c.customer_id.in_(who.customer_ids)),
        "invoice_lines": told(tx, invoice_lines, invoice_lines.c.invoice_id.in_(mine)),
        "months": told(tx, months, months.c.closed_by.in_(who.sign_in_names)),
    }


def issued(tx: Connection, customer_id: int) -> list[tuple[date, date]]:
    """Return for each invoice that still names this customer when it was issued and when it was due."""
    wanted = select(invoices.c.issued_on, invoices.c.due_on, invoices.c.content).where(invoices.c.customer_id == customer_id)
    return [(row.issued_on, row.due_on) for row in tx.execute(wanted) if row.content["buyer"]["name"]]


def closings(tx: Connection) -> list[Counted]:
    """Return what was closed, earliest first."""
    return [
        Counted(before=rules.first_day(rules.month_after(month)), newest_entry=one.newest_entry, closed_at=one.closed_at)
        for month, one in waiting.closings(tx).items()
    ]


def drop_buyers(tx: Connection, *, today: date, years: int) -> int:
    """Drop buyer and papers of each invoice that the books need no longer; return of how many. A company's name stays."""
    dropped = 0
    for number, content in _past(tx, today, years):
        tx.execute(update(invoices).where(invoices.c.id == number).values(content={**content, "buyer": NOBODY}))
        tx.execute(delete(invoice_documents).where(invoice_documents.c.invoice_id == number))
        dropped += 1
    return dropped


def _past(tx: Connection, today: date, years: int) -> Iterator[tuple[int, dict[str, Any]]]:
    before = date(today.year - years, 1, 1)
    found = select(invoices.c.id, invoices.c.content).where(invoices.c.issued_on < before).order_by(invoices.c.id)
    for row in tx.execute(found).all():
        buyer = row.content["buyer"]
        if buyer["name"] and not buyer["business_id"]:
            yield row.id, row.content
