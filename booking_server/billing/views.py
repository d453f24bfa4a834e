# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prices of a space: shown on its page, and set there. A price is dated; setting one never changes what was invoiced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, flash, redirect
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from booking_server import civil
from booking_server.billing import service as billing
from booking_server.billing.rules import Charge, Price, Unit, half_up_cents, vat_of
from booking_server.errors import Invalid
from booking_server.invoices import service as invoices
from booking_server.people.service import Person
from booking_server.places import service as places
from booking_server.places.views import space_page
from booking_server.web.forms import Form, show_day
from booking_server.web.looking import looked
from booking_server.web.request import actor, config, database, now
from booking_server.web.wording import day as say_day
from booking_server.web.wording import zone

pages = Blueprint("billing", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

UNITS = {
    Unit.ENTRY: lazy_gettext("an entry"),
    Unit.DAY: lazy_gettext("a day of visit"),
    Unit.BOOKED_HOUR: lazy_gettext("a booked hour"),
}
UNIT_NAMES = {
    Unit.ENTRY: lazy_gettext("Entry"),
    Unit.DAY: lazy_gettext("Day of visit"),
    Unit.BOOKED_HOUR: lazy_gettext("Booked hour"),
}


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price as its space's page shows it. `state` is "now", "coming" or "past"; `gross_cents` is with VAT."""

    price: Price
    state: str

    @property
    def unit_words(self) -> str:
        return str(UNITS[self.price.unit])

    @property
    def gross_cents(self) -> int:
        return self.price.amount_cents + half_up_cents(self.price.amount_cents * self.price.vat_permille, 1000)


@pages.post("/spaces/<int:space_id>/prices")
def set_price(space_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            from_day = form.day("from_day")
            invoices.check_open(tx, from_day)
            price = billing.set_price(
                tx,
                actor(),
                now=now(),
                space_id=space_id,
                unit=form.text("unit"),
                amount_cents=form.cents("amount"),
                vat_permille=form.permille("vat"),
                from_day=from_day,
            )
    except Invalid as problem:
        return space_page(space_id, price_form=form.refuse(problem)), 422
    flash(gettext("The price counts from %(day)s on.", day=show_day(price.from_day)))
    return redirect(f"/spaces/{space_id}#prices", 303)


def price_rows(prices: Iterable[Price], today: date) -> list[PriceRow]:
    """Return one space's prices, by unit, newest first, each with whether it counts now."""
    ordered = sorted(prices, key=lambda price: (list(Unit).index(price.unit), -price.from_day.toordinal()))
    rows: list[PriceRow] = []
    for price in ordered:
        started = price.from_day <= today
        taken = any(row.state == "now" and row.price.unit is price.unit for row in rows)
        rows.append(PriceRow(price, "coming" if not started else "past" if taken else "now"))
    return rows


@pages.app_template_global()
def prices_of(space: places.Space) -> list[PriceRow]:
    """Return the rows of a space's page."""
    with database().read() as tx:
        found = billing.prices_of_space(tx, space.area_id)
        today = now().astimezone(zone(places.site(tx, space.site_id).time_zone)).date()
    return price_rows(found, today)


@pages.app_template_global()
def prices_of_hub() -> list[tuple[places.Space, list[PriceRow]]]:
    """Return every space with what it costs now; nothing where it is free."""
    with database().read() as tx:
        spaces, prices = places.spaces(tx), billing.prices(tx)
    today = now().astimezone(zone()).date()
    rows = {space.area_id: price_rows((one for one in prices if one.space_id == space.area_id), today) for space in spaces}
    costs = {number: [row for row in found if row.state == "now" and row.price.amount_cents] for number, found in rows.items()}
    return [(space, costs[space.area_id]) for space in sorted(spaces, key=lambda space: space.name.casefold())]


@pages.app_template_global()
def first_price_form() -> Form:
    """Return the price form as first shown."""
    return Form.empty(vat=_vat_choices()[0], from_day=show_day(now().astimezone(zone()).date()))


@pages.app_template_global()
def price_choices() -> dict[str, list[tuple[str, str]]]:
    """Return what the price form offers: what a price is for, and the VAT rates."""
    return {
        "unit": [(unit.value, str(words)) for unit, words in UNITS.items()],
        "vat": [(choice, f"{choice} %") for choice in _vat_choices()],
    }


def _vat_choices() -> list[str]:
    today = now().astimezone(zone()).date()
    return [f"{permille / 10:g}".replace(".", ",") for permille in billing.vat_permilles(today)]


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRow:
    """One space and unit of somebody's month."""

    space: str
    unit: Unit
    quantity: int
    net_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSoFar:
    """What one person's running month comes to, by the computation that makes the invoice."""

    month: str
    rows: list[UseRow]
    net_cents: int
    vat_cents: int


@pages.app_template_global()
def month_so_far(person: Person) -> MonthSoFar:
    """Return a person's running month."""
    month = civil.month_of(civil.service_day(now(), zone()))
    with database().read() as tx:
        charges = billing.charges_of_person(tx, actor(), person_id=person.id, month=month, demo=config().demo)
        names = {space.area_id: space.name for space in places.spaces(tx)}
    looked("month_seen", [person.id] if charges else [])
    return MonthSoFar(
        month=month,
        rows=_use_rows(charges, names),
        net_cents=sum(charge.net_cents for charge in charges),
        vat_cents=sum(share.vat_cents for share in vat_of(charges)),
    )


def _use_rows(charges: Iterable[Charge], names: Mapping[int, str]) -> list[UseRow]:
    sums: dict[tuple[int, Unit], tuple[int, int]] = {}
    for charge in charges:
        quantity, net = sums.get((charge.space_id, charge.unit), (0, 0))
        sums[charge.space_id, charge.unit] = quantity + charge.quantity, net + charge.net_cents
    return [
        UseRow(space=names[space], unit=unit, quantity=quantity, net_cents=net)
        for (space, unit), (quantity, net) in sums.items()
    ]


@pages.app_template_filter()
def iso_day(day: str) -> str:
    """Return a day as an invoice's content writes it, as the pages do."""
    return say_day(date.fromisoformat(day))


@pages.app_template_filter()
def unit_name(unit: str) -> str:
    """Return what a line counts."""
    return str(UNIT_NAMES[Unit(unit)])
