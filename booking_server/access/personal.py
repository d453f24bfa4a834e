# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of one person's access, and how it ends with the membership."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from booking_server.access import service as access
from booking_server.access.tables import grants
from booking_server.actors import Actor
from booking_server.personal import Held, Who, told


def about(tx: Connection, who: Who) -> Held:
    """Return all access that was ever given."""
    return {"grants": told(tx, grants, grants.c.person_id == who.person_id)}


def end(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> int:
    """Withdraw all access; return how much was."""
    given = access.grants_of(tx, person_id)
    for one in given:
        access.withdraw_access(tx, actor, now=now, grant_id=one.id)
    return len(given)
