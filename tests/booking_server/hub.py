# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the tests of the booking server share: an instant, somebody of each role, and a small hub."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from access_contract.vocabulary import TagNumber
from booking_server.accounts import service as accounts
from booking_server.actors import Actor, Role
from tests.system.desk import Desk

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
"""A Tuesday, 14:00 in Helsinki."""

TAG, OTHER_TAG = TagNumber.parse("04 78 2E 21 80 1D 80"), TagNumber.parse("04 78 2E 21 80 1D 81")
ADMINISTRATOR = Actor.of("Anna", Role.ADMINISTRATOR)
HOST = Actor.of("Heikki", Role.HOST)
BILLING = Actor.of("Birgit", Role.BILLING)
MEMBER = Actor.of("Maija", Role.MEMBER)
"""A member as a role only; who is somebody's own account is the fixture `member`."""
PASSWORD = "correct horse battery"


@dataclass(frozen=True, slots=True)
class StillClock:
    """A clock that stands."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class Hub:
    """A site with a lobby door and, behind it, a meeting room with its own door; two people."""

    desk: Desk
    site: int
    room: int
    aino: int
    ville: int


def make_hub(desk: Desk) -> Hub:
    """Make the hub through the services."""
    site = desk.site("Omnia")
    room = desk.space(site, "Big room", "meeting-room", bookable=True)
    desk.door("lobby", "Lobby", leads_into=site)
    desk.door("room", "Big room", leads_into=room)
    return Hub(desk, site, room, desk.person("Aino Virtanen"), desk.person("Ville Korhonen"))


def sign_aino_up(hub: Hub) -> Actor:
    """Give Aino an account and return her, signed in. It takes its time: the password is hashed."""
    with hub.desk.database.write() as tx:
        account = accounts.add_account(
            tx,
            ADMINISTRATOR,
            now=NOW,
            sign_in_name="aino@example.org",
            name="Aino Virtanen",
            role=Role.MEMBER,
            password=PASSWORD,
            person_id=hub.aino,
        )
    return account.actor()
