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
from booking_server.access.rules import HORIZON, HeldRight, HeldTag, Point, index_of_door, opened_points
from booking_server.bookings import service as bookings
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
    return {
        door.id: index_of_door(
            door=door.id,
            rules=door.rules,
            expiry_days=door.snapshot_expiry_days,
            change=change,
            now=now,
            tags=[_held(tag, suspended) for tag in tags.held_tags(tx, door.id)],
            rights=at_door.get(door.id, ()),
            opens=opens,
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


def _held(tag: tags.HeldTag, suspended: set[int]) -> HeldTag:
    reason = None
    if tag.blocked:
        reason = Reason.TAG_BLOCKED
    elif tag.person_id in suspended:
        reason = Reason.MEMBER_SUSPENDED
    return HeldTag(hash=tag.hash, person_id=tag.person_id, refused=reason)


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
        )


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)


def _span(grant: access.Grant, now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """Begin a day early, for windows that run past midnight; the days do not change within a UTC day, nor does the snapshot."""
    midnight = _midnight(now)
    first, last = midnight.astimezone(zone).date() - _ONE_DAY, (midnight + HORIZON).astimezone(zone).date()
    return max(first, grant.from_day), last if grant.until_day is None else min(last, grant.until_day)


def _windows(first: date, last: date, weekdays: int, from_time: time, until_time: time, zone: ZoneInfo) -> tuple[Window, ...]:
    """Return the windows in order; those that touch are one, so that a whole week's access is one window."""
    joined: list[Window] = []
    for start, end in civil.weekly_windows(
        from_day=first, until_day=last, weekdays=weekdays, from_time=from_time, until_time=until_time, zone=zone
    ):
        if joined and start <= joined[-1].end:
            joined[-1] = Window(joined[-1].start, max(end, joined[-1].end))
        else:
            joined.append(Window(start, end))
    return tuple(joined)


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
