# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads, in one transaction, everything that says who may pass which door, and hands it to the rules.

What comes out is both the server's index and, without the refused tags, each door's snapshot. It writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from access_contract.snapshot import Snapshot, Window
from access_contract.vocabulary import DoorId, Reason
from booking_server import civil
from booking_server.access import service as access
from booking_server.access.rules import HORIZON, HeldRight, HeldTag, OwnHours, Point, index_of_door, joined, opened_points
from booking_server.bookings import service as bookings
from booking_server.doors import hours, lock_down
from booking_server.doors import service as doors
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags

_ONE_DAY = timedelta(days=1)


def build(tx: Connection, *, now: datetime) -> dict[DoorId, Snapshot]:
    """Return for each door in use all that is known of who may pass it, from now until HORIZON ahead."""
    points = [
        Point(door_id=p.door_id, point=p.point, from_area_id=p.from_area_id, to_area_id=p.to_area_id)
        for p in doors.access_points(tx)
    ]
    parents = places.parents(tx)
    rights = [*_granted(tx, now), *_booked(tx, now)]
    opens = {area: opened_points(points, parents, area) for area in {right.area_id for right in rights}}
    at_door = _by_door(rights, opens)
    suspended, change = people.suspended(tx), access.latest_change(tx)
    longer, unlocking, words = people.with_longer_time(tx), _unlocking(tx, now), lock_down.last_words(tx)
    return {
        door.id: index_of_door(
            door=door.id,
            rules=door.rules,
            expiry_days=door.snapshot_expiry_days,
            change=change,
            now=now,
            tags=[_held(tag, suspended, longer) for tag in tags.held_tags(tx, door.id)],
            rights=at_door.get(door.id, ()),
            opens=opens,
            unlocking=unlocking.get(door.id),
            lock_down=lock_down.for_door(words.get(door.site_id)),
        )
        for door in doors.doors(tx)
        if door.retired_at is None
    }


def _by_door(rights: Iterable[HeldRight], opens: Mapping[int, set[tuple[str, str]]]) -> dict[str, list[HeldRight]]:
    found: dict[str, list[HeldRight]] = {}
    for right in rights:
        for door in {door for door, _ in opens[right.area_id]}:
            found.setdefault(door, []).append(right)
    return found


def _held(tag: tags.HeldTag, suspended: set[int], longer: set[int]) -> HeldTag:
    reason = None
    if tag.blocked:
        reason = Reason.TAG_BLOCKED
    elif tag.person_id in suspended:
        reason = Reason.MEMBER_SUSPENDED
    return HeldTag(hash=tag.hash, person_id=tag.person_id, refused=reason, extended=tag.person_id in longer)


def _unlocking(tx: Connection, now: datetime) -> dict[str, OwnHours]:
    """Return the windows in which each door stands unlocked by itself; a door without hours has none."""
    zones = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    every = hours.hours(tx)
    found: dict[str, OwnHours] = {}
    for door in doors.doors(tx):
        own = [one for one in every if one.door_id == door.id]
        if own:
            windows = joined(window for one in own for window in _hours_windows(one, now, zones[door.site_id]))
            found[door.id] = OwnHours(windows=windows, waits=door.unlocking_waits)
    return found


def _hours_windows(one: hours.UnlockingHours, now: datetime, zone: ZoneInfo) -> Iterable[Window]:
    first, last = _days_ahead(now, zone)
    return _windows(first, last, one.weekdays, one.from_time, one.until_time, zone)


def _granted(tx: Connection, now: datetime) -> Iterable[HeldRight]:
    """Expand the grants. One is standing from its first day on: a door without a clock would believe it before."""
    zones = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    zone_of = {area.id: zones[area.site_id] for area in places.areas(tx)}
    expanded: dict[tuple[object, ...], tuple[Window, ...]] = {}
    for grant in access.grants(tx):
        zone = zone_of[grant.area_id]
        first, last = _span(grant, now, zone)
        hours = (first, last, grant.weekdays, grant.from_time, grant.until_time, zone.key)
        if hours not in expanded:
            expanded[hours] = _windows(first, last, grant.weekdays, grant.from_time, grant.until_time, zone)
        yield HeldRight(
            cause=f"grant:{grant.id}",
            person_id=grant.person_id,
            area_id=grant.area_id,
            windows=expanded[hours],
            standing=grant.standing and grant.from_day <= civil.vat_day(_midnight(now), zone),
            passes_lock_down=grant.passes_lock_down,
            may_disarm=grant.may_disarm,
            starts_unlocking=grant.starts_unlocking,
        )


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)


def _span(grant: access.Grant, now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """Begin a day early, for windows that run past midnight; the days do not change within a UTC day, nor does the snapshot."""
    first, last = _days_ahead(now, zone)
    return max(first, grant.from_day), last if grant.until_day is None else min(last, grant.until_day)


def _days_ahead(now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    midnight = _midnight(now)
    return midnight.astimezone(zone).date() - _ONE_DAY, (midnight + HORIZON).astimezone(zone).date()


def _windows(first: date, last: date, weekdays: int, from_time: time, until_time: time, zone: ZoneInfo) -> tuple[Window, ...]:
    weekly = civil.weekly_windows(
        from_day=first, until_day=last, weekdays=weekdays, from_time=from_time, until_time=until_time, zone=zone
    )
    return joined(Window(start, end) for start, end in weekly)


def _booked(tx: Connection, now: datetime) -> Iterable[HeldRight]:
    midnight = _midnight(now)
    for booking in bookings.bookings_between(tx, midnight, midnight + HORIZON + _ONE_DAY):
        yield HeldRight(
            cause=f"booking:{booking.id}",
            person_id=booking.person_id,
            area_id=booking.space_id,
            windows=(Window(booking.start_at, booking.end_at),),
            booked=True,
        )
