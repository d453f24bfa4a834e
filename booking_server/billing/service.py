# SPDX-License-Identifier: AGPL-3.0-or-later
"""Prices, and what a month of use comes to. The running month on a page and the closed month are both computed here.

A price is dated and never edited; the last one set for a day counts. It reads entries and bookings and changes neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, insert, select

from booking_server import civil
from booking_server.actors import SYSTEM, Actor, Role
from booking_server.audit import service as audit
from booking_server.billing.rules import BookedTime, Charge, Price, PriceList, Unit, rate
from booking_server.billing.tables import prices as price_table
from booking_server.bookings import service as bookings
from booking_server.errors import Invalid
from booking_server.ledger import service as ledger
from booking_server.people import service as people
from booking_server.places import service as places

AMOUNT_CENTS_MAX = 10_000_000
VAT_PERMILLE_FROM = ((date(2024, 9, 1), (255, 140, 100, 0)), (date(2026, 1, 1), (255, 135, 100, 0)))
"""Finnish rates (VAT Act, sections 84, 85 and 85 a), and from which day. 0 is exempt use of immovable property (section 27)."""


def set_price(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    space_id: int,
    unit: str,
    amount_cents: int,
    vat_permille: int,
    from_day: date,
) -> Price:
    """Set what a unit of a space costs from a day on, without VAT; 0 makes it free from then on.

    A price may start on the first day of the month before at the earliest. Raise Invalid; NotFound; NotAllowed.
    """
    actor.must_be(Role.BILLING)
    space = places.space(tx, space_id)
    actor.must_be_at(space.site_id, Role.BILLING)
    _check_price(unit, amount_cents, vat_permille, from_day)
    today = civil.vat_day(now, ZoneInfo(places.site(tx, space.site_id).time_zone))
    earliest = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    if from_day < earliest:
        raise Invalid("from_day", "A price may start on {day} at the earliest.", day=earliest)
    row = {
        "space_id": space_id,
        "unit": unit,
        "amount_cents": amount_cents,
        "vat_permille": vat_permille,
        "from_day": from_day,
    }
    tx.execute(insert(price_table).values(**row, set_at=now))
    detail = {**row, "from_day": from_day.isoformat()}
    audit.note(tx, actor, now=now, act="price_set", subject=f"space:{space_id}", **detail)
    return Price(space_id=space_id, unit=Unit(unit), amount_cents=amount_cents, vat_permille=vat_permille, from_day=from_day)


def vat_permilles(day: date) -> tuple[int, ...]:
    """Return the VAT rates of a day, highest first."""
    begun = [rates for first, rates in VAT_PERMILLE_FROM if first <= day]
    return begun[-1] if begun else VAT_PERMILLE_FROM[0][1]


def prices(tx: Connection, *, set_by: datetime | None = None) -> list[Price]:
    """Return all prices, by space, unit and day; with `set_by`, as they stood at that instant."""
    latest: dict[tuple[int, str, date], Price] = {}
    found = select(price_table).order_by(price_table.c.id)
    for row in tx.execute(found if set_by is None else found.where(price_table.c.set_at <= set_by)):
        latest[row.space_id, row.unit, row.from_day] = Price(
            space_id=row.space_id,
            unit=Unit(row.unit),
            amount_cents=row.amount_cents,
            vat_permille=row.vat_permille,
            from_day=row.from_day,
        )
    return [latest[key] for key in sorted(latest)]


def prices_of_space(tx: Connection, space_id: int) -> list[Price]:
    """Return the prices of one space, by unit and day."""
    return [price for price in prices(tx) if price.space_id == space_id]


def priced(tx: Connection) -> ledger.Priced:
    """Return what says whether using a space costs something on a day, by whatever unit."""
    known = PriceList(prices(tx))
    return lambda space_id, day: any(known.in_force(space_id, unit, day) is not None for unit in Unit)


def charges_of_month(
    tx: Connection, actor: Actor, *, month: str, demo: bool, priced_at: datetime | None = None
) -> list[Charge]:
    """Return what everybody's use in the service days of "2026-11" comes to. Raise NotAllowed.

    `priced_at`: by the prices as they stood at that instant, so that a price set later never changes a closed month.
    """
    actor.must_be_everywhere(Role.BILLING)
    used = ledger.entries_of_month(tx, actor, month)
    return _rated(tx, month, used, _booked(tx, month), demo=demo, priced_at=priced_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class UseOfSpace:
    """How a space was used in a month: entries that count, hours booked (started ones), and what both come to without VAT."""

    space_id: int
    entries: int
    booked_hours: int
    net_cents: int


def use_of_month(tx: Connection, actor: Actor, *, month: str, demo: bool) -> list[UseOfSpace]:
    """Return how the spaces at the actor's sites were used in the service days of "2026-11", naming nobody.

    Raise Invalid for what is no month; NotAllowed.
    """
    where = actor.sites(Role.REPORTS, Role.BILLING, Role.HOST)
    actor.must_be(Role.REPORTS, Role.BILLING, Role.HOST)
    used, booked = ledger.entries_of_month(tx, SYSTEM, month), _booked(tx, month)
    charges = _rated(tx, month, used, booked, demo=demo)
    first, after = civil.days_of_month(month)
    held = [one for one in booked if one.cancelled_at is None and first <= one.service_day < after]
    return [
        UseOfSpace(
            space_id=space.area_id,
            entries=sum(one.space_id == space.area_id and one.merged_into is None for one in used),
            booked_hours=sum(one.started_hours for one in held if one.space_id == space.area_id),
            net_cents=sum(one.net_cents for one in charges if one.space_id == space.area_id),
        )
        for space in places.spaces(tx)
        if where is None or space.site_id in where
    ]


def charges_of_person(tx: Connection, actor: Actor, *, person_id: int, month: str, demo: bool) -> list[Charge]:
    """Return what one person's use of a month comes to so far: the same computation as the invoice's. Raise NotAllowed."""
    actor.must_act_for(person_id, Role.HOST, Role.BILLING)
    used = ledger.entries_of_person(tx, actor, person_id=person_id, month=month)
    booked = [booking for booking in _booked(tx, month) if booking.person_id == person_id]
    return _rated(tx, month, used, booked, demo=demo)


def _rated(
    tx: Connection,
    month: str,
    used: list[ledger.Entry],
    booked: Iterable[BookedTime],
    *,
    demo: bool,
    priced_at: datetime | None = None,
) -> list[Charge]:
    first, after = civil.days_of_month(month)
    inside = [booking for booking in booked if first <= booking.service_day < after]
    return rate(used, inside, prices(tx, set_by=priced_at), people.payers(tx), demo=demo)


def _booked(tx: Connection, month: str) -> list[BookedTime]:
    """Read a day more on either side: a service day begins at another instant in each time zone."""
    zones = _zones(tx)
    first, after = (datetime.combine(day, civil.DAY_STARTS, ZoneInfo("UTC")) for day in civil.days_of_month(month))
    found = bookings.started_between(tx, first - timedelta(days=1), after + timedelta(days=1))
    return [
        BookedTime(
            booking_id=booking.id,
            space_id=booking.space_id,
            person_id=booking.person_id,
            start_at=booking.start_at,
            end_at=booking.end_at,
            cancelled_at=booking.cancelled_at,
            service_day=civil.service_day(booking.start_at, zones[booking.space_id]),
            vat_day=civil.vat_day(booking.end_at, zones[booking.space_id]),
        )
        for booking in found
    ]


def _zones(tx: Connection) -> Mapping[int, ZoneInfo]:
    of_site = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    return {space.area_id: of_site[space.site_id] for space in places.spaces(tx)}


def _check_price(unit: str, amount_cents: int, vat_permille: int, from_day: date) -> None:
    if unit not in tuple(Unit):
        raise Invalid("unit", "Choose what the price is for.")
    if not 0 <= amount_cents <= AMOUNT_CENTS_MAX:
        raise Invalid("amount", "Write an amount between 0 and 100 000 euros.")
    rates = vat_permilles(from_day)
    if vat_permille not in rates:
        names = ", ".join(f"{permille / 10:g}" for permille in rates)
        raise Invalid("vat", "On {day} there is no such VAT rate. Choose one of {rates} percent.", day=from_day, rates=names)
