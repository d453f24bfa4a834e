# SPDX-License-Identifier: AGPL-3.0-or-later
"""Holds in memory who may pass each door, and follows the numbered rights changes.

It may lag behind the database by a moment and says up to which change it knows; it never answers from half a change. A door
whose rights a change left alone keeps its snapshot, number and digest.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import msgspec
from sqlalchemy import Connection

from access_contract.snapshot import DoorRules, Snapshot
from access_contract.vocabulary import DoorId
from booking_server.access import service as access
from booking_server.access.index import build
from booking_server.access.rules import index_of_door, same_rights
from booking_server.access.snapshots import DoorSnapshot, snapshot_of
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.keys import Vault

LOOK_BACK = 200
"""On PostgreSQL a lower number may be committed after a higher one: so many are looked at again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read at once: up to which rights change, on which UTC day, and for each door its rights and tag key."""

    number: int
    day: date
    rights: Mapping[DoorId, Snapshot]
    tag_keys: Mapping[DoorId, bytes]


class Index:
    """One thread calls `refresh`; `known` may be read by any thread at any time and is whole."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.known = Known(number=0, day=date.min, rights={}, tag_keys={})
        self._database, self._vault = database, vault
        self._seen: frozenset[int] = frozenset()
        self._snapshots: dict[DoorId, DoorSnapshot] = {}
        self._lock = threading.Lock()

    def refresh(self, now: datetime) -> list[DoorId]:
        """Take on what changed, if anything did or a UTC day began; return the doors whose rights are others than before."""
        day = utc_day(now)
        with self._database.read() as tx:
            number = access.latest_change(tx)
            recent = frozenset(change.number for change in access.changes_after(tx, number - LOOK_BACK))
            if day == self.known.day and recent <= self._seen:
                return []
            rights, keys = _read(tx, now, number), doors.tag_keys(tx, self._vault)
        self._seen = recent
        return self._take(Known(number=number, day=day, rights=rights, tag_keys=keys))

    def snapshot(self, door: DoorId) -> DoorSnapshot | None:
        """Return what the door is to hold; None for a door that the server does not have."""
        with self._lock:
            rights = self.known.rights.get(door)
            if rights is None:
                return None
            if door not in self._snapshots:
                self._snapshots[door] = snapshot_of(rights)
            return self._snapshots[door]

    def is_current(self, door: DoorId, number: int, digest: str | None) -> bool:
        """True if the door holds its current snapshot. The same rights under another number are: that number is taken on,
        so that a restart of the server, or a second one, sends nobody what he has."""
        current = self.snapshot(door)
        if current is None or digest is None:
            return False
        if current.digest == digest:
            return True
        return number != current.number and self._adopt(door, number, digest)

    def _adopt(self, door: DoorId, number: int, digest: str) -> bool:
        with self._lock:
            rights = msgspec.structs.replace(self.known.rights[door], number=number)
            found = snapshot_of(rights)
            if found.digest != digest:
                return False
            self.known = replace(self.known, rights={**self.known.rights, door: rights})
            self._snapshots[door] = found
        return True

    def _take(self, new: Known) -> list[DoorId]:
        with self._lock:
            before = self.known.rights
            kept = {d: before[d] for d, rights in new.rights.items() if d in before and same_rights(before[d], rights)}
            self.known = replace(new, rights={**new.rights, **kept})
            self._snapshots = {door: known for door, known in self._snapshots.items() if door in kept}
        return [door for door in new.rights if door not in kept]


def utc_day(now: datetime) -> date:
    """Return the day whose midnight a snapshot counts from."""
    return now.astimezone(UTC).date()


def _read(tx: Connection, now: datetime, number: int) -> dict[DoorId, Snapshot]:
    found = build(tx, now=now)
    for door in doors.doors(tx):
        if door.id not in found:
            found[door.id] = _nobody(door.id, number, now)
    return found


def _nobody(door: DoorId, change: int, now: datetime) -> Snapshot:
    """What a door that was taken out of use is to hold, so that it stops admitting."""
    nothing: dict[int, set[tuple[str, str]]] = {}
    return index_of_door(door=door, rules=DoorRules(), expiry_days=1, change=change, now=now, tags=(), rights=(), opens=nothing)
