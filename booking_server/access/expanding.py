# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads grants, bookings and unlocking hours, and expands them into UTC windows from today until HORIZON ahead.

The windows change with the UTC day and not within it, so within a day the same facts make the same snapshot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from access_contract.snapshot import Window
from booking_server import civil
from booking_server.access import service as access
from booking_server.access.rules import HORIZON, HeldRight, Hours, OwnHours, hours_of, joined
from booking_server.bookings import service as bookings
from booking_server.doors import hours as door_hours
from booking_server.doors import service as doors
from booking_server.places import service as places

_ONE_DAY = timedelta(days=1)
Plan = tuple[date | None, date | None, int, time, time, str]
"""First and last day where they lie within what is ahead, weekdays, hours, zone."""


def held_rights(tx: Connection, now: datetime, people: Collection[int] | None = None) -> list[HeldRight]:
    """Return the rights of these people, or of all, that hold at some time ahead."""
    return [right for right in (*_granted(tx, now, people), *_booked(tx, now, people)) if right.hours.windows]


def own_hours(tx: Connection, now: datetime, *door_ids: str) -> dict[str, OwnHours]:
    """Return when each of these doors, or of all, stands unlocked by itself; a door without hours has none."""
    zones = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    every: dict[str, list[door_hours.UnlockingHours]] = {}
    for one in door_hours.hours(tx, *door_ids):
        every.setdefault(one.door_id, []).append(one)
    return {
        door.id: OwnHours(hours=_unlocking(every[door.id], now, zones[door.site_id]), waits=door.unlocking_waits)
        for door in doors.doors(tx)
        if door.id in every
    }


def _unlocking(these: Iterable[door_hours.UnlockingHours], now: datetime, zone: ZoneInfo) -> Hours:
    plans = sorted((one.weekdays, one.from_time, one.until_time) for one in these)
    first, last = _days_ahead(now, zone)
    return hours_of((plans, zone.key), joined(window for plan in plans for window in _windows(first, last, *plan, zone)))


def _granted(tx: Connection, now: datetime, people: Collection[int] | None) -> Iterator[HeldRight]:
    """Expand the grants. One is standing from its first day on: a door without a clock would believe it before."""
    zones = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    zone_of = {area.id: zones[area.site_id] for area in places.areas(tx)}
    ahead = {zone.key: _days_ahead(now, zone) for zone in zones.values()}
    expanded: dict[Plan, Hours] = {}
    for grant in access.grants(tx, people):
        zone = zone_of[grant.area_id]
        plan = _plan(grant, *ahead[zone.key], zone)
        if plan not in expanded:
            expanded[plan] = _hours(plan, *ahead[zone.key], zone)
        yield HeldRight(
            cause=f"grant:{grant.id}",
            person_id=grant.person_id,
            area_id=grant.area_id,
            hours=expanded[plan],
            standing=grant.standing and grant.from_day <= civil.vat_day(_midnight(now), zone),
            until=_end(grant, zone),
            passes_lock_down=grant.passes_lock_down,
            may_disarm=grant.may_disarm,
            starts_unlocking=grant.starts_unlocking,
        )


def _end(grant: access.Grant, zone: ZoneInfo) -> datetime | None:
    """Return when a grant that is to end has ended: with the hours of its last day, which may run past midnight."""
    if grant.until_day is None:
        return None
    end = grant.until_time if grant.until_time <= grant.from_time else time()
    return civil.utc(grant.until_day + _ONE_DAY, end, zone, later=True)


def _plan(grant: access.Grant, first: date, last: date, zone: ZoneInfo) -> Plan:
    """Return what the grant's windows are made from: days that lie outside what is ahead make no difference, nor a new name."""
    from_day = grant.from_day if grant.from_day > first else None
    until_day = grant.until_day if grant.until_day is not None and grant.until_day < last else None
    return from_day, until_day, grant.weekdays, grant.from_time, grant.until_time, zone.key


def _hours(plan: Plan, first: date, last: date, zone: ZoneInfo) -> Hours:
    from_day, until_day, weekdays, from_time, until_time, _ = plan
    return hours_of(plan, _windows(from_day or first, until_day or last, weekdays, from_time, until_time, zone))


def _booked(tx: Connection, now: datetime, people: Collection[int] | None) -> Iterator[HeldRight]:
    midnight = _midnight(now)
    for booking in bookings.bookings_between(tx, midnight, midnight + HORIZON + _ONE_DAY, people):
        windows = (Window(booking.start_at, booking.end_at),)
        yield HeldRight(
            cause=f"booking:{booking.id}",
            person_id=booking.person_id,
            area_id=booking.space_id,
            hours=hours_of(windows, windows),
            booked=True,
        )


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC)


def _days_ahead(now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """Begin a day early, for windows that run past midnight."""
    midnight = _midnight(now)
    return midnight.astimezone(zone).date() - _ONE_DAY, (midnight + HORIZON).astimezone(zone).date()


def _windows(first: date, last: date, weekdays: int, from_time: time, until_time: time, zone: ZoneInfo) -> tuple[Window, ...]:
    weekly = civil.weekly_windows(
        from_day=first, until_day=last, weekdays=weekdays, from_time=from_time, until_time=until_time, zone=zone
    )
    return joined(Window(start, end) for start, end in weekly)
