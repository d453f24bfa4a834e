# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door may do when it does not know something: for how long it decides alone, and the rules for each unknown.

Each is a setting of the door that staff choose; none widens what a grant or booking says.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import Connection, update

from access_contract.snapshot import DoorRules
from booking_server.access import changes
from booking_server.access.rules import HORIZON
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.doors.tables import doors as door_table
from booking_server.errors import Invalid


def change_rules(
    tx: Connection, actor: Actor, *, now: datetime, door_id: str, rules: DoorRules, snapshot_expiry_days: int
) -> doors.Door:
    """Set a door's rules and how long it decides without the server. Raise Invalid; NotFound; NotAllowed."""
    before = doors.door_for(tx, actor, door_id, Role.HOST)
    check_days(snapshot_expiry_days)
    if (before.rules, before.snapshot_expiry_days) != (rules, snapshot_expiry_days):
        values = {"rules": msgspec.to_builtins(rules), "snapshot_expiry_days": snapshot_expiry_days}
        tx.execute(update(door_table).where(door_table.c.id == door_id).values(values))
        changes.note_change(tx, now=now, cause="door_rules_changed", door_id=door_id)
        audit.note(tx, actor, now=now, act="door_rules_changed", subject=f"door:{door_id}", **values)
    return doors.door(tx, door_id)


def check_days(days: int) -> None:
    """Raise Invalid unless a door may decide alone for so many days: beyond the horizon it holds nothing."""
    if not 1 <= days <= HORIZON.days:
        raise Invalid("snapshot_expiry_days", "A door may decide alone for 1 to {days} days.", days=HORIZON.days)
