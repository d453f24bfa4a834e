# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which access points a grant or booking opens, and for which hours: what staff and members decided, made ready for doors.

Pure. It names no person to a door and no tag number to anybody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from access_contract.snapshot import Window
from access_contract.vocabulary import AccessPointId, DoorId, Reason

HORIZON = timedelta(days=35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An access point and where it leads; None is outside."""

    door_id: DoorId
    point: AccessPointId
    from_area_id: int | None
    to_area_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Instants at which something holds, under a name that doors share.

    The name is of what the windows were made from. A plan for every week keeps its name while its windows move on with the
    days, so that a new day tells a door new windows and not every tag anew.
    """

    name: str
    windows: tuple[Window, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRight:
    """A grant or booking of one person for one area, already expanded into windows."""

    cause: str
    person_id: int
    area_id: int
    hours: Hours
    standing: bool = False
    until: datetime | None = None
    passes_lock_down: bool = False
    booked: bool = False
    may_disarm: bool = False
    starts_unlocking: bool = False


class Holder(NamedTuple):
    """Who holds a tag, why it is refused if it is, and whether the holder needs longer at a door."""

    person_id: int | None
    refused: Reason | None = None
    extended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHours:
    """When a door stands unlocked by itself; with `waits` only once somebody has come."""

    hours: Hours
    waits: bool


def hours_of(plan: Any, windows: Iterable[Window]) -> Hours:
    """Return the windows made from `plan`: equal plans (of plain values, dates and times) have one name, always."""
    return Hours(name=hashlib.sha256(msgspec.json.encode(plan)).hexdigest()[:16], windows=tuple(windows))


def opened_points(points: Iterable[Point], parents: Mapping[int, int | None], area_id: int) -> set[tuple[str, str]]:
    """Return (door, access point) that a right to `area_id` opens: all on the way there, all below it, and the way out."""
    reached = _upwards(parents, area_id) | {area for area in parents if area_id in _upwards(parents, area)}
    return {(p.door_id, p.point) for p in points if (p.from_area_id if p.to_area_id is None else p.to_area_id) in reached}


def _upwards(parents: Mapping[int, int | None], area_id: int) -> set[int]:
    found: set[int] = set()
    at: int | None = area_id
    while at is not None and at not in found:
        found.add(at)
        at = parents.get(at)
    return found


def joined(windows: Iterable[Window]) -> tuple[Window, ...]:
    """Return the windows in order; those that touch or overlap are one, so that a whole week's access is one window."""
    found: list[Window] = []
    for window in sorted(windows):
        if found and window.start <= found[-1].end:
            found[-1] = Window(found[-1].start, max(window.end, found[-1].end))
        else:
            found.append(window)
    return tuple(found)
