# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 1: is what a dead card had not yet sent a gap with a name, which staff close once, with a reason?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from booking_server.errors import Invalid
from booking_server.ledger import service as ledger
from tests.booking_server.invoices.office import APRIL, APRIL_OVER, BEGIN, MARCH, MARCH_OVER, MAY, MAY_OVER, Office

LAST = BEGIN + timedelta(days=1)
"""When the studio's door sent its last event."""
REASON = "Its card died in the storm."


def _lose(office: Office, events: int) -> None:
    """The studio's door tells of events that it never sends, and comes back with a new card that has nothing to send."""
    office.tap("studio", office.aino, LAST)
    door = office.doors["studio"]
    door.status(LAST + timedelta(hours=1), journal="studio-journal", last_sequence=door.sequence + events)
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER, "shop", "gallery")
    _new_card(office)


def _new_card(office: Office) -> None:
    office.doors["studio"].status(office.clock.at, boot="new", journal="new-journal", last_sequence=0)


def _over(office: Office, month_over: object) -> None:
    office.clock.at = month_over  # type: ignore[assignment]
    office.say_all_sent(office.clock.at, "shop", "gallery")
    _new_card(office)


def test_what_a_dead_card_had_not_sent_is_named(office: Office) -> None:
    """The new journal has nothing to send, and yet the month waits: for twelve events, complete until the last before them."""
    _lose(office, 12)
    [missing] = office.state(MARCH).missing
    assert (missing.door_id, missing.lost, missing.until) == ("studio", 12, LAST)
    with pytest.raises(Invalid) as refused:
        office.close(MARCH)
    assert refused.value.field == "left_open"


def test_a_reason_closes_the_gap_for_good(office: Office) -> None:
    """It stays with its month; the months after it do not wait for the same gap."""
    _lose(office, 12)
    office.close(MARCH, left_open=REASON)
    closing = office.state(MARCH).closing
    assert closing is not None
    assert (closing.reason, closing.doors, closing.lost) == (REASON, {"studio": LAST}, {"studio": 12})
    for month, over in ((APRIL, APRIL_OVER), (MAY, MAY_OVER)):
        _over(office, over)
        assert office.state(month).missing == []
        office.close(month)


def test_a_card_that_dies_after_the_month_was_closed_without_it_is_closed_with_it(office: Office) -> None:
    """The reason was given while the door was silent; once it has a new card, April does not ask for the same again."""
    office.tap("studio", office.aino, LAST)
    door = office.doors["studio"]
    door.status(LAST, journal="studio-journal", last_sequence=door.sequence + 3)
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER, "shop", "gallery")
    office.close(MARCH, left_open=REASON)
    _over(office, APRIL_OVER)
    assert office.state(APRIL).missing == []


def test_what_is_lost_later_is_another_gap(office: Office) -> None:
    """One gap closed with a reason does not hide the next: another card dies in April, with other events."""
    _lose(office, 12)
    office.close(MARCH, left_open=REASON)
    office.doors["studio"].status(MARCH_OVER + timedelta(days=3), boot="new", journal="new-journal", last_sequence=5)
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER, "shop", "gallery")
    office.doors["studio"].status(APRIL_OVER, boot="newer", journal="newer-journal", last_sequence=0)
    assert [(door.door_id, door.lost) for door in office.state(APRIL).missing] == [("studio", 5)]


def test_what_will_be_sent_again_keeps_the_month_waiting_whatever_was_closed(office: Office) -> None:
    """A gap in the journal that the door still writes blocks April too, though March was closed without it."""
    office.tap("studio", office.aino, LAST)
    door = office.doors["studio"]
    door.sequence += 1
    office.tap("studio", office.aino, LAST + timedelta(hours=1))
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    office.close(MARCH, left_open="It will come.")
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    assert [(one.door_id, one.lost, one.until) for one in office.state(APRIL).missing] == [("studio", 0, LAST)]


def test_what_arrives_after_all_fills_the_gap(office: Office) -> None:
    """The old card was read once more: nothing is missing, and nothing needs a reason."""
    _lose(office, 2)
    office.tap("studio", office.aino, LAST + timedelta(hours=1))
    office.clock.at = MARCH_OVER
    _new_card(office)
    with office.desk.database.read() as tx:
        assert ledger.gaps(tx) == []
    assert office.state(MARCH).missing == []


def test_a_journal_of_which_nothing_ever_arrived_is_a_gap_too(office: Office) -> None:
    """A card that died before its first event was sent: known by the door's word alone."""
    office.use_march()
    office.doors["gallery"].status(MARCH_OVER, journal="short-lived", last_sequence=4)
    office.doors["gallery"].status(MARCH_OVER, boot="new", journal="new-journal", last_sequence=0)
    assert [(door.door_id, door.lost, door.until) for door in office.state(MARCH).missing] == [("gallery", 4, None)]
