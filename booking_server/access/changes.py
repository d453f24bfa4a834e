# SPDX-License-Identifier: AGPL-3.0-or-later
"""The numbered rights changes: one row in the transaction of whatever changes who may pass where.

Every process that answers asks applies them in order, and looks again only at what they name: a person and all keytags that
the person ever held, a keytag, or a door itself. A change that names none of these concerns everyone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from booking_server.access.tables import rights_changes
from booking_server.db import count_on_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something changed for one person, of one keytag, at one door, or (all None) for everyone. `kind` says of what: "grant",
    "keytag", "booking" and so on."""

    number: int
    kind: str
    person_id: int | None
    door_id: str | None
    keytag_id: int | None

    @property
    def concerns_everyone(self) -> bool:
        return self.person_id is None and self.door_id is None and self.keytag_id is None


def note_change(tx: Connection, *, now: datetime, cause: str, person_id: int | None = None, door_id: str | None = None) -> int:
    """Add a change and return its number. `cause` says what it was ("grant:7"); a keytag is named by it ("keytag:7").

    Where writers run side by side (PostgreSQL) a lower number may be committed after a higher one; who follows them looks
    back a little. To wait for each other here would make every booking of every space wait.
    """
    row = {"at": now, "cause": cause, "person_id": person_id, "door_id": door_id}
    return int(tx.execute(insert(rights_changes).values(row).returning(rights_changes.c.number)).scalar_one())


def note_changes(tx: Connection, *, now: datetime, causes: Iterable[tuple[str, int]]) -> None:
    """Add a change for each cause and the person whom it concerns."""
    rows = [{"at": now, "cause": cause, "person_id": person_id, "door_id": None} for cause, person_id in causes]
    if rows:
        tx.execute(insert(rights_changes), rows)


def go_on_after(tx: Connection, *, now: datetime, number: int) -> int:
    """Add a change for everyone whose number is larger than `number` and any before, and return it.

    For a database that was put back from a backup: doors refuse snapshots that are older than the one they hold.
    """
    count_on_after(tx, rights_changes.c.number, number)
    return note_change(tx, now=now, cause="restored")


def latest_change(tx: Connection) -> int:
    """Return the number of the last change; 0 before the first."""
    return int(tx.execute(select(func.coalesce(func.max(rights_changes.c.number), 0))).scalar_one())


def latest_change_of(tx: Connection, person_id: int) -> int:
    """Return the number of the last change that names a person; 0 before the first."""
    number = func.coalesce(func.max(rights_changes.c.number), 0)
    return int(tx.execute(select(number).where(rights_changes.c.person_id == person_id)).scalar_one())


def changes_after(tx: Connection, number: int) -> list[Change]:
    """Return the changes after `number`, in order."""
    wanted = (rights_changes.c.number, rights_changes.c.person_id, rights_changes.c.door_id, rights_changes.c.cause)
    found = select(*wanted).where(rights_changes.c.number > number).order_by(rights_changes.c.number)
    return [_change(*row) for row in tx.execute(found)]


def _change(number: int, person_id: int | None, door_id: str | None, cause: str) -> Change:
    kind, _, which = cause.partition(":")
    keytag_id = int(which) if kind == "keytag" else None
    return Change(number=number, kind=kind, person_id=person_id, door_id=door_id, keytag_id=keytag_id)
