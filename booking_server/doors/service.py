# SPDX-License-Identifier: AGPL-3.0-or-later
"""Doors, their access points, and how each one says it is.

A door's tag key lies here sealed. What a door is comes from staff; how it is comes from the door alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from access_contract.messages import Status
from access_contract.snapshot import DoorRules
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, mode_of
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import journals
from booking_server.doors.tables import access_points as point_table
from booking_server.doors.tables import commands as command_table
from booking_server.doors.tables import door_status as status_table
from booking_server.doors.tables import doors as door_table
from booking_server.errors import Invalid, NotFound
from booking_server.keys import Vault

LogNamed = Literal["priced", "always", "never"]
LOG_NAMED: tuple[LogNamed, ...] = ("priced", "always", "never")
LOG_DAYS_MAX, LOG_REASON_LENGTH = 730, 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """One leaf with one lock. `log_named` says whether its taps show names: where priced, always (with a reason), never."""

    id: DoorId
    site_id: int
    name: str
    log_named: LogNamed
    log_reason: str
    log_days: int
    snapshot_expiry_days: int
    rules: DoorRules
    created_at: datetime
    retired_at: datetime | None
    stolen_at: datetime | None = None
    unlocking_waits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPoint:
    """A reader and its direction; None is outside."""

    door_id: DoorId
    point: AccessPointId
    from_area_id: int | None
    to_area_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorState:
    """What a door last said of itself, when the server heard it say anything, and up to which rights change it has them all."""

    door_id: str
    online: bool
    changed_at: datetime
    heard_at: datetime
    status: Status
    rights_known: int = 0

    @property
    def attention(self) -> list[str]:
        """What at this door needs a person: what it says itself, and a mode of a later version."""
        return [*self.status.attention, *(["mode_unknown"] if mode_of(self.status.mode) is None else [])]


def doors(tx: Connection) -> list[Door]:
    """Return all doors by name, retired ones too."""
    return [_door(row) for row in tx.execute(select(door_table).order_by(door_table.c.name, door_table.c.id))]


def door(tx: Connection, door_id: str) -> Door:
    """Return one door. Raise NotFound."""
    row = tx.execute(select(door_table).where(door_table.c.id == door_id)).one_or_none()
    if row is None:
        raise NotFound("There is no door {door_id}.", door_id=door_id)
    return _door(row)


def access_points(tx: Connection, *door_ids: str) -> list[AccessPoint]:
    """Return the access points of these doors, or of all."""
    found = select(point_table).order_by(point_table.c.id)
    if door_ids:
        found = found.where(point_table.c.door_id.in_(door_ids))
    return [
        AccessPoint(door_id=row.door_id, point=row.point, from_area_id=row.from_area_id, to_area_id=row.to_area_id)
        for row in tx.execute(found)
    ]


def tag_key(tx: Connection, vault: Vault, door_id: str) -> bytes:
    """Return the key under which one door names tags. Raise NotFound."""
    sealed = tx.execute(select(door_table.c.tag_key_sealed).where(door_table.c.id == door_id)).scalar()
    if sealed is None:
        raise NotFound("There is no door {door_id}.", door_id=door_id)
    return vault.unseal(sealed, about=_about_key(door_id))


def tag_keys(tx: Connection, vault: Vault) -> dict[DoorId, bytes]:
    """Return the tag key of every door."""
    found = tx.execute(select(door_table.c.id, door_table.c.tag_key_sealed))
    return {row.id: vault.unseal(row.tag_key_sealed, about=_about_key(row.id)) for row in found}


def insert_door(tx: Connection, door: Door, points: list[AccessPoint], *, tag_key: bytes, vault: Vault) -> None:
    """Store a new door. Only doors.adding calls this: a door must also learn the tags that are there."""
    row = {
        "id": door.id,
        "site_id": door.site_id,
        "name": door.name,
        "tag_key_sealed": vault.seal(tag_key, about=_about_key(door.id)),
        "log_named": door.log_named,
        "log_reason": door.log_reason,
        "log_days": door.log_days,
        "snapshot_expiry_days": door.snapshot_expiry_days,
        "rules": msgspec.to_builtins(door.rules),
        "created_at": door.created_at,
    }
    tx.execute(insert(door_table).values(row))
    for point in points:
        where = {"from_area_id": point.from_area_id, "to_area_id": point.to_area_id}
        tx.execute(insert(point_table).values(door_id=door.id, point=point.point, **where))


def renew_tag_key(tx: Connection, door_id: str, *, tag_key: bytes, vault: Vault) -> None:
    """Store a door's new tag key. Only doors.boxes calls this: the tags must be named anew."""
    sealed = vault.seal(tag_key, about=_about_key(door_id))
    tx.execute(update(door_table).where(door_table.c.id == door_id).values(tag_key_sealed=sealed))


def rename(tx: Connection, door_id: str, name: str) -> None:
    """Store a door's name. Only doors.moving calls this."""
    tx.execute(update(door_table).where(door_table.c.id == door_id).values(name=name))


def lead_elsewhere(tx: Connection, door_id: str, *, site_id: int, from_area_id: int | None, to_area_id: int) -> None:
    """Store where a door stands and leads; its way out, if it has one, leads back. Only doors.moving calls this."""
    tx.execute(update(door_table).where(door_table.c.id == door_id).values(site_id=site_id))
    for point, leads in (("in", (from_area_id, to_area_id)), ("out", (to_area_id, from_area_id))):
        here = (point_table.c.door_id == door_id) & (point_table.c.point == point)
        tx.execute(update(point_table).where(here).values(from_area_id=leads[0], to_area_id=leads[1]))


def set_stolen(tx: Connection, door_id: str, at: datetime | None) -> None:
    """Store since when a door's box is stolen; None once it has another. Only doors.boxes calls this."""
    tx.execute(update(door_table).where(door_table.c.id == door_id).values(stolen_at=at))


def stolen(tx: Connection) -> frozenset[str]:
    """Return the doors whose box was stolen and that have no other yet."""
    return frozenset(tx.execute(select(door_table.c.id).where(door_table.c.stolen_at.is_not(None))).scalars())


def door_for(tx: Connection, actor: Actor, door_id: str, *roles: Role) -> Door:
    """Return a door at whose site the actor has one of these roles. Raise NotFound; NotAllowed."""
    actor.must_be(*roles)
    found = door(tx, door_id)
    actor.must_be_at(found.site_id, *roles)
    return found


def change_log(
    tx: Connection, actor: Actor, *, now: datetime, door_id: str, log_named: str, log_reason: str, log_days: int
) -> Door:
    """Say whether a door's log shows names, why, and for how many days. Raise Invalid; NotFound; NotAllowed."""
    door_for(tx, actor, door_id, Role.HOST)
    values = {"log_named": check_log(log_named, log_reason, log_days), "log_reason": log_reason.strip(), "log_days": log_days}
    tx.execute(update(door_table).where(door_table.c.id == door_id).values(values))
    audit.note(tx, actor, now=now, act="door_log_changed", subject=f"door:{door_id}", **values)
    return door(tx, door_id)


def check_log(log_named: str, log_reason: str, log_days: int) -> LogNamed:
    """Return `log_named` if the three go together. Raise Invalid."""
    for allowed in LOG_NAMED:
        if log_named == allowed:
            if allowed == "always" and not log_reason.strip():
                raise Invalid("log_reason", "Say why this door's log shows names. Members may read it.")
            if len(log_reason.strip()) > LOG_REASON_LENGTH:
                raise Invalid("log_reason", "The reason is at most {length} characters long.", length=LOG_REASON_LENGTH)
            if not 1 <= log_days <= LOG_DAYS_MAX:
                raise Invalid("log_days", "Names are kept for 1 to {days} days.", days=LOG_DAYS_MAX)
            return allowed
    raise Invalid("log_named", "Choose when this door's log shows names.")


def retire_door(tx: Connection, actor: Actor, *, now: datetime, door_id: str) -> Door:
    """Take a door out of use: it admits nobody any more, and a month does not wait for it.

    Raise Invalid at "mode" while it stands unlocked or is about to: nothing could lock it afterwards. NotFound; NotAllowed.
    """
    if door_for(tx, actor, door_id, Role.HOST).retired_at is None:
        if _stands_unlocked(tx, door_id, now):
            raise Invalid("mode", "The door stands unlocked and would stay so. Set its mode to locked first.")
        tx.execute(update(door_table).where(door_table.c.id == door_id).values(retired_at=now))
        changes.note_change(tx, now=now, cause="door_retired", door_id=door_id)
        audit.note(tx, actor, now=now, act="door_retired", subject=f"door:{door_id}")
    return door(tx, door_id)


def _stands_unlocked(tx: Connection, door_id: str, now: datetime) -> bool:
    """True if the door said so while it can still be told otherwise, or may yet do what it was asked."""
    state = door_states(tx).get(door_id)
    if state is not None and state.online and state.status.mode == DoorMode.UNLOCKED:
        return True
    asked = select(command_table.c.argument).where(
        command_table.c.door_id == door_id,
        command_table.c.kind == "set_mode",
        command_table.c.outcome.is_(None),
        command_table.c.expires_at > now,
    )
    return {"mode": DoorMode.UNLOCKED.value} in tx.execute(asked).scalars().all()


def door_states(tx: Connection) -> dict[str, DoorState]:
    """Return what each door that was ever heard last said of itself."""
    return {row.door_id: _state(row) for row in tx.execute(select(status_table))}


def keep_status(tx: Connection, *, now: datetime, door_id: str, status: Status, retained: bool = False) -> None:
    """Store what a door said of itself; older than what is known, it is dropped.

    A last will says only that the door is gone: what it said before stays, and a door never heard stays so. `retained` is an
    old word that the broker kept: it does not count as having heard the door now. How far its journal went is remembered even
    of an old word. A door that says it holds no snapshot has no rights change any more. One that the server does not have is
    nobody.
    """
    if tx.execute(select(door_table.c.id).where(door_table.c.id == door_id)).first() is None:
        return
    journals.note_told(tx, door_id, status)
    row = tx.execute(select(status_table).where(status_table.c.door_id == door_id)).one_or_none()
    known = None if row is None else _state(row)
    if known is None and not status.online:
        return
    if known is not None and status.online and _is_older(status, known.status):
        return
    heard_at = min(now, status.at) if retained and status.at is not None else now
    empty = status.online and status.snapshot_digest is None
    if known is not None and not status.online:
        status, heard_at = msgspec.structs.replace(known.status, online=False), known.heard_at
    values = {
        "online": status.online,
        "changed_at": known.changed_at if known is not None and known.online == status.online else now,
        "heard_at": heard_at,
        "status": msgspec.to_builtins(status),
        **({"rights_known": 0} if empty else {}),
    }
    if known is None:
        tx.execute(insert(status_table).values(door_id=door_id, **values))
    else:
        tx.execute(update(status_table).where(status_table.c.door_id == door_id).values(values))


def _is_older(status: Status, known: Status) -> bool:
    """A door that started anew may have lost its clock, and one that has just set it may go back: only within one start, by a
    clock that was trusted, does its time tell what came first. Else what comes last does."""
    same_clock = known.boot is not None and status.boot == known.boot and known.clock is not ClockQuality.UNTRUSTED
    return same_clock and status.at is not None and known.at is not None and status.at < known.at


def _about_key(door_id: str) -> str:
    return f"door:{door_id}:tag-key"


def _door(row: Row[Any]) -> Door:
    return Door(
        id=row.id,
        site_id=row.site_id,
        name=row.name,
        log_named=row.log_named,
        log_reason=row.log_reason,
        log_days=row.log_days,
        snapshot_expiry_days=row.snapshot_expiry_days,
        rules=msgspec.convert(row.rules, DoorRules),
        created_at=row.created_at,
        retired_at=row.retired_at,
        stolen_at=row.stolen_at,
        unlocking_waits=row.unlocking_waits,
    )


def _state(row: Row[Any]) -> DoorState:
    return DoorState(
        door_id=row.door_id,
        online=row.online,
        changed_at=row.changed_at,
        heard_at=row.heard_at,
        status=msgspec.convert(row.status, Status, strict=False),
        rights_known=row.rights_known,
    )
