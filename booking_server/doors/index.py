# SPDX-License-Identifier: AGPL-3.0-or-later
"""Holds in memory who may pass each door, and follows the numbered rights changes: each touches only what it names.

It may lag behind the database by a moment and says up to which change it knows; it never answers from half a change. A door
whose rights a change left alone keeps its snapshot, number and digest.
"""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from access_contract.vocabulary import DoorId
from booking_server.access import service as access
from booking_server.access.door_rights import DoorRights
from booking_server.access.index import access_points, build, follow
from booking_server.access.rules import Point
from booking_server.access.service import Change
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.keys import Vault

LOOK_BACK = 200
"""On PostgreSQL a lower number may be committed after a higher one: so many are looked at again."""
REMEMBERED = 32
"""How many snapshots back a door may be and still be told only what changed. They share all that they have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was read at once: up to which rights change, on which UTC day; each door's rights and tag key; where doors lead."""

    number: int
    day: date
    rights: Mapping[DoorId, DoorRights]
    tag_keys: Mapping[DoorId, bytes]
    points: tuple[Point, ...] = ()


class Index:
    """One thread calls `refresh`; `known` may be read by any thread at any time and is whole."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.known = Known(number=0, day=date.min, rights={}, tag_keys={})
        self._database, self._vault = database, vault
        self._seen: frozenset[int] = frozenset()
        self._earlier: dict[DoorId, OrderedDict[str, DoorRights]] = {}
        self._lock = threading.Lock()

    def refresh(self, now: datetime) -> list[DoorId]:
        """Take on what changed, if anything did or a UTC day began; return the doors that are to hold others than before."""
        day = utc_day(now)
        with self._database.read() as tx:
            since = self.known.number or access.latest_change(tx)
            recent = access.changes_after(tx, since - LOOK_BACK)
            changes = [change for change in recent if change.number not in self._seen]
            if day == self.known.day and not changes:
                return []
            new = self._read(tx, changes, now)
        self._seen = frozenset(change.number for change in recent if change.number > new.number - LOOK_BACK)
        return self._take(new)

    def snapshot(self, door: DoorId) -> DoorRights | None:
        """Return what the door is to hold, refused tags among it; None for a door that the server does not have."""
        return self.known.rights.get(door)

    def earlier(self, door: DoorId, digest: str) -> DoorRights | None:
        """Return what the door was to hold some changes ago, by its digest; None if that is not remembered."""
        with self._lock:
            earlier = self._earlier.get(door)
            return None if earlier is None else earlier.get(digest)

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
            found = self.known.rights[door].numbered(number)
            if found.digest != digest:
                return False
            self.known = replace(self.known, rights={**self.known.rights, door: found})
        return True

    def _read(self, tx: Connection, changes: list[Change], now: datetime) -> Known:
        """Read what the changes may have touched; all of it where they concern everyone or a day began."""
        known, number, day = self.known, access.latest_change(tx), utc_day(now)
        points, keys = known.points, known.tag_keys
        if day == known.day and not any(change.concerns_everyone for change in changes):
            anew: set[DoorId] = set()
            if any(change.door_id is not None for change in changes):
                points, keys = access_points(tx), doors.tag_keys(tx, self._vault)
                anew = _elsewhere(known.points, points) | {door for door in keys if keys[door] != known.tag_keys.get(door)}
            rights = follow(tx, known.rights, changes, now=now)
            if anew:
                rights |= build(tx, now=now, only=anew)
        else:
            with _undisturbed():
                points, keys, rights = access_points(tx), doors.tag_keys(tx, self._vault), build(tx, now=now)
        return Known(number=number, day=day, rights=rights, tag_keys=keys, points=points)

    def _take(self, new: Known) -> list[DoorId]:
        with self._lock:
            before = self.known.rights
            rights = {
                door: now if before.get(door, now) is now else now.after(before[door]) for door, now in new.rights.items()
            }
            self.known = replace(new, rights=rights)
            changed = [door for door, now in rights.items() if door not in before or before[door].digest != now.digest]
            for door in changed:
                if door in before:
                    self._remember(before[door])
        return changed

    def _remember(self, rights: DoorRights) -> None:
        earlier = self._earlier.setdefault(rights.door, OrderedDict())
        earlier[rights.digest] = rights
        if len(earlier) > REMEMBERED:
            earlier.popitem(last=False)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Python from looking for cycles, which halts every thread for longer the more there is: an index has none."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def utc_day(now: datetime) -> date:
    """Return the day whose midnight a snapshot counts from."""
    return now.astimezone(UTC).date()


def _elsewhere(before: tuple[Point, ...], now: tuple[Point, ...]) -> set[DoorId]:
    """Return the doors that lead elsewhere than before."""
    return {point.door_id for point in set(before) ^ set(now)}
