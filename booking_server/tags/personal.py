# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of one person's keytags, and how they end with the membership."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, select

from booking_server.actors import Actor
from booking_server.personal import Held, Who, told
from booking_server.tags import service as tags
from booking_server.tags.tables import assignments, exposures, keytags

REASON = "membership ended"


def about(tx: Connection, who: Who) -> Held:
    """Return the keytags that a person ever held, by their last digits, when, and whether one was exposed."""
    held = select(assignments.c.keytag_id).where(assignments.c.person_id == who.person_id)
    return {
        "keytags": told(tx, keytags, keytags.c.id.in_(held), but=("number_sealed", "number_index")),
        "assignments": told(tx, assignments, assignments.c.person_id == who.person_id),
        "exposures": told(tx, exposures, exposures.c.keytag_id.in_(held)),
    }


def ever_held(tx: Connection, person_id: int) -> list[int]:
    """Return the keytags that a person ever held."""
    return list(tx.execute(select(assignments.c.keytag_id).where(assignments.c.person_id == person_id).distinct()).scalars())


def end(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> int:
    """Block and take back what a person holds; return how many keytags. Who held them when stays, for taps yet to arrive."""
    held = tags.tags_of(tx, person_id)
    for tag in held:
        tags.block_tag(tx, actor, now=now, keytag_id=tag.id, reason=REASON)
        tags.take_back_tag(tx, actor, now=now, keytag_id=tag.id)
    return len(held)


def drop_old(tx: Connection, person_ids: Collection[int], *, before: datetime) -> int:
    """Drop who held a keytag until before an instant, of these people; return how many rows."""
    old = assignments.c.person_id.in_(person_ids) & (assignments.c.until_at < before)
    return int(tx.execute(delete(assignments).where(old)).rowcount)
