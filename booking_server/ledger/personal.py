# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the ledger holds of one person: their taps, and the entries that are still linked to them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import Connection, func, or_, select

from booking_server.ledger.forgetting import Frozen, is_known
from booking_server.ledger.tables import entries, entry_people, taps
from booking_server.personal import Held, Who, told


def about(tx: Connection, who: Who) -> Held:
    """Return all taps and entries that name a person, those at doors whose log shows staff no names, too."""
    mine = select(entry_people.c.entry_id).where(entry_people.c.person_id == who.person_id)
    return {
        "taps": told(tx, taps, taps.c.person_id == who.person_id),
        "entries": told(tx, entries, entries.c.id.in_(mine)),
        "entry_people": told(tx, entry_people, entry_people.c.person_id == who.person_id),
    }


def links(tx: Connection, person_id: int) -> int:
    """Return how many entries are still linked to a person."""
    mine = select(func.count()).select_from(entry_people).where(entry_people.c.person_id == person_id)
    return int(tx.execute(mine).scalar_one())


def named_taps(tx: Connection, person_id: int) -> int:
    """Return how many taps still name a person."""
    return int(tx.execute(select(func.count()).select_from(taps).where(taps.c.person_id == person_id)).scalar_one())


def awaited(tx: Connection, person_id: int) -> bool:
    """True while the time or the outcome of one of a person's taps may still come."""
    mine = select(taps.c.event_id).where((taps.c.person_id == person_id) & ~is_known())
    return tx.execute(mine.limit(1)).first() is not None


def frozen_taps(tx: Connection, person_id: int, frozen: Collection[Frozen]) -> int:
    """Return how many of a person's taps are frozen."""
    if not frozen:
        return 0
    held = or_(*((taps.c.door_id == span.door_id) & taps.c.at.between(span.from_at, span.until_at) for span in frozen))
    return int(tx.execute(select(func.count()).select_from(taps).where((taps.c.person_id == person_id) & held)).scalar_one())


def last_tap(tx: Connection, person_id: int) -> datetime | None:
    """Return when a person's last tap fell that still names them."""
    return tx.execute(select(func.max(taps.c.at)).where(taps.c.person_id == person_id)).scalar()


def last_day(tx: Connection, person_id: int) -> date | None:
    """Return the service day of the last entry that is linked to a person."""
    mine = entry_people.c.person_id == person_id
    joined = entries.join(entry_people, entry_people.c.entry_id == entries.c.id)
    return tx.execute(select(func.max(entries.c.service_day)).select_from(joined).where(mine)).scalar()


def not_settled(tx: Connection, person_id: int) -> list[tuple[int, date]]:
    """Return the spaces and days of a person's entries that no closing has counted."""
    joined = entries.join(entry_people, entry_people.c.entry_id == entries.c.id)
    mine = (entry_people.c.person_id == person_id) & ~entries.c.settled
    found = select(entries.c.space_id, entries.c.vat_day).select_from(joined).where(mine).distinct()
    return [(row.space_id, row.vat_day) for row in tx.execute(found)]
