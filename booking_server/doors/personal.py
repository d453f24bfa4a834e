# SPDX-License-Identifier: AGPL-3.0-or-later
"""What doors keep of people: who of the staff asked a door for something, and from where new boxes asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, update

from booking_server.doors.tables import commands, enrolments, lock_downs, revocations
from booking_server.personal import Held, Who, told

_BY = (commands, lock_downs, revocations)


def about(tx: Connection, who: Who) -> Held:
    """Return what somebody asked of doors. The tag number of a capture is not theirs, and stays sealed."""
    return {table.name: told(tx, table, table.c.by.in_(who.sign_in_names), but=("result",)) for table in _BY}


def rename(tx: Connection, names: Mapping[str, str]) -> int:
    """Put another word wherever the name of who asked stands; return in how many rows."""
    changed = 0
    for table in _BY:
        for old, new in names.items():
            changed += int(tx.execute(update(table).where(table.c.by == old).values(by=new)).rowcount)
    return changed


def drop_boxes(tx: Connection, *, before: datetime) -> int:
    """Drop what boxes said when they asked to become a door before an instant: addresses, too. The doors they became stay."""
    return int(tx.execute(delete(enrolments).where(enrolments.c.asked_at < before)).rowcount)
