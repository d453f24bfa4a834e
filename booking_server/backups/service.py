# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a restore leaves to be known: when it was, of which backup, and which number the next invoice gets.

Invoices issued after the backup are at the customers and not here. Until somebody says where their numbers ended no month is
closed: one number on two invoices could not be taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.backups.tables import restores
from booking_server.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """This database was put back at `restored_at` as it was at `backup_at`; `next_invoice` is None until it was said."""

    restored_at: datetime
    backup_at: datetime
    version: str
    next_invoice: int | None


def note_restore(tx: Connection, actor: Actor, *, now: datetime, backup_at: datetime, version: str) -> None:
    """Write down that this database was put back. Raise NotAllowed."""
    actor.must_be_everywhere(Role.ADMINISTRATOR)
    tx.execute(insert(restores).values(restored_at=now, backup_at=backup_at, version=version))
    audit.note(tx, actor, now=now, act="restored", subject="hub", backup_at=backup_at.isoformat(), version=version)


def last_restore(tx: Connection) -> Restore | None:
    """Return the last restore of this database; None if it was never put back."""
    row = tx.execute(select(restores).order_by(restores.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _restore(row)


def say_next_invoice(tx: Connection, actor: Actor, *, now: datetime, number: int, last_known: int) -> None:
    """Say which number the next invoice gets, `last_known` being the last one that is here. Raise Invalid; NotAllowed."""
    actor.must_be_everywhere(Role.ADMINISTRATOR, Role.BILLING)
    if last_restore(tx) is None:
        raise Invalid("number", "This hub was never put back from a backup: its invoices are numbered by themselves.")
    if number <= last_known:
        raise Invalid(
            "number", "Invoice {last} is here already. The next number is {next} or more.", last=last_known, next=last_known + 1
        )
    newest = select(func.max(restores.c.id)).scalar_subquery()
    tx.execute(update(restores).where(restores.c.id == newest).values(next_invoice=number))
    audit.note(tx, actor, now=now, act="next_invoice_said", subject="hub", number=number)


def next_invoice(tx: Connection) -> int:
    """Return the least number that the next invoice may get; 0 where no restore says. Raise Invalid at "month" if one must."""
    last = last_restore(tx)
    if last is not None and last.next_invoice is None:
        raise Invalid(
            "month",
            "This hub was put back from a backup of {time}, and invoices may have been sent since. Say on the server which"
            " number comes next: booking-server restored --next-invoice NUMBER",
            time=last.backup_at,
        )
    return int(tx.execute(select(func.max(restores.c.next_invoice))).scalar() or 0)


def _restore(row: Row[Any]) -> Restore:
    return Restore(restored_at=row.restored_at, backup_at=row.backup_at, version=row.version, next_invoice=row.next_invoice)
