# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small hub with prices, in a fixed March: what its doors say comes through the ledger, what staff do through the services.

What its month must come to is written here as a person worked it out by hand.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from access_contract.vocabulary import TagNumber
from booking_server.actors import Actor, Role
from booking_server.config import Seller
from booking_server.invoices import service as invoices
from booking_server.invoices.service import Invoice, MonthState
from tests.system.desk import Desk
from tests.web.playing import PlayedDoor

MARCH, APRIL, MAY = "2026-03", "2026-04", "2026-05"
BEGIN = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
"""A Monday, 09:00 in Helsinki."""
MARCH_OVER = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)
APRIL_OVER, MAY_OVER = datetime(2026, 5, 2, 6, 0, tzinfo=UTC), datetime(2026, 6, 2, 6, 0, tzinfo=UTC)
SELLER = Seller(name="Omnia Oy", address="Lehtimäentie 1, 02770 Espoo", business_id="2077474-0", iban="FI2112345600000785")
BIRGIT = Actor.of("Birgit", Role.BILLING)

AINO_CENTS = (4860, 1239, 6099)
"""Three entries at 4,20 (a fourth tap was a re-tap) and three started hours at 12,00, at 25,5 %: 48,60 and 12,393 VAT."""
VILLE_CENTS = (1500, 203, 1703)
"""One day at 15,00, entered twice, at 13,5 %: 2,025 VAT."""


@dataclass(slots=True)
class TurnedByHand:
    """A clock that shows what it was set to."""

    at: datetime = BEGIN

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass(slots=True)
class Office:
    """Three spaces with a door each, three people; Pasi never comes."""

    desk: Desk
    clock: TurnedByHand
    studio: int = 0
    shop: int = 0
    gallery: int = 0
    aino: int = 0
    ville: int = 0
    pasi: int = 0
    doors: dict[str, PlayedDoor] = field(default_factory=dict)
    tags: dict[int, TagNumber] = field(default_factory=dict)

    def tap(self, door: str, person: int, at: datetime, **more: object) -> None:
        """The person taps and enters; the door says so at once."""
        self.clock.at = at
        self.doors[door].tap(self.tags[person], **more)  # type: ignore[arg-type]

    def say_all_sent(self, at: datetime, *doors: str) -> None:
        """The doors say that they have nothing more to send; all of them, if none is named."""
        for name in doors or self.doors:
            door = self.doors[name]
            door.status(at, journal=f"{name}-journal", last_sequence=door.sequence)

    def use_march(self) -> None:
        """Aino's and Ville's March; every door is heard after its end."""
        at = BEGIN
        self.tap("studio", self.aino, at)
        self.tap("studio", self.aino, at + timedelta(seconds=90))
        self.tap("studio", self.aino, at + timedelta(hours=3))
        booking = self.desk.book(self.shop, self.aino, at + timedelta(hours=5), at + timedelta(hours=7, minutes=30))
        self.tap("shop", self.aino, at + timedelta(hours=5), cause=f"booking:{booking}")
        self.tap("gallery", self.ville, at + timedelta(hours=6))
        self.tap("gallery", self.ville, at + timedelta(hours=17))
        self.tap("studio", self.aino, datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
        self.clock.at = MARCH_OVER
        self.say_all_sent(MARCH_OVER)

    def close(self, month: str, *, seller: Seller = SELLER, left_open: str = "", demo: bool = False) -> list[Invoice]:
        with self.desk.database.write() as tx:
            return invoices.close_month(
                tx, BIRGIT, now=self.clock.now(), month=month, seller=seller, demo=demo, left_open=left_open
            )

    def state(self, month: str, *, demo: bool = False) -> MonthState:
        with self.desk.database.read() as tx:
            return invoices.month_state(tx, BIRGIT, month=month, now=self.clock.now(), demo=demo)

    def invoices(self, month: str) -> list[Invoice]:
        with self.desk.database.read() as tx:
            return invoices.invoices_of_month(tx, BIRGIT, month)


def make_office(desk: Desk, clock: TurnedByHand) -> Office:
    """Make the hub on the first working day of March."""
    office, site = Office(desk, clock), desk.site("Omnia")
    office.studio = desk.space(site, "Studio", "co-creation")
    office.shop = desk.space(site, "Pop-up shop", "pop-up", bookable=True)
    office.gallery = desk.space(site, "Galleria", "showroom")
    first = date(2026, 3, 1)
    desk.price(office.studio, "entry", 420, from_day=first)
    desk.price(office.shop, "booked_hour", 1200, from_day=first)
    desk.price(office.gallery, "day", 1500, from_day=first, vat_permille=135)
    for name, space in (("studio", office.studio), ("shop", office.shop), ("gallery", office.gallery)):
        office.doors[name] = PlayedDoor(desk, desk.door(name, f"{name.title()} door", leads_into=space))
    office.aino, office.ville, office.pasi = (desk.person(name) for name in ("Aino Virtanen", "Ville Korhonen", "Pasi Laine"))
    for number, person in enumerate((office.aino, office.ville, office.pasi)):
        office.tags[person] = TagNumber.parse(f"04782E21801D8{number}")
        desk.tag(person, office.tags[person])
    return office
