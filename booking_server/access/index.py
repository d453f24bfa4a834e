# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads, in one transaction, what says who may pass which door: all of it, or only what some changes may have touched.

Both come to the same: what `follow` makes of an index is what `build` would read anew. It is the server's index and, without
the refused tags, each door's snapshot. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from access_contract.snapshot import DoorRules, Head, LockDown
from access_contract.vocabulary import DoorId, Reason
from booking_server.access import service as access
from booking_server.access.door_rights import DoorRights, head_of_door, index_of_door
from booking_server.access.expanding import held_rights, own_hours
from booking_server.access.holdings import Holdings
from booking_server.access.rules import HeldRight, Holder, OwnHours, Point, opened_points
from booking_server.access.service import Change
from booking_server.doors import lock_down
from booking_server.doors import service as doors
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags

AT_ONCE = 400
"""How many people or keytags one query is asked for."""
Index = Mapping[DoorId, DoorRights]
_NOBODY = Holdings((), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    """What is to be told of one door beside its tags."""

    door: doors.Door
    unlocking: OwnHours | None
    lock_down: LockDown | None


def build(tx: Connection, *, now: datetime, only: Collection[DoorId] | None = None) -> dict[DoorId, DoorRights]:
    """Return for each door (or for these) all that is known of who may pass it: nobody where it is out of use."""
    told = _told(tx, now, only)
    if all(one.door.retired_at is not None for one in told):
        return {one.door.id: _built(tx, one, now, _NOBODY, {}) for one in told}
    holdings, suspended, longer = _holdings(tx, held_rights(tx, now)), people.suspended(tx), people.with_longer_time(tx)
    holders = {tag.keytag_id: _holder(tag, suspended, longer) for tag in tags.keytags_in_hand(tx)}
    return {one.door.id: _built(tx, one, now, holdings, holders) for one in told}


def access_points(tx: Connection) -> tuple[Point, ...]:
    """Return where every reader leads."""
    return tuple(
        Point(door_id=p.door_id, point=p.point, from_area_id=p.from_area_id, to_area_id=p.to_area_id)
        for p in doors.access_points(tx)
    )


def follow(tx: Connection, before: Index, changes: Iterable[Change], *, now: datetime) -> dict[DoorId, DoorRights]:
    """Return what `before` has become by changes of people, keytags and single doors; `now` is of the day of `before`.

    A door that is new, leads elsewhere than before or names its tags anew is to be built instead.
    """
    changes = list(changes)
    number, after = access.latest_change(tx), dict(before)
    for told in _told(tx, now, before.keys() & {c.door_id for c in changes}):
        after[told.door.id] = _with_head(tx, before[told.door.id], told, number, now)
    in_use = [door.id for door in doors.doors(tx) if door.retired_at is None and door.id in after]
    persons = sorted({c.person_id for c in changes if c.person_id is not None})
    keytags = sorted({c.keytag_id for c in changes if c.keytag_id is not None and c.person_id is None})
    for some in _portions(persons):
        _take_on(tx, after, in_use, tags.named_tags(tx, held_ever_by=some), number, now)
    for some in _portions(keytags):
        _take_on(tx, after, in_use, tags.named_tags(tx, keytag_ids=some), number, now)
    return after


def _portions(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE))


def _take_on(
    tx: Connection,
    after: dict[DoorId, DoorRights],
    in_use: Iterable[DoorId],
    named: Mapping[DoorId, list[tags.HeldTag]],
    number: int,
    now: datetime,
) -> None:
    """Let the doors in use hold these tags as they are now, whoever holds them now."""
    holders = {tag.person_id for held in named.values() for tag in held if tag.person_id is not None}
    holdings = _holdings(tx, held_rights(tx, now, holders))
    suspended, longer = people.suspended(tx, holders), people.with_longer_time(tx, holders)
    for door in in_use:
        wanted = {tag.hash: holdings.at(door, _holder(tag, suspended, longer)) for tag in named.get(door, ())}
        after[door] = after[door].with_tags(number, wanted, holdings.window_sets)


def _with_head(tx: Connection, before: DoorRights, told: _Door, number: int, now: datetime) -> DoorRights:
    if told.door.retired_at is not None:
        return build(tx, now=now, only={told.door.id})[told.door.id].after(before)
    return before.with_head(_head(told, number, now), None if told.unlocking is None else told.unlocking.hours)


def _head(told: _Door, number: int, now: datetime) -> Head:
    door = told.door
    return head_of_door(door.id, door.rules, door.snapshot_expiry_days, number, now, told.unlocking, told.lock_down)


def _built(tx: Connection, told: _Door, now: datetime, holdings: Holdings, holders: Mapping[int, Holder]) -> DoorRights:
    door, in_use = told.door, told.door.retired_at is None
    return index_of_door(
        door=door.id,
        rules=door.rules if in_use else DoorRules(),
        expiry_days=door.snapshot_expiry_days if in_use else 1,
        change=access.latest_change(tx),
        now=now,
        tags=((name, holders[tag]) for tag, name in tags.names_at_door(tx, door.id) if tag in holders) if in_use else (),
        holdings=holdings,
        unlocking=told.unlocking,
        lock_down=told.lock_down,
    )


def _told(tx: Connection, now: datetime, only: Collection[DoorId] | None) -> list[_Door]:
    if only is not None and not only:
        return []
    unlocking, words = own_hours(tx, now, *(only or ())), lock_down.last_words(tx)
    return [
        _Door(
            door=door,
            unlocking=unlocking.get(door.id) if door.retired_at is None else None,
            lock_down=lock_down.for_door(words.get(door.site_id)) if door.retired_at is None else None,
        )
        for door in doors.doors(tx)
        if only is None or door.id in only
    ]


def _holdings(tx: Connection, rights: Iterable[HeldRight]) -> Holdings:
    rights = list(rights)
    points, parents = access_points(tx), places.parents(tx)
    return Holdings(rights, {area: opened_points(points, parents, area) for area in {right.area_id for right in rights}})


def _holder(tag: tags.InHand | tags.HeldTag, suspended: Collection[int], longer: Collection[int]) -> Holder:
    reason = None
    if tag.blocked:
        reason = Reason.TAG_BLOCKED
    elif tag.person_id in suspended:
        reason = Reason.MEMBER_SUSPENDED
    return Holder(tag.person_id, reason, tag.person_id in longer)
