# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an invoice says. Pure: from charges, seller and buyer to the content that is stored as issued and never changed.

The content is in no language; `text` and the PDF say it in one. It holds day, place and amount of each line, and what the
line rests on, but no person and no minute: those stay in the ledger and may be dropped there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TypedDict

from stdnum import iban
from stdnum.fi import ytunnus

from booking_server.billing.rules import Charge, vat_of
from booking_server.config import Seller
from booking_server.errors import Invalid

FIRST_NUMBER = 1001
"""The first invoice number of a hub: long enough to be the base of a reference number as it stands."""


class Party(TypedDict):
    """Seller or buyer. `vat_id` and `iban` are the seller's; a person has no `business_id`."""

    name: str
    address: str
    business_id: str
    vat_id: str
    iban: str


class Line(TypedDict):
    """One charge. Days are ISO; `late` marks use of an earlier, closed month; `cause` names entries or a booking."""

    position: int
    key: str
    space_id: int
    space: str
    service_day: str
    vat_day: str
    unit: str
    quantity: int
    unit_cents: int
    net_cents: int
    vat_permille: int
    cause: list[str]
    late: bool


class VatRow(TypedDict):
    """One VAT rate of the invoice: the sum of its lines and the VAT on that sum."""

    vat_permille: int
    net_cents: int
    vat_cents: int


class Content(TypedDict):
    """An invoice as issued. Days are ISO, money is cents of euro, `reference` is the Finnish reference number.

    `demo`: made in a demo hub, from simulated use; nobody owes it.
    """

    number: int
    demo: bool
    month: str
    issued_on: str
    due_on: str
    reference: str
    seller: Party
    buyer: Party
    lines: list[Line]
    vat: list[VatRow]
    net_cents: int
    vat_cents: int
    gross_cents: int


def first_day(month: str) -> date:
    """Return the first day of "2026-11". Raise Invalid for anything else."""
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", month, re.ASCII):
        raise Invalid("month", "{month} is not a month. Write it as year and month, like 2026-11.", month=repr(month))
    return date.fromisoformat(f"{month}-01")


def month_after(month: str) -> str:
    """Return the month after "2026-12": "2027-01"."""
    return month_of(first_day(month) + timedelta(days=31))


def month_of(day: date) -> str:
    """Return the month of a day, as "2026-11"."""
    return f"{day.year:04}-{day.month:02}"


def months_through(first: str, last: str) -> list[str]:
    """Return all months from `first` to `last`, both included; none if `last` is earlier."""
    found, month = [], first
    while month <= last:
        found.append(month)
        month = month_after(month)
    return found


def reference_number(number: int) -> str:
    """Return the Finnish reference number of an invoice number of at least 3 digits: weights 7, 3, 1 from the right."""
    digits = str(number)
    if not 3 <= len(digits) <= 19:
        raise ValueError("the base of a reference number has 3 to 19 digits")
    weighted = sum(int(digit) * (7, 3, 1)[place % 3] for place, digit in enumerate(reversed(digits)))
    return f"{digits}{-weighted % 10}"


def check_seller(seller: Seller) -> None:
    """Return if an invoice may be sent in this seller's name. Raise Invalid naming the setting that is missing or wrong."""
    for key in ("name", "address", "business_id", "iban"):
        if not getattr(seller, key).strip():
            raise Invalid("seller", "The settings lack seller.{key}. An invoice needs it: write it into the file.", key=key)
    if not ytunnus.is_valid(seller.business_id):
        raise Invalid(
            "seller",
            "seller.business_id {value} is not a Finnish business ID like 2077474-0. Correct the settings.",
            value=repr(seller.business_id),
        )
    if not iban.is_valid(seller.iban):
        raise Invalid("seller", "seller.iban {value} is not a valid IBAN. Correct the settings.", value=repr(seller.iban))


def seller_party(seller: Seller) -> Party:
    """Return the seller as an invoice names it. Raise Invalid."""
    check_seller(seller)
    digits = ytunnus.compact(seller.business_id)
    return {
        "name": seller.name,
        "address": seller.address,
        "business_id": f"{digits[:7]}-{digits[7:]}",
        "vat_id": f"FI{digits}",
        "iban": iban.format(seller.iban),
    }


def buyer_party(*, name: str, address: str, business_id: str | None) -> Party:
    """Return a customer as an invoice names it."""
    return {"name": name, "address": address, "business_id": business_id or "", "vat_id": "", "iban": ""}


def content_of(
    charges: list[Charge],
    *,
    number: int,
    month: str,
    issued_on: date,
    due_on: date,
    seller: Party,
    buyer: Party,
    space_names: Mapping[int, str],
    demo: bool = False,
) -> Content:
    """Return the invoice over these charges (at least one, each of one customer), in the order given."""
    shares = vat_of(charges)
    net, vat = sum(share.net_cents for share in shares), sum(share.vat_cents for share in shares)
    return {
        "number": number,
        "demo": demo,
        "month": month,
        "issued_on": issued_on.isoformat(),
        "due_on": due_on.isoformat(),
        "reference": reference_number(number),
        "seller": seller,
        "buyer": buyer,
        "lines": [
            _line(position, charge, space_names[charge.space_id], late=month_of(charge.service_day) < month)
            for position, charge in enumerate(charges, start=1)
        ],
        "vat": [
            {"vat_permille": share.vat_permille, "net_cents": share.net_cents, "vat_cents": share.vat_cents} for share in shares
        ],
        "net_cents": net,
        "vat_cents": vat,
        "gross_cents": net + vat,
    }


def _line(position: int, charge: Charge, space: str, *, late: bool) -> Line:
    return {
        "position": position,
        "key": charge.key,
        "space_id": charge.space_id,
        "space": space,
        "service_day": charge.service_day.isoformat(),
        "vat_day": charge.vat_day.isoformat(),
        "unit": charge.unit.value,
        "quantity": charge.quantity,
        "unit_cents": charge.unit_cents,
        "net_cents": charge.net_cents,
        "vat_permille": charge.vat_permille,
        "cause": list(charge.cause),
        "late": late,
    }
