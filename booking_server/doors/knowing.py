# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which doors have what staff changed, door by door.

A door has a change once its own status says that it holds the snapshot in which the change stands. It is never counted because
something was sent to it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, update

from booking_server.access import changes
from booking_server.doors import service as doors
from booking_server.doors.tables import door_status


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorKnows:
    """Whether one door has a change; `away_since` says since when it is offline, None while it is online or was never heard."""

    door_id: str
    name: str
    has_it: bool
    away_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """How far the last change of one person has come."""

    change: int
    doors: tuple[DoorKnows, ...]

    @property
    def missing(self) -> list[DoorKnows]:
        return [door for door in self.doors if not door.has_it]


def who_knows(tx: Connection, change: int) -> list[DoorKnows]:
    """Return for each door in use, by name, whether it has everything up to this rights change."""
    states = doors.door_states(tx)
    return [_knows(door, states.get(door.id), change) for door in doors.doors(tx) if door.retired_at is None]


def of_person(tx: Connection, person_id: int) -> Known:
    """Return which doors have everything that was changed for a person."""
    change = changes.latest_change_of(tx, person_id)
    return Known(change=change, doors=tuple(who_knows(tx, change)))


def confirm(tx: Connection, door_ids: Collection[str], change: int) -> None:
    """Keep that these doors said that they hold what is right up to this change."""
    further = door_status.c.door_id.in_(door_ids) & (door_status.c.rights_known < change)
    tx.execute(update(door_status).where(further).values(rights_known=change))


def _knows(door: doors.Door, state: doors.DoorState | None, change: int) -> DoorKnows:
    return DoorKnows(
        door_id=door.id,
        name=door.name,
        has_it=state is not None and state.rights_known >= change,
        away_since=None if state is None or state.online else state.changed_at,
    )
