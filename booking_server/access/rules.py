# SPDX-License-Identifier: AGPL-3.0-or-later
"""Turns grants and bookings into what each door may admit: tags by hash, rights, and UTC windows shared by name.

Pure. The server's index and a door's snapshot come from the same result; the snapshot only leaves out refused tags, so
both decide alike. It names no person and no tag number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

import msgspec

from access_contract.snapshot import DoorRules, LockDown, Right, Snapshot, TagRights, Unlocking, Window
from access_contract.vocabulary import AccessPointId, DoorId, Reason, TagHash

HORIZON = timedelta(days=35)
_DAYS = 1_000_000
"""Snapshot numbers grow with each rights change and, between changes, with the day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """An access point and where it leads; None is outside."""

    door_id: DoorId
    point: AccessPointId
    from_area_id: int | None
    to_area_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRight:
    """A grant or booking of one person for one area, already expanded into windows."""

    cause: str
    person_id: int
    area_id: int
    windows: tuple[Window, ...]
    standing: bool = False
    passes_lock_down: bool = False
    booked: bool = False
    may_disarm: bool = False
    starts_unlocking: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldTag:
    """A tag as one door names it, who holds it, why it is refused if it is, and whether the holder needs longer."""

    hash: TagHash
    person_id: int | None
    refused: Reason | None = None
    extended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnHours:
    """When a door stands unlocked by itself, as windows; with `waits` only once somebody has come."""

    windows: tuple[Window, ...]
    waits: bool


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


def window_set_name(windows: tuple[Window, ...]) -> str:
    """Return the same short name for the same windows, always."""
    return hashlib.sha256(msgspec.json.encode(windows)).hexdigest()[:16]


def index_of_door(
    *,
    door: DoorId,
    rules: DoorRules,
    expiry_days: int,
    change: int,
    now: datetime,
    tags: Iterable[HeldTag],
    rights: Iterable[HeldRight],
    opens: Mapping[int, set[tuple[str, str]]],
    unlocking: OwnHours | None = None,
    lock_down: LockDown | None = None,
) -> Snapshot:
    """Return all that is known of who may pass `door`, refused tags among them. `opens` is opened_points by area."""
    made_at = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    sets: dict[str, tuple[Window, ...]] = {}
    of_person: dict[int, list[Right]] = {}
    for held in rights:
        here = tuple(sorted(AccessPointId(p) for d, p in opens.get(held.area_id, ()) if d == door))
        if here and held.windows:
            of_person.setdefault(held.person_id, []).append(_right(held, here, sets))
    known: dict[TagHash, TagRights] = {}
    for tag in tags:
        mine = () if tag.person_id is None else tuple(sorted(of_person.get(tag.person_id, ()), key=lambda r: r.cause))
        if tag.refused is not None or mine:
            rights_here = mine if tag.refused is None else ()
            known[tag.hash] = TagRights(rights=rights_here, refused=tag.refused, extended=tag.extended and bool(rights_here))
    return Snapshot(
        door=door,
        number=change * _DAYS + made_at.toordinal(),
        made_at=made_at,
        expires_at=made_at + timedelta(days=expiry_days),
        rules=rules,
        unlocking=None if unlocking is None else _unlocking(unlocking, sets),
        lock_down=lock_down,
        window_sets=sets,
        tags=known,
    )


def _right(held: HeldRight, points: tuple[AccessPointId, ...], sets: dict[str, tuple[Window, ...]]) -> Right:
    name = window_set_name(held.windows)
    sets[name] = held.windows
    return Right(
        cause=held.cause,
        windows=name,
        access_points=points,
        standing=held.standing,
        passes_lock_down=held.passes_lock_down,
        booked=held.booked,
        may_disarm=held.may_disarm,
        starts_unlocking=held.starts_unlocking,
    )


def _unlocking(hours: OwnHours, sets: dict[str, tuple[Window, ...]]) -> Unlocking:
    name = window_set_name(hours.windows)
    sets[name] = hours.windows
    return Unlocking(windows=name, first_in=hours.waits)


def for_door(index: Snapshot) -> Snapshot:
    """Return what the door itself may hold: only tags that it may admit, and only the windows they use."""
    tags = {name: held for name, held in index.tags.items() if held.refused is None}
    used = {right.windows for held in tags.values() for right in held.rights}
    if index.unlocking is not None:
        used.add(index.unlocking.windows)
    sets = {name: windows for name, windows in index.window_sets.items() if name in used}
    return msgspec.structs.replace(index, tags=tags, window_sets=sets)


def same_rights(one: Snapshot, other: Snapshot) -> bool:
    """True if the two differ in nothing but their number."""
    return msgspec.structs.replace(one, number=0) == msgspec.structs.replace(other, number=0)
