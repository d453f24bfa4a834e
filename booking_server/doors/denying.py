# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells people by mail why a door did not open for them: once an hour at most, however often they tried.

It happens while events are taken in, so it reads only what belongs to the person and the door.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from access_contract.vocabulary import Reason
from booking_server.access import expanding
from booking_server.access.index import access_points
from booking_server.access.rules import opened_points
from booking_server.doors import service as doors
from booking_server.ledger.deriving import Denied
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.places import service as places

SILENT_FOR = timedelta(hours=1)
_BY_TIME = frozenset({Reason.OUTSIDE_HOURS, Reason.NO_BOOKING})


def tell(tx: Connection, now: datetime, taps: Sequence[Denied]) -> None:
    """Put a message for each of these people who was not told within the last hour: of their first tap here."""
    first: dict[int, Denied] = {}
    for tap in taps:
        first.setdefault(tap.person_id, tap)
    for person_id, tap in first.items():
        last = messages.last_put(tx, Kind.DENIED_TAP, person_id)
        if last is None or last <= now - SILENT_FOR:
            _put(tx, now, tap)


def next_opening(tx: Connection, now: datetime, *, person_id: int, door_id: str, point: str) -> datetime | None:
    """Return when an access point next begins to open for a person, as far as that is known; None if it does by now."""
    points, parents = access_points(tx), {area.id: area.parent_id for area in places.areas(tx)}
    rights = expanding.held_rights(tx, now, [person_id])
    mine = [right for right in rights if (door_id, point) in opened_points(points, parents, right.area_id)]
    windows = [window for right in mine for window in right.hours.windows if window.end > now]
    begins = min((window.start for window in windows), default=None)
    return None if begins is None or begins <= now else begins


def _put(tx: Connection, now: datetime, tap: Denied) -> None:
    door = doors.door(tx, tap.door_id)
    by_time = tap.reason in _BY_TIME
    messages.put(
        tx,
        now=now,
        kind=Kind.DENIED_TAP,
        to=Recipient(person_id=tap.person_id),
        key=f"denied_tap:{tap.person_id}:{now:%Y-%m-%dT%H}",
        door=door.name,
        at=tap.at,
        zone=places.site(tx, door.site_id).time_zone,
        reason=tap.reason,
        next_at=next_opening(tx, now, person_id=tap.person_id, door_id=tap.door_id, point=tap.point) if by_time else None,
    )
