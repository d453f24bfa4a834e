# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the ledger asks of other nouns while it takes events in: whose tag, which space, which booking, which command.

Only an access point that leads into a space is charged; one into a floor, a building or outside is on the way through.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from access_contract.messages import CommandDone
from booking_server.bookings import service as bookings
from booking_server.doors import commands, denying
from booking_server.doors import service as doors
from booking_server.ledger.deriving import Denied, Target
from booking_server.ledger.rules import Holding
from booking_server.places import service as places
from booking_server.tags import service as tags

ID_MAX = 2**31 - 1


class HubLookups:
    """The ledger's Lookups over this hub's own services."""

    def keytags(self, tx: Connection, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
        return tags.keytags_of_hashes(tx, named)

    def holdings(self, tx: Connection, keytag_ids: Collection[int]) -> dict[int, list[Holding]]:
        found: dict[int, list[Holding]] = {}
        for one in tags.assignments_of(tx, keytag_ids):
            holding = Holding(person_id=one.person_id, from_at=one.from_at, until_at=one.until_at)
            found.setdefault(one.keytag_id, []).append(holding)
        return found

    def targets(self, tx: Connection, points: Collection[tuple[str, str]]) -> dict[tuple[str, str], Target]:
        zones = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
        spaces = {space.area_id: _target(space, zones[space.site_id]) for space in places.spaces(tx)}
        leads = doors.access_points(tx, *{door for door, _ in points}) if points else []
        return {(p.door_id, p.point): spaces[p.to_area_id] for p in leads if p.to_area_id in spaces}

    def bookings(self, tx: Connection, booking_ids: Collection[int]) -> dict[int, tuple[int, datetime]]:
        return bookings.spaces_of(tx, [number for number in booking_ids if 0 < number <= ID_MAX])

    def command_done(self, tx: Connection, now: datetime, door_id: str, done: CommandDone) -> None:
        commands.command_done(tx, now=now, door_id=door_id, done=done)

    def denied(self, tx: Connection, now: datetime, taps: Sequence[Denied]) -> None:
        denying.tell(tx, now, taps)


def _target(space: places.Space, zone: ZoneInfo) -> Target:
    return Target(space_id=space.area_id, zone=zone, tap_is_entry_when_unlocked=space.tap_is_entry_when_unlocked)
