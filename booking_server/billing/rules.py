# SPDX-License-Identifier: AGPL-3.0-or-later
"""What use costs: a pure function from entries, bookings and dated prices to charges, and from charges to VAT.

The running month and the invoice are both this one computation. Money is whole cents without VAT until `vat_of`; nothing
here divides but `half_up_cents`. It never reads a clock, a database or a time zone: days come in as days.

The rules:
- a price per entry counts every entry that was not merged into an earlier one;
- a price per day counts visits: one for each person, space and service day;
- a price per booked hour counts started hours as booked, used or not; a booking cancelled before its start costs nothing;
- an entry made by a booking of that very space, where it has a price per booked hour, is already paid by that booking;
- doubtful entries, and entries whose person is no longer known, are not charged; simulated ones only in a demo;
- the price in force on the calendar day (`vat_day`) counts; a price of zero makes no charge.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby, pairwise
from typing import Protocol, TypeVar

HOUR = timedelta(hours=1)

Thing = TypeVar("Thing")


class Unit(StrEnum):
    """What a price is for."""

    ENTRY = "entry"
    DAY = "day"
    BOOKED_HOUR = "booked_hour"


class UsedEntry(Protocol):
    """What rating needs to know of an entry of the ledger."""

    @property
    def id(self) -> int: ...
    @property
    def space_id(self) -> int: ...
    @property
    def person_id(self) -> int | None: ...
    @property
    def service_day(self) -> date: ...
    @property
    def vat_day(self) -> date: ...
    @property
    def merged_into(self) -> int | None: ...
    @property
    def booking_id(self) -> int | None: ...
    @property
    def doubtful(self) -> bool: ...
    @property
    def simulated(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedTime:
    """A booking as rating sees it: it belongs to the service day on which it starts; its price and VAT are those of the
    calendar day on which it ends, when the service is complete."""

    booking_id: int
    space_id: int
    person_id: int
    start_at: datetime
    end_at: datetime
    cancelled_at: datetime | None
    service_day: date
    vat_day: date

    @property
    def started_hours(self) -> int:
        return -((self.start_at - self.end_at) // HOUR)

    @property
    def cancelled_in_time(self) -> bool:
        return self.cancelled_at is not None and self.cancelled_at < self.start_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one `unit` of a space costs from `from_day` on: cents without VAT, and the VAT rate in permille (255 = 25.5 %)."""

    space_id: int
    unit: Unit
    amount_cents: int
    vat_permille: int
    from_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One thing to pay. `key` is the same for the same use at every rating; `cause` names all it rests on ("entry:12")."""

    key: str
    person_id: int
    customer_id: int
    space_id: int
    service_day: date
    vat_day: date
    unit: Unit
    quantity: int
    unit_cents: int
    net_cents: int
    vat_permille: int
    cause: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VatShare:
    """All charges of one VAT rate, and the VAT on their sum."""

    vat_permille: int
    net_cents: int
    vat_cents: int


class Taxed(Protocol):
    """Anything with an amount without VAT and a rate: a charge, or a line of an invoice."""

    @property
    def net_cents(self) -> int: ...
    @property
    def vat_permille(self) -> int: ...


def half_up_cents(numerator: int, denominator: int) -> int:
    """Return numerator / denominator in whole cents, a half rounded away from zero. The only rounding in the system."""
    if denominator <= 0:
        raise ValueError("the denominator is a positive number")
    size = (2 * abs(numerator) + denominator) // (2 * denominator)
    return size if numerator >= 0 else -size


def vat_of(charges: Iterable[Taxed]) -> list[VatShare]:
    """Return the VAT per rate, lowest rate first: rounded once on each rate's sum, never line by line (EN 16931, BR-CO-17)."""
    sums: dict[int, int] = {}
    for charge in charges:
        sums[charge.vat_permille] = sums.get(charge.vat_permille, 0) + charge.net_cents
    return [
        VatShare(vat_permille=rate, net_cents=net, vat_cents=half_up_cents(net * rate, 1000))
        for rate, net in sorted(sums.items())
    ]


class PriceList:
    """Dated prices, looked up by space, unit and day."""

    def __init__(self, prices: Iterable[Price]) -> None:
        self._of: dict[tuple[int, Unit], list[Price]] = {}
        for price in sorted(prices, key=lambda price: price.from_day):
            self._of.setdefault((price.space_id, price.unit), []).append(price)
        if any(one.from_day == other.from_day for row in self._of.values() for one, other in pairwise(row)):
            raise ValueError("two prices for one space and unit from one day")

    def in_force(self, space_id: int, unit: Unit, day: date) -> Price | None:
        """Return the price of that day; None where there is none yet, or it is zero."""
        row = self._of.get((space_id, unit), [])
        number = bisect_right(row, day, key=lambda price: price.from_day)
        return row[number - 1] if number and row[number - 1].amount_cents else None


def rate(
    entries: Iterable[UsedEntry],
    bookings: Iterable[BookedTime],
    prices: Iterable[Price],
    customers: Mapping[int, int],
    *,
    demo: bool = False,
) -> list[Charge]:
    """Return the charges, ordered by service day, space and key: the same for any order of input and with any repeats.

    `customers` gives who pays for each person. An entry or booking given twice counts once. ValueError where one id comes
    with two contents; KeyError where a person has no customer: both are bugs of the caller.
    """
    price_list = PriceList(prices)
    counted = [entry for entry in _once(entries, lambda entry: entry.id) if _is_charged(entry, price_list, demo=demo)]
    booked = [booking for booking in _once(bookings, lambda booking: booking.booking_id) if not booking.cancelled_in_time]
    charges = [
        *_entry_charges(counted, price_list, customers),
        *_day_charges(counted, price_list, customers),
        *_booking_charges(booked, price_list, customers),
    ]
    return sorted(charges, key=lambda charge: (charge.service_day, charge.space_id, charge.key))


def _once(things: Iterable[Thing], identity: Callable[[Thing], int]) -> list[Thing]:
    known: dict[int, Thing] = {}
    for thing in things:
        if known.setdefault(identity(thing), thing) != thing:
            raise ValueError(f"two contents under one id {identity(thing)}")
    return [known[key] for key in sorted(known)]


def _is_charged(entry: UsedEntry, prices: PriceList, *, demo: bool) -> bool:
    if entry.person_id is None or entry.merged_into is not None or entry.doubtful or (entry.simulated and not demo):
        return False
    paid_by_booking = entry.booking_id is not None and prices.in_force(entry.space_id, Unit.BOOKED_HOUR, entry.vat_day)
    return not paid_by_booking


def _entry_charges(entries: list[UsedEntry], prices: PriceList, customers: Mapping[int, int]) -> Iterator[Charge]:
    for entry in entries:
        price = prices.in_force(entry.space_id, Unit.ENTRY, entry.vat_day)
        if price is not None:
            key = f"entry:{entry.id}"
            yield _charge(key, _person(entry), customers, price, entry.service_day, entry.vat_day, 1, (key,))


def _day_charges(entries: list[UsedEntry], prices: PriceList, customers: Mapping[int, int]) -> Iterator[Charge]:
    for (space_id, person_id, service_day), visit in groupby(sorted(entries, key=_visit_order), key=_visit):
        made = list(visit)
        price = prices.in_force(space_id, Unit.DAY, made[0].vat_day)
        if price is not None:
            key = f"day:{space_id}:{person_id}:{service_day.isoformat()}"
            cause = tuple(f"entry:{number}" for number in sorted(entry.id for entry in made))
            yield _charge(key, person_id, customers, price, service_day, made[0].vat_day, 1, cause)


def _booking_charges(bookings: list[BookedTime], prices: PriceList, customers: Mapping[int, int]) -> Iterator[Charge]:
    for booking in bookings:
        price = prices.in_force(booking.space_id, Unit.BOOKED_HOUR, booking.vat_day)
        if price is not None:
            key, hours = f"booking:{booking.booking_id}", booking.started_hours
            yield _charge(key, booking.person_id, customers, price, booking.service_day, booking.vat_day, hours, (key,))


def _charge(
    key: str,
    person_id: int,
    customers: Mapping[int, int],
    price: Price,
    service_day: date,
    vat_day: date,
    quantity: int,
    cause: tuple[str, ...],
) -> Charge:
    return Charge(
        key=key,
        person_id=person_id,
        customer_id=customers[person_id],
        space_id=price.space_id,
        service_day=service_day,
        vat_day=vat_day,
        unit=price.unit,
        quantity=quantity,
        unit_cents=price.amount_cents,
        net_cents=quantity * price.amount_cents,
        vat_permille=price.vat_permille,
        cause=cause,
    )


def _person(entry: UsedEntry) -> int:
    if entry.person_id is None:
        raise ValueError("an entry without a person is not charged")
    return entry.person_id


def _visit(entry: UsedEntry) -> tuple[int, int, date]:
    return entry.space_id, _person(entry), entry.service_day


def _visit_order(entry: UsedEntry) -> tuple[int, int, date, date]:
    return *_visit(entry), entry.vat_day
