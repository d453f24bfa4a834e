# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the ledger asks of other nouns while it takes events in: whose tag, which space, which booking, which command.

Only an access point that leads into a space is charged; one into a floor, a building or outside is on the way through.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from access_contract.messages import CommandDone
from booking_server.bookings import service as bookings
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.errors import NotFound
from booking_server.ledger.ingest import Target
from booking_server.places import service as places
from booking_server.tags import service as tags

ID_MAX = 2**31 - 1


class HubLookups:
    """The ledger's Lookups over this hub's own services."""

    def keytag(self, tx: Connection, door_id: str, tag_hash: str) -> int | None:
        return tags.keytag_of_hash(tx, door_id, tag_hash)

    def holder(self, tx: Connection, keytag_id: int, at: datetime) -> int | None:
        return tags.holder(tx, keytag_id, at)

    def target(self, tx: Connection, door_id: str, point: str) -> Target | None:
        area = next((p.to_area_id for p in doors.access_points(tx, door_id) if p.point == point), None)
        if area is None:
            return None
        try:
            space = places.space(tx, area)
        except NotFound:
            return None
        return Target(space_id=space.area_id, zone=ZoneInfo(places.site(tx, space.site_id).time_zone))

    def booking_exists(self, tx: Connection, booking_id: int) -> bool:
        if not 0 < booking_id <= ID_MAX:
            return False
        try:
            bookings.booking(tx, booking_id)
        except NotFound:
            return False
        return True

    def command_done(self, tx: Connection, now: datetime, door_id: str, done: CommandDone) -> None:
        commands.command_done(tx, now=now, door_id=door_id, done=done)
