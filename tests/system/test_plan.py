# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story's sum, as worked out by hand, is what the rules of the price say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from booking_server.billing.rules import BookedTime, Price, Unit, rate, vat_of
from tests.system import plan

COCREATION, POPUP, MEMBER, CUSTOMER, BOOKING = 1, 2, 7, 9, 4
DAY = date(2026, 3, 10)


@dataclass(frozen=True)
class _Entry:
    id: int
    space_id: int
    booking_id: int | None = None
    person_id: int | None = MEMBER
    service_day: date = DAY
    vat_day: date = DAY
    merged_into: int | None = None
    doubtful: bool = False
    simulated: bool = True


def test_the_storys_invoice_is_the_sum_written_down() -> None:
    """An online entry, an offline one and two booked hours, entered by the booking, cost the literal sums, each once."""
    prices = [
        Price(space_id=space, unit=unit, amount_cents=cents, vat_permille=plan.VAT_PERMILLE, from_day=plan.FIRST_DAY)
        for space, unit, cents in (
            (COCREATION, Unit.ENTRY, plan.ENTRY_CENTS),
            (POPUP, Unit.BOOKED_HOUR, plan.BOOKED_HOUR_CENTS),
        )
    ]
    booked = BookedTime(
        booking_id=BOOKING,
        space_id=POPUP,
        person_id=MEMBER,
        start_at=plan.BOOKED_FROM,
        end_at=plan.BOOKED_UNTIL,
        cancelled_at=None,
        service_day=DAY,
        vat_day=DAY,
    )
    entries = [_Entry(1, COCREATION), _Entry(2, COCREATION), _Entry(3, POPUP, booking_id=BOOKING)]

    charges = rate(entries, [booked], prices, {MEMBER: CUSTOMER}, demo=True)

    assert sorted(charge.cause[0] for charge in charges) == ["booking:4", "entry:1", "entry:2"]
    assert sum(charge.net_cents for charge in charges) == plan.NET_CENTS
    assert [share.vat_cents for share in vat_of(charges)] == [plan.VAT_CENTS]
    assert plan.NET_CENTS + plan.VAT_CENTS == plan.GROSS_CENTS


def test_the_story_goes_forward_inside_its_month() -> None:
    """Each instant is later than the one before, for a door's time never goes back, and the month is over when it closes."""
    told = [plan.START, plan.AFTERNOON, plan.BOOKED_FROM, plan.BOOKING_ENTERED, plan.BOOKED_UNTIL, plan.MONTH_OVER]
    assert told == sorted(set(told))
    assert {f"{at:%Y-%m}" for at in told[:-1]} == {plan.MONTH}
