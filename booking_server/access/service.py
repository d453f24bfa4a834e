# SPDX-License-Identifier: AGPL-3.0-or-later
"""Access given and withdrawn by staff: who, where, on which days, at which hours.

A grant to an area opens every door on the way there and all below it. Nothing is edited: a grant is withdrawn and another
given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from booking_server import civil
from booking_server.access.changes import Change, changes_after, latest_change, note_change
from booking_server.access.tables import grants as grant_table
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from booking_server.places import service as places

__all__ = [
    "Change", "Grant", "any_grant", "changes_after", "grant", "grant_access", "grants", "grants_of",
    "latest_change", "note_change", "withdraw_access",
]  # fmt: skip

MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Who may go where, from `from_day` to `until_day` (both included; None: for good), on `weekdays` (bit 0 is Monday),
    from `from_time` until just before `until_time` of the site's clock; equal times are the whole day."""

    id: int
    person_id: int
    area_id: int
    from_day: date
    until_day: date | None
    weekdays: int
    from_time: time
    until_time: time
    standing: bool
    passes_lock_down: bool
    may_disarm: bool
    starts_unlocking: bool
    granted_at: datetime
    withdrawn_at: datetime | None


def grant_access(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    person_id: int,
    area_id: int,
    from_day: date,
    until_day: date | None = None,
    weekdays: int = civil.ALL_DAYS,
    from_time: time = MIDNIGHT,
    until_time: time = MIDNIGHT,
    standing: bool = False,
    passes_lock_down: bool = False,
    may_disarm: bool = False,
    starts_unlocking: bool = False,
) -> Grant:
    """Give a person access to an area. Raise Invalid at the field that is wrong; NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    who = people.person(tx, actor, person_id)
    if who.ended_at is not None:
        raise Invalid("person_id", "{person}'s membership has ended.", person=who.name)
    actor.must_be_at(places.area(tx, area_id).site_id, Role.HOST)
    if until_day is not None and until_day < from_day:
        raise Invalid("until_day", "The last day must not be before the first. Leave it empty for good.")
    if not 1 <= weekdays <= civil.ALL_DAYS:
        raise Invalid("weekdays", "Choose at least one day of the week.")
    row = {
        "person_id": person_id,
        "area_id": area_id,
        "from_day": from_day,
        "until_day": until_day,
        "weekdays": weekdays,
        "from_time": from_time,
        "until_time": until_time,
        "standing": standing,
        "passes_lock_down": passes_lock_down,
        "may_disarm": may_disarm,
        "starts_unlocking": starts_unlocking,
        "granted_at": now,
    }
    number = int(tx.execute(insert(grant_table).values(row).returning(grant_table.c.id)).scalar_one())
    note_change(tx, now=now, cause=f"grant:{number}", person_id=person_id)
    audit.note(tx, actor, now=now, act="access_granted", subject=f"grant:{number}", person_id=person_id, area_id=area_id)
    return grant(tx, number)


def withdraw_access(tx: Connection, actor: Actor, *, now: datetime, grant_id: int) -> Grant:
    """End a grant now. Twice is as good as once. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    found = grant(tx, grant_id)
    actor.must_be_at(places.area(tx, found.area_id).site_id, Role.HOST)
    if found.withdrawn_at is None:
        tx.execute(update(grant_table).where(grant_table.c.id == grant_id).values(withdrawn_at=now))
        note_change(tx, now=now, cause=f"grant:{grant_id}", person_id=found.person_id)
        audit.note(tx, actor, now=now, act="access_withdrawn", subject=f"grant:{grant_id}", person_id=found.person_id)
    return grant(tx, grant_id)


def grant(tx: Connection, grant_id: int) -> Grant:
    """Return one grant, withdrawn or not. Raise NotFound."""
    row = tx.execute(select(grant_table).where(grant_table.c.id == grant_id)).one_or_none()
    if row is None:
        raise NotFound("There is no grant {grant_id}.", grant_id=grant_id)
    return _grant(row)


def grants_of(tx: Connection, person_id: int) -> list[Grant]:
    """Return a person's grants that are not withdrawn, over or yet to come ones too, in the order given."""
    return _in_force(tx, grant_table.c.person_id == person_id)


def grants(tx: Connection, people: Collection[int] | None = None) -> list[Grant]:
    """Return all grants that are not withdrawn, or those of these people."""
    return _in_force(tx) if people is None else _in_force(tx, grant_table.c.person_id.in_(people))


def any_grant(tx: Connection) -> bool:
    """True once access was given to anybody."""
    return tx.execute(select(grant_table.c.id).limit(1)).first() is not None


def _in_force(tx: Connection, *more: Any) -> list[Grant]:
    found = select(grant_table).where(grant_table.c.withdrawn_at.is_(None), *more).order_by(grant_table.c.id)
    return [_grant(row) for row in tx.execute(found)]


def _grant(row: Row[Any]) -> Grant:
    return Grant(**row._mapping)
