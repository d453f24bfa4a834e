# SPDX-License-Identifier: AGPL-3.0-or-later
"""Staff freeze what a door's log knows of some days, for a reason and until a day, and retention leaves it alone.

For what happened at a door and is looked into: a theft, a threat. Who froze what is recorded and shown; it ends by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, insert, select, update

from booking_server import civil
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.errors import Invalid, NotFound
from booking_server.ledger.forgetting import Frozen
from booking_server.places import service as places
from booking_server.privacy.tables import freezes as table

KEPT_DAYS_MAX = 730
MIDNIGHT = time(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """What a door's log knows of the days `from_day` to `through_day`, kept through `kept_until`."""

    id: int
    door_id: str
    from_day: date
    through_day: date
    kept_until: date
    reason: str
    by: str
    frozen_at: datetime
    lifted_at: datetime | None


def freeze(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    door_id: str,
    from_day: date,
    through_day: date,
    kept_until: date,
    reason: str,
) -> Freeze:
    """Keep what a door's log knows of some days, whatever its days. Raise Invalid at the field that is wrong; NotFound."""
    door = doors.door(tx, door_id)
    actor.must_be_at(door.site_id, Role.HOST)
    today = now.astimezone(_zone(tx, door)).date()
    if not from_day <= through_day <= today:
        raise Invalid(
            "through_day", "The days run from the first to the last, and the last has come. Write days like 24.12.2026."
        )
    if not today < kept_until <= today + timedelta(days=KEPT_DAYS_MAX):
        raise Invalid("kept_until", "It is kept until a day to come, at most {days} days from now.", days=KEPT_DAYS_MAX)
    row = {"door_id": door_id, "from_day": from_day, "through_day": through_day, "kept_until": kept_until}
    row |= {"reason": audit.reason_given(reason), "by": actor.name, "frozen_at": now}
    number = int(tx.execute(insert(table).values(row).returning(table.c.id)).scalar_one())
    told = {"freeze": number, "from_day": from_day.isoformat(), "through_day": through_day.isoformat()}
    told |= {"kept_until": kept_until.isoformat(), "reason": str(row["reason"])}
    audit.note(tx, actor, now=now, act="door_log_frozen", subject=f"door:{door_id}", **told)
    return _freeze(tx.execute(select(table).where(table.c.id == number)).one())


def lift(tx: Connection, actor: Actor, *, now: datetime, freeze_id: int) -> Freeze:
    """End a freeze now. Twice is as good as once. Raise NotFound; NotAllowed."""
    row = tx.execute(select(table).where(table.c.id == freeze_id)).one_or_none()
    if row is None:
        raise NotFound("There is no freeze {freeze_id}.", freeze_id=freeze_id)
    actor.must_be_at(doors.door(tx, row.door_id).site_id, Role.HOST)
    if row.lifted_at is None:
        tx.execute(update(table).where(table.c.id == freeze_id).values(lifted_at=now))
        audit.note(tx, actor, now=now, act="door_log_thawed", subject=f"door:{row.door_id}", freeze=freeze_id)
    return _freeze(tx.execute(select(table).where(table.c.id == freeze_id)).one())


def freezes(tx: Connection, *, now: datetime, door_ids: Sequence[str] = ()) -> list[Freeze]:
    """Return the freezes that go on, of these doors or of all, the newest first."""
    found = select(table).where(table.c.lifted_at.is_(None)).order_by(table.c.id.desc())
    if door_ids:
        found = found.where(table.c.door_id.in_(door_ids))
    zones = _zones(tx)
    known = [_freeze(row) for row in tx.execute(found)]
    return [one for one in known if now.astimezone(zones[one.door_id]).date() <= one.kept_until]


def spans(tx: Connection, *, now: datetime) -> list[tuple[Freeze, Frozen]]:
    """Return what retention leaves alone now, each with the instants that its days are at the door's site."""
    zones, day = _zones(tx), timedelta(days=1)
    return [
        (
            one,
            Frozen(
                one.door_id,
                civil.utc(one.from_day, MIDNIGHT, zones[one.door_id]),
                civil.utc(one.through_day + day, MIDNIGHT, zones[one.door_id]),
            ),
        )
        for one in freezes(tx, now=now)
    ]


def frozen(tx: Connection, *, now: datetime) -> list[Frozen]:
    """Return what retention leaves alone now."""
    return [span for _, span in spans(tx, now=now)]


def _zone(tx: Connection, door: doors.Door) -> ZoneInfo:
    return ZoneInfo(places.site(tx, door.site_id).time_zone)


def _zones(tx: Connection) -> dict[str, ZoneInfo]:
    return {door.id: _zone(tx, door) for door in doors.doors(tx)}


def _freeze(row: Row[Any]) -> Freeze:
    return Freeze(**row._mapping)
