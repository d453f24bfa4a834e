# SPDX-License-Identifier: AGPL-3.0-or-later
"""The prices of a space: shown on its page, and set there. A price is dated; setting one never changes what was invoiced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from flask import Blueprint, flash, redirect
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from booking_server.billing import service as billing
from booking_server.billing.rules import Price, Unit, half_up_cents
from booking_server.errors import Invalid
from booking_server.places import service as places
from booking_server.places.views import space_page
from booking_server.web.forms import Form, show_day
from booking_server.web.request import actor, database, now
from booking_server.web.wording import zone

pages = Blueprint("billing", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

UNITS = {
    Unit.ENTRY: lazy_gettext("an entry"),
    Unit.DAY: lazy_gettext("a day of visit"),
    Unit.BOOKED_HOUR: lazy_gettext("a booked hour"),
}
VAT_CHOICES = tuple(f"{permille / 10:g}".replace(".", ",") for permille in sorted(billing.VAT_PERMILLE, reverse=True))


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
            price = billing.set_price(
                tx,
                actor(),
                now=now(),
                space_id=space_id,
                unit=form.text("unit"),
                amount_cents=form.cents("amount"),
                vat_permille=form.permille("vat"),
                from_day=form.day("from_day"),
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
def first_price_form() -> Form:
    """Return the price form as first shown."""
    return Form.empty(vat=VAT_CHOICES[0], from_day=show_day(now().astimezone(zone()).date()))


@pages.app_template_global()
def price_choices() -> dict[str, list[tuple[str, str]]]:
    """Return what the price form offers: what a price is for, and the VAT rates."""
    return {
        "unit": [(unit.value, str(words)) for unit, words in UNITS.items()],
        "vat": [(choice, f"{choice} %") for choice in VAT_CHOICES],
    }
