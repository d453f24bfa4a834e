# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a door stands unlocked by itself: weekly hours on its site's clock, at once or once somebody has come.

The door holds them as instants and keeps them alone; what it then does it says itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy import Connection, delete, insert, select, update

from booking_server import civil
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.doors.tables import doors as door_table
from booking_server.doors.tables import unlocking_hours
from booking_server.errors import Invalid, NotFound

HOURS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlockingHours:
    """On `weekdays` (bit 0 is Monday), from `from_time` until just before `until_time`; equal times are the whole day."""

    id: int
    door_id: str
    weekdays: int
    from_time: time
    until_time: time


def add_hours(
    tx: Connection, actor: Actor, *, now: datetime, door_id: str, weekdays: int, from_time: time, until_time: time
) -> UnlockingHours:
    """Let a door stand unlocked at these hours too. Raise Invalid at the field that is wrong; NotFound; NotAllowed."""
    if doors.door_for(tx, actor, door_id, Role.HOST).retired_at is not None:
        raise Invalid("door_id", "This door is out of use.")
    if not 1 <= weekdays <= civil.ALL_DAYS:
        raise Invalid("weekdays", "Choose at least one day of the week.")
    if len(hours(tx, door_id)) >= HOURS_MAX:
        raise Invalid("weekdays", "A door has at most {count} unlocking hours. Take one away first.", count=HOURS_MAX)
    row = {"door_id": door_id, "weekdays": weekdays, "from_time": from_time, "until_time": until_time}
    number = int(tx.execute(insert(unlocking_hours).values(row).returning(unlocking_hours.c.id)).scalar_one())
    _changed(tx, actor, now, door_id, act="unlocking_hours_added", hours=number)
    return UnlockingHours(id=number, **row)  # type: ignore[arg-type]


def take_hours_away(tx: Connection, actor: Actor, *, now: datetime, hours_id: int) -> UnlockingHours:
    """End one of a door's unlocking hours. A door that stands unlocked by them locks. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    row = tx.execute(select(unlocking_hours).where(unlocking_hours.c.id == hours_id)).one_or_none()
    if row is None:
        raise NotFound("There are no such hours.")
    found = UnlockingHours(**row._mapping)
    doors.door_for(tx, actor, found.door_id, Role.HOST)
    tx.execute(delete(unlocking_hours).where(unlocking_hours.c.id == hours_id))
    _changed(tx, actor, now, found.door_id, act="unlocking_hours_removed", hours=hours_id)
    return found


def let_wait(tx: Connection, actor: Actor, *, now: datetime, door_id: str, waits: bool) -> None:
    """Say whether a door waits for somebody whose access starts its hours. Raise NotFound; NotAllowed."""
    if doors.door_for(tx, actor, door_id, Role.HOST).unlocking_waits is not waits:
        tx.execute(update(door_table).where(door_table.c.id == door_id).values(unlocking_waits=waits))
        _changed(tx, actor, now, door_id, act="unlocking_waits_set", waits=waits)


def hours(tx: Connection, *door_ids: str) -> list[UnlockingHours]:
    """Return the unlocking hours of these doors, or of all, in the order in which they were added."""
    found = select(unlocking_hours).order_by(unlocking_hours.c.id)
    if door_ids:
        found = found.where(unlocking_hours.c.door_id.in_(door_ids))
    return [UnlockingHours(**row._mapping) for row in tx.execute(found)]


def _changed(tx: Connection, actor: Actor, now: datetime, door_id: str, *, act: str, **told: int | bool) -> None:
    changes.note_change(tx, now=now, cause=act, door_id=door_id)
    audit.note(tx, actor, now=now, act=act, subject=f"door:{door_id}", **told)
