# SPDX-License-Identifier: AGPL-3.0-or-later
"""Adds a door: its own tag key, its access points, and a name there for every keytag that is already handed out."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import Connection

from access_contract.snapshot import DoorRules
from access_contract.topics import is_door_id
from access_contract.vocabulary import AccessPointId, DoorId
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.doors.alone import check_days
from booking_server.doors.service import AccessPoint, Door, check_log
from booking_server.errors import Invalid, NotFound
from booking_server.keys import Vault
from booking_server.places import service as places
from booking_server.tags import service as tags

SERVER_PREFIX = "server-"
"""What the server's own certificates are called; a door of such a name could be taken for a server by the broker."""


def add_door(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    vault: Vault,
    door_id: str,
    site_id: int,
    name: str,
    to_area_id: int,
    from_area_id: int | None = None,
    way_out_reader: bool = False,
    log_named: str = "priced",
    log_reason: str = "",
    log_days: int = 90,
    snapshot_expiry_days: int = 14,
    rules: DoorRules | None = None,
) -> Door:
    """Make a door whose reader "in" leads from an area (None: outside) into another; with `way_out_reader`, "out" leads back.

    Raise Invalid at the field that is wrong; NotFound; NotAllowed.
    """
    actor.must_be_at(site_id, Role.HOST)
    _check_id(tx, door_id)
    check_areas(tx, site_id, to_area_id, from_area_id)
    check_days(snapshot_expiry_days)
    door = Door(
        id=DoorId(door_id),
        site_id=site_id,
        name=check_name(name),
        log_named=check_log(log_named, log_reason, log_days),
        log_reason=log_reason.strip(),
        log_days=log_days,
        snapshot_expiry_days=snapshot_expiry_days,
        rules=rules or DoorRules(),
        created_at=now,
        retired_at=None,
    )
    key = secrets.token_bytes(32)
    doors.insert_door(tx, door, _points(door.id, to_area_id, from_area_id, way_out_reader), tag_key=key, vault=vault)
    tags.name_tags_at_door(tx, vault, door.id, key)
    changes.note_change(tx, now=now, cause=f"door:{door_id}", door_id=door_id)
    audit.note(tx, actor, now=now, act="door_added", subject=f"door:{door_id}", name=door.name)
    return doors.door(tx, door_id)


def _points(door_id: DoorId, to_area_id: int, from_area_id: int | None, way_out_reader: bool) -> list[AccessPoint]:  # noqa: FBT001
    into = AccessPoint(door_id=door_id, point=AccessPointId("in"), from_area_id=from_area_id, to_area_id=to_area_id)
    out = AccessPoint(door_id=door_id, point=AccessPointId("out"), from_area_id=to_area_id, to_area_id=from_area_id)
    return [into, out] if way_out_reader else [into]


def _check_id(tx: Connection, door_id: str) -> None:
    if not is_door_id(door_id) or door_id.startswith(SERVER_PREFIX):
        raise Invalid(
            "door_id", "Use 1 to 32 small letters, digits and hyphens, starting with a letter, like front-door; not server-..."
        )
    try:
        doors.door(tx, door_id)
    except NotFound:
        return
    raise Invalid("door_id", "There is already a door {door_id}. Choose another id.", door_id=door_id)


def check_areas(tx: Connection, site_id: int, to_area_id: int, from_area_id: int | None) -> None:
    """Raise Invalid unless a door of this site may lead from the one area (None: outside) into the other."""
    here = {area.id for area in places.areas(tx, site_id)}
    if to_area_id not in here:
        raise Invalid("leads_into", "Choose what the door leads into.")
    if from_area_id is not None and (from_area_id not in here or from_area_id == to_area_id):
        raise Invalid("leads_from", "Choose another area of the same site, or outside.")


def check_name(text: str) -> str:
    """Return a door's name, in order. Raise Invalid."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= places.NAME_LENGTH:
        raise Invalid("name", "Give the door a name, at most {length} characters.", length=places.NAME_LENGTH)
    return name
