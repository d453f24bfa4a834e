# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a price dated, never edited, and taxed at a rate that there is on its day?"""

from datetime import date

import pytest

from booking_server.actors import NotAllowed
from booking_server.billing import service as billing
from booking_server.errors import Invalid
from tests.booking_server.hub import BILLING, HOST, NOW, Hub

TODAY = date(2026, 11, 24)


def _set(hub: Hub, amount_cents: int, vat_permille: int = 255, from_day: date = TODAY) -> None:
    with hub.desk.database.write() as tx:
        billing.set_price(
            tx,
            BILLING,
            now=NOW,
            space_id=hub.room,
            unit="entry",
            amount_cents=amount_cents,
            vat_permille=vat_permille,
            from_day=from_day,
        )


def test_the_last_price_set_for_a_day_counts(hub: Hub) -> None:
    """Setting a price for the same day again replaces what counts from then on; other days keep theirs."""
    _set(hub, 420)
    _set(hub, 500, from_day=date(2026, 12, 1))
    _set(hub, 450)
    with hub.desk.database.read() as tx:
        found = billing.prices_of_space(tx, hub.room)
    assert [(price.from_day, price.amount_cents) for price in found] == [(TODAY, 450), (date(2026, 12, 1), 500)]


@pytest.mark.parametrize(
    ("permille", "day", "allowed"), [(135, TODAY, True), (140, TODAY, False), (130, TODAY, False), (0, TODAY, True)]
)
def test_a_vat_rate_must_be_one_of_its_day(hub: Hub, permille: int, day: date, allowed: bool) -> None:  # noqa: FBT001
    """13.5 % is taken and 14 %, which ended with 2025, is not; what is refused stands at the field."""
    if allowed:
        _set(hub, 420, permille, day)
        return
    with pytest.raises(Invalid, match="no such VAT rate") as refused:
        _set(hub, 420, permille, day)
    assert refused.value.field == "vat"


def test_rates_change_with_the_year() -> None:
    """The reduced rate is 14 % until the last day of 2025 and 13.5 % from New Year on."""
    assert billing.vat_permilles(date(2025, 12, 31)) == (255, 140, 100, 0)
    assert billing.vat_permilles(date(2026, 1, 1)) == (255, 135, 100, 0)


def test_a_host_sets_no_prices(hub: Hub) -> None:
    """Prices are for billing people and administrators."""
    with hub.desk.database.write() as tx, pytest.raises(NotAllowed):
        billing.set_price(tx, HOST, now=NOW, space_id=hub.room, unit="entry", amount_cents=1, vat_permille=255, from_day=TODAY)


def test_a_price_does_not_reach_far_back(hub: Hub) -> None:
    """A price may start on the first day of the month before, and not a day earlier."""
    _set(hub, 420, from_day=date(2026, 10, 1))
    with pytest.raises(Invalid) as refused:
        _set(hub, 420, from_day=date(2026, 9, 30))
    assert refused.value.field == "from_day"
