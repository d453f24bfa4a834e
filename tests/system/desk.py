# SPDX-License-Identifier: AGPL-3.0-or-later
"""The staff's desk in code: what a host does on the pages, done through the same services, in the same database.

Laws of the whole system are tested through it, and the demo's hub is made with it. The story itself uses the pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from access_contract.vocabulary import TagNumber
from booking_server.access import service as access
from booking_server.actors import Actor, Role
from booking_server.billing import service as billing
from booking_server.bookings import service as bookings
from booking_server.clock import Clock
from booking_server.db import Database
from booking_server.doors import adding, commands
from booking_server.doors import service as doors
from booking_server.keys import Keys
from booking_server.ledger import service as ledger
from booking_server.messages import outbox, showing
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags

HOST = Actor.of("demo host", Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Desk:
    """One member of staff with every right, at one hub."""

    database: Database
    keys: Keys
    clock: Clock
    actor: Actor = field(default=HOST)

    def site(self, name: str) -> int:
        """Make a site and return the area that is the whole of it."""
        with self.database.write() as tx:
            made = places.add_site(tx, self.actor, now=self.clock.now(), name=name, time_zone="Europe/Helsinki")
        return made.area_id

    def space(self, inside: int, name: str, kind: str, *, capacity: int = 1, bookable: bool = False) -> int:
        """Make a space in the area `inside` and return its area."""
        with self.database.write() as tx:
            made = places.add_space(
                tx,
                self.actor,
                now=self.clock.now(),
                parent_id=inside,
                name=name,
                kind=kind,
                capacity=capacity,
                bookable=bookable,
            )
        return made.area_id

    def door(self, door_id: str, name: str, *, leads_into: int, log_named: str = "priced", log_reason: str = "") -> str:
        """Make a door with one reader that leads into the area, and return its id."""
        with self.database.write() as tx:
            site = next(site for site in places.sites(tx) if leads_into in {area.id for area in places.areas(tx, site.id)})
            adding.add_door(
                tx,
                self.actor,
                now=self.clock.now(),
                vault=self.keys.vault,
                door_id=door_id,
                site_id=site.id,
                name=name,
                to_area_id=leads_into,
                log_named=log_named,
                log_reason=log_reason,
            )
        return door_id

    def person(self, name: str, *, email: str = "", language: str = "fi", address: str = "Katu 1, 00100 Helsinki") -> int:
        email = email or f"{name.split()[0].lower()}@example.org"
        with self.database.write() as tx:
            made = people.add_person(
                tx, self.actor, now=self.clock.now(), name=name, email=email, language=language, address=address
            )
        return made.id

    def price(self, space: int, unit: str, amount_cents: int, *, from_day: date, vat_permille: int = 255) -> None:
        with self.database.write() as tx:
            billing.set_price(
                tx,
                self.actor,
                now=self.clock.now(),
                space_id=space,
                unit=unit,
                amount_cents=amount_cents,
                vat_permille=vat_permille,
                from_day=from_day,
            )

    def tag(self, person: int, number: TagNumber) -> int:
        """Hand out the keytag with this number and return its id."""
        with self.database.write() as tx:
            made = tags.hand_out_tag(
                tx, self.actor, now=self.clock.now(), vault=self.keys.vault, number=number, person_id=person
            )
        return made.id

    def block(self, keytag: int, reason: str = "lost") -> None:
        with self.database.write() as tx:
            tags.block_tag(tx, self.actor, now=self.clock.now(), keytag_id=keytag, reason=reason)

    def grant(self, person: int, area: int, *, from_day: date, standing: bool = False) -> int:
        with self.database.write() as tx:
            made = access.grant_access(
                tx,
                self.actor,
                now=self.clock.now(),
                person_id=person,
                area_id=area,
                from_day=from_day,
                standing=standing,
            )
        return made.id

    def withdraw(self, grant: int) -> None:
        with self.database.write() as tx:
            access.withdraw_access(tx, self.actor, now=self.clock.now(), grant_id=grant)

    def open(self, door_id: str, reason: str) -> str:
        """Ask a door to open once and return the command's id."""
        with self.database.write() as tx:
            return commands.ask_open(tx, self.actor, now=self.clock.now(), door_id=door_id, reason=reason).command

    def leave_old_mail(self) -> None:
        """Leave unsent what a made-up past had to tell, but for the last days."""
        with self.database.write() as tx:
            outbox.give_up(tx, now=self.clock.now())
            showing.let_be(tx, self.actor, now=self.clock.now())

    def outcome(self, command_id: str) -> str | None:
        """What became of a command; None while nothing is known."""
        with self.database.read() as tx:
            return commands.command(tx, command_id).outcome

    def book(self, space: int, person: int, start: datetime, end: datetime) -> int:
        with self.database.write() as tx:
            made = bookings.book_space(
                tx, self.actor, now=self.clock.now(), space_id=space, person_id=person, start_at=start, end_at=end
            )
        return made.id

    def taps(self, limit: int = 500) -> list[ledger.Tap]:
        """The taps that the server has stored, newest first."""
        with self.database.read() as tx:
            return ledger.recent_taps(tx, self.actor, limit=limit)

    def entries(self, month: str) -> list[ledger.Entry]:
        """What the server counts as entered in a month ("2026-03")."""
        with self.database.read() as tx:
            return ledger.entries_of_month(tx, self.actor, month)

    def online(self, door_id: str, *, since: datetime | None = None) -> bool:
        """Whether the server has heard this door (at `since` or later) and not lost it."""
        with self.database.read() as tx:
            state = doors.door_states(tx).get(door_id)
        return state is not None and state.online and (since is None or state.heard_at >= since)
