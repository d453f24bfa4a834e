# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are reference numbers, months and the seller's settings what banks, calendars and the VAT Act say?"""

import pytest

from booking_server.config import Seller
from booking_server.errors import Invalid
from booking_server.invoices import rules
from booking_server.invoices.wording import amount


@pytest.mark.parametrize(("number", "reference"), [(234823, "2348236"), (1001, "10016"), (123456, "1234561"), (100, "1009")])
def test_a_reference_number_ends_in_the_banks_check_digit(number: int, reference: str) -> None:
    """Weights 7, 3, 1 from the right; 2348236 is the example of the banks' own guide."""
    assert rules.reference_number(number) == reference


def test_a_reference_number_too_short_or_too_long_is_a_bug() -> None:
    """Its base has 3 to 19 digits."""
    for number in (99, 10**19):
        with pytest.raises(ValueError, match="3 to 19 digits"):
            rules.reference_number(number)


def test_months_follow_each_other_over_the_year() -> None:
    """November to February is four months; none if the last comes before the first."""
    assert rules.months_through("2026-11", "2027-02") == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert rules.months_through("2026-11", "2026-10") == []


def test_the_seller_is_named_as_the_vat_act_wants_it() -> None:
    """Business ID with its dash, VAT ID from it, IBAN in groups of four."""
    seller = Seller(name="Omnia Oy", address="Katu 1", business_id="20774740", iban="FI2112345600000785")
    party = rules.seller_party(seller)
    assert (party["business_id"], party["vat_id"], party["iban"]) == ("2077474-0", "FI20774740", "FI21 1234 5600 0007 85")


def test_a_seller_without_settings_is_told_which_one_is_missing() -> None:
    """The message names the setting and where it belongs."""
    with pytest.raises(Invalid, match=r"lack seller\.name"):
        rules.check_seller(Seller())


@pytest.mark.parametrize(
    ("cents", "finnish", "english"),
    [(0, "0,00", "0.00"), (5, "0,05", "0.05"), (123450, "1\u00a0234,50", "1,234.50"), (-420, "−4,20", "−4.20")],
)
def test_amounts_are_written_as_each_language_does(cents: int, finnish: str, english: str) -> None:
    """Two decimals always, thousands apart, a real minus."""
    assert (amount(cents, "fi"), amount(cents, "en")) == (finnish, english)
