# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does use cost? Each rule of rating on its own, then every rule at once against a second rater written apart."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

import pytest

from booking_server.billing.rules import BookedTime, Charge, Price, Unit, half_up_cents, rate, vat_of

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
PAYER = {person: 100 + person % 3 for person in range(1, 8)}
HISTORIES = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedEntry:
    """An entry as the ledger gives it, with what rating does not read left out."""

    id: int
    space_id: int = 1
    person_id: int | None = 1
    service_day: date = DAY
    vat_day: date = DAY
    merged_into: int | None = None
    booking_id: int | None = None
    doubtful: bool = False
    simulated: bool = False


def price(unit: Unit = Unit.ENTRY, amount_cents: int = 420, from_day: date = date(2026, 1, 1), space_id: int = 1) -> Price:
    return Price(space_id=space_id, unit=unit, amount_cents=amount_cents, vat_permille=255, from_day=from_day)


def booked(minutes: int = 60, cancelled_at: datetime | None = None, number: int = 1) -> BookedTime:
    return BookedTime(
        booking_id=number,
        space_id=1,
        person_id=1,
        start_at=NOON,
        end_at=NOON + timedelta(minutes=minutes),
        cancelled_at=cancelled_at,
        service_day=DAY,
        vat_day=DAY,
    )


def total(charges: list[Charge]) -> int:
    return sum(charge.net_cents for charge in charges)


def test_price_per_entry_counts_every_entry_that_was_not_merged() -> None:
    """Two entries and a re-tap merged into the first cost twice the price, and each charge names its entry."""
    charges = rate([UsedEntry(id=1), UsedEntry(id=2, merged_into=1), UsedEntry(id=3)], [], [price()], PAYER)
    assert [(charge.key, charge.net_cents, charge.cause) for charge in charges] == [
        ("entry:1", 420, ("entry:1",)),
        ("entry:3", 420, ("entry:3",)),
    ]


def test_price_per_day_counts_one_visit_per_person_space_and_service_day() -> None:
    """Three entries of one person on one service day, one of them after midnight, cost one day and name all three."""
    next_day = DAY + timedelta(days=1)
    entries = [UsedEntry(id=1), UsedEntry(id=2), UsedEntry(id=3, vat_day=next_day), UsedEntry(id=4, person_id=2)]
    charges = rate(entries, [], [price(Unit.DAY, 1500)], PAYER)
    assert [(charge.key, charge.vat_day, charge.cause) for charge in charges] == [
        ("day:1:1:2026-11-03", DAY, ("entry:1", "entry:2", "entry:3")),
        ("day:1:2:2026-11-03", DAY, ("entry:4",)),
    ]


@pytest.mark.parametrize(("minutes", "hours"), [(1, 1), (60, 1), (61, 2), (90, 2), (24 * 60, 24), (25 * 60 + 1, 26)])
def test_price_per_booked_hour_counts_started_hours(minutes: int, hours: int) -> None:
    """A booking costs each hour that it starts, also beyond a day, and whether or not anybody came."""
    [charge] = rate([], [booked(minutes)], [price(Unit.BOOKED_HOUR, 1200)], PAYER)
    assert (charge.quantity, charge.net_cents, charge.cause) == (hours, hours * 1200, ("booking:1",))


@pytest.mark.parametrize(("cancelled_at", "charges"), [(NOON - timedelta(seconds=1), 0), (NOON, 1), (None, 1)])
def test_a_booking_cancelled_before_its_start_costs_nothing(cancelled_at: datetime | None, charges: int) -> None:
    """Up to its start a booking can be cancelled for nothing; from then on it is charged as booked."""
    assert len(rate([], [booked(cancelled_at=cancelled_at)], [price(Unit.BOOKED_HOUR)], PAYER)) == charges


def test_an_entry_made_by_a_booking_is_paid_by_its_hours() -> None:
    """Where booked hours are priced, entering by the booking costs no entry and no day; where they are not, it does."""
    entries = [UsedEntry(id=1, booking_id=1), UsedEntry(id=2)]
    by_hour = [price(), price(Unit.DAY, 1500), price(Unit.BOOKED_HOUR, 1200)]
    assert [charge.key for charge in rate(entries, [booked()], by_hour, PAYER)] == [
        "booking:1",
        "day:1:1:2026-11-03",
        "entry:2",
    ]
    assert [charge.key for charge in rate(entries, [booked()], [price()], PAYER)] == ["entry:1", "entry:2"]


def test_doubtful_nameless_and_simulated_entries_are_not_charged() -> None:
    """Nobody pays for an entry in doubt, for one whose person is no longer known, nor for a simulated one in a real hub."""
    entries = [UsedEntry(id=1, doubtful=True), UsedEntry(id=2, person_id=None), UsedEntry(id=3, simulated=True)]
    assert rate(entries, [], [price(), price(Unit.DAY)], PAYER) == []
    assert [charge.key for charge in rate(entries, [], [price()], PAYER, demo=True)] == ["entry:3"]


def test_the_price_of_the_calendar_day_counts() -> None:
    """A new price holds from its day on, also for an entry of the same service day after midnight; before the first, none."""
    prices = [price(amount_cents=500, from_day=date(2026, 11, 4)), price(from_day=DAY)]
    entries = [
        UsedEntry(id=1, vat_day=date(2026, 11, 2)),
        UsedEntry(id=2),
        UsedEntry(id=3, vat_day=date(2026, 11, 4)),
        UsedEntry(id=4, space_id=2),
    ]
    assert [(charge.key, charge.net_cents) for charge in rate(entries, [], prices, PAYER)] == [
        ("entry:2", 420),
        ("entry:3", 500),
    ]


def test_a_price_of_zero_makes_no_charge() -> None:
    """Setting a price to zero ends it: use from that day on is free and leaves no line."""
    prices = [price(from_day=date(2026, 11, 1)), price(amount_cents=0, from_day=DAY)]
    assert rate([UsedEntry(id=1), UsedEntry(id=2, vat_day=date(2026, 11, 2))], [], prices, PAYER)[0].key == "entry:2"
    assert len(rate([UsedEntry(id=1)], [], prices, PAYER)) == 0


def test_two_contents_under_one_id_are_a_bug() -> None:
    """The same entry may come twice, but never with another content; two prices from one day cannot both hold."""
    with pytest.raises(ValueError, match="two contents under one id 1"):
        rate([UsedEntry(id=1), UsedEntry(id=1, doubtful=True)], [], [price()], PAYER)
    with pytest.raises(ValueError, match="two prices"):
        rate([], [], [price(), price(amount_cents=1)], PAYER)


@pytest.mark.parametrize(
    ("numerator", "denominator", "cents"),
    [(0, 1000, 0), (499, 1000, 0), (500, 1000, 1), (1500, 1000, 2), (-500, 1000, -1), (-499, 1000, 0), (2550, 1000, 3)],
)
def test_half_a_cent_is_rounded_away_from_zero(numerator: int, denominator: int, cents: int) -> None:
    """Half a cent goes up, and a credit mirrors what it credits."""
    assert half_up_cents(numerator, denominator) == cents


def test_vat_is_rounded_once_for_each_rate() -> None:
    """Three lines of 0,02 at 25,5 % carry 0,02 VAT together; line by line it would have been 0,03."""
    lines = [replace(price(amount_cents=2), space_id=space) for space in (1, 2, 3)]
    charges = rate([UsedEntry(id=space, space_id=space) for space in (1, 2, 3)], [], lines, PAYER)
    [share] = vat_of(charges)
    assert (share.vat_permille, share.net_cents, share.vat_cents) == (255, 6, 2)


# --- every rule at once, against a second rater -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Some days of use in some spaces."""

    entries: list[UsedEntry]
    bookings: list[BookedTime]
    prices: list[Price]


def history(number: int) -> History:
    """Return the history of that number: small, dense and full of edges (midnights, re-taps, price changes)."""
    draw = random.Random(number)  # noqa: S311 - a plain repeatable generator, nothing secret
    days = [DAY + timedelta(days=day) for day in range(4)]
    spaces = range(1, 4)
    priced = {(draw.choice(spaces), draw.choice(list(Unit)), draw.choice(days)) for _ in range(draw.randrange(10))}
    prices = [_some_price(draw, *key) for key in sorted(priced)]
    bookings = [_some_booking(draw, identity, days) for identity in range(1, draw.randrange(1, 6))]
    return History(entries=list(_some_entries(draw, days)), bookings=bookings, prices=prices)


def _some_price(draw: random.Random, space: int, unit: Unit, day: date) -> Price:
    amount, permille = draw.choice([0, 1, 333, 420, 1250]), draw.choice([0, 135, 255])
    return Price(space_id=space, unit=unit, amount_cents=amount, vat_permille=permille, from_day=day)


def _some_booking(draw: random.Random, identity: int, days: list[date]) -> BookedTime:
    start, day = NOON + timedelta(minutes=draw.randrange(600)), draw.choice(days)
    cancelled = draw.choice([None, start, start - timedelta(microseconds=1), start + timedelta(minutes=1)])
    end = start + timedelta(minutes=draw.choice([1, 59, 60, 61, 120, 1441]))
    return BookedTime(
        booking_id=identity, space_id=draw.randrange(1, 4), person_id=draw.randrange(1, 8), start_at=start, end_at=end,
        cancelled_at=cancelled, service_day=day, vat_day=day + timedelta(days=draw.randrange(2)),
    )  # fmt: skip


def _some_entries(draw: random.Random, days: list[date]) -> Iterator[UsedEntry]:
    for identity in range(1, draw.randrange(1, 25)):
        day = draw.choice(days)
        yield UsedEntry(
            id=identity,
            space_id=draw.randrange(1, 4),
            person_id=draw.choice([None, *range(1, 8), *range(1, 4)]),
            service_day=day,
            vat_day=day + timedelta(days=draw.random() < 0.3),
            merged_into=identity - 1 if identity > 1 and draw.random() < 0.2 else None,
            booking_id=draw.choice([None, None, 1]),
            doubtful=draw.random() < 0.1,
            simulated=draw.random() < 0.1,
        )


def second_rater(used: History) -> dict[tuple[int, int], Decimal]:
    """Return euros per (customer, VAT permille), worked out another way: day by day, space by space, in decimals."""
    bills: dict[tuple[int, int], Decimal] = {}

    def price_of(space: int, unit: str, day: date) -> tuple[Decimal, int] | None:
        known = [p for p in used.prices if p.space_id == space and p.unit == unit and p.from_day <= day]
        last = max(known, key=lambda p: p.from_day, default=None)
        return (Decimal(last.amount_cents) / 100, last.vat_permille) if last and last.amount_cents > 0 else None

    def bill(person: int, found: tuple[Decimal, int] | None, times: int) -> None:
        if found:
            key = (PAYER[person], found[1])
            bills[key] = bills.get(key, Decimal()) + found[0] * times

    for space in {e.space_id for e in used.entries}:
        for person in PAYER:
            mine = [e for e in used.entries if (e.space_id, e.person_id) == (space, person) and e.merged_into is None]
            mine = [e for e in mine if not (e.doubtful or e.simulated)]
            mine = [e for e in mine if e.booking_id is None or price_of(space, "booked_hour", e.vat_day) is None]
            for e in mine:
                bill(person, price_of(space, "entry", e.vat_day), 1)
            for day in {e.service_day for e in mine}:
                bill(person, price_of(space, "day", min(e.vat_day for e in mine if e.service_day == day)), 1)
    for b in used.bookings:
        if b.cancelled_at is None or b.cancelled_at >= b.start_at:
            minutes = int((b.end_at - b.start_at).total_seconds()) // 60
            bill(b.person_id, price_of(b.space_id, "booked_hour", b.vat_day), sum(1 for _ in range(0, minutes, 60)))
    return bills


def test_a_second_rater_written_apart_agrees_to_the_cent() -> None:
    """Over 2 000 random histories both raters give every customer the same sum per VAT rate, and the same VAT on it."""
    charged = 0
    for number in range(HISTORIES):
        used = history(number)
        mine: dict[tuple[int, int], list[Charge]] = {}
        for charge in rate(used.entries, used.bookings, used.prices, PAYER):
            mine.setdefault((charge.customer_id, charge.vat_permille), []).append(charge)
        charged += len(mine)
        theirs = second_rater(used)
        assert {key: Decimal(total(charges)) / 100 for key, charges in mine.items()} == theirs, f"history {number}"
        for (_, permille), net in theirs.items():
            vat = (net * permille / 1000).quantize(Decimal("0.01"), ROUND_HALF_UP)
            assert Decimal(half_up_cents(int(net * 100) * permille, 1000)) / 100 == vat
    assert charged > HISTORIES


def shuffled(used: History, draw: random.Random) -> History:
    return History(
        entries=draw.sample(used.entries, len(used.entries)),
        bookings=draw.sample(used.bookings, len(used.bookings)),
        prices=draw.sample(used.prices, len(used.prices)),
    )


def repeated(used: History, draw: random.Random) -> History:
    entries = [*used.entries, *draw.sample(used.entries, len(used.entries) // 2)]
    return History(entries=entries, bookings=[*used.bookings, *used.bookings], prices=used.prices)


@pytest.mark.parametrize("change", [shuffled, repeated])
def test_order_and_repetition_change_nothing(change: Callable[[History, random.Random], History]) -> None:
    """However events arrive, and however often, the charges are the same ones in the same order."""
    draw = random.Random(7)  # noqa: S311
    for number in range(HISTORIES // 4):
        used = history(number)
        other = change(used, draw)
        assert rate(other.entries, other.bookings, other.prices, PAYER) == rate(
            used.entries, used.bookings, used.prices, PAYER
        ), f"history {number}"


def test_every_cent_has_a_cause_and_re_rates_to_itself() -> None:
    """Each charge is its quantity times its price, has its own key, and names a cause; its rate is that of the price list."""
    for number in range(HISTORIES // 4):
        used = history(number)
        charges = rate(used.entries, used.bookings, used.prices, PAYER)
        assert len({charge.key for charge in charges}) == len(charges)
        for charge in charges:
            assert charge.net_cents == charge.quantity * charge.unit_cents > 0
            assert charge.cause
            asked = [p for p in used.prices if (p.space_id, p.unit) == (charge.space_id, charge.unit)]
            held = max((p for p in asked if p.from_day <= charge.vat_day), key=lambda p: p.from_day)
            assert (held.amount_cents, held.vat_permille) == (charge.unit_cents, charge.vat_permille)
        assert sum(share.net_cents for share in vat_of(charges)) == total(charges)
