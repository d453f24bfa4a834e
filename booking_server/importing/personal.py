# SPDX-License-Identifier: AGPL-3.0-or-later
"""What imports keep of one person: what other systems call them, and which of their access came from there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, update

from booking_server.importing import runs, uploads
from booking_server.importing.tables import external_ids, imports, roster_grants
from booking_server.importing.tables import uploads as upload_table
from booking_server.personal import Held, Who, told


def about(tx: Connection, who: Who) -> Held:
    """Return a person's id elsewhere, the access that the roster gave, and the files that they imported themselves."""
    return {
        "external_ids": told(tx, external_ids, external_ids.c.person_id == who.person_id),
        "roster_grants": told(tx, roster_grants, roster_grants.c.person_id == who.person_id),
        "uploads": told(tx, upload_table, upload_table.c.account_id.in_(who.account_ids)),
        "imports": told(tx, imports, imports.c.by.in_(who.sign_in_names)),
    }


def drop(tx: Connection, who: Who) -> int:
    """Drop the id, what waits to be imported by them, and that the roster gave access; return how many rows."""
    mine = (
        delete(external_ids).where(external_ids.c.person_id == who.person_id),
        delete(roster_grants).where(roster_grants.c.person_id == who.person_id),
        delete(upload_table).where(upload_table.c.account_id.in_(who.account_ids)),
    )
    return sum(int(tx.execute(one).rowcount) for one in mine)


def rename(tx: Connection, names: Mapping[str, str]) -> int:
    """Put another word wherever the name of somebody who imported stands; return in how many rows."""
    renamed = (tx.execute(update(imports).where(imports.c.by == old).values(by=new)).rowcount for old, new in names.items())
    return sum(int(count) for count in renamed)


def drop_old(tx: Connection, *, now: datetime, runs_before: datetime) -> int:
    """Drop files that nobody said yes to in time, and runs that are long over; return how many."""
    return uploads.forget(tx, now=now) + runs.forget(tx, before=runs_before)
