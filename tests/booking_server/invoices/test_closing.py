# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a month close once, into the right sums, under numbers without a gap, and never change again?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.billing import service as billing
from booking_server.config import Seller
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.invoices import service as invoices
from booking_server.invoices.tables import invoice_lines, months
from booking_server.invoices.tables import invoices as invoice_table
from booking_server.ledger import service as ledger
from booking_server.ledger.tables import taps
from booking_server.people import service as people
from tests.booking_server.invoices.office import (
    AINO_CENTS,
    APRIL,
    APRIL_OVER,
    BEGIN,
    BIRGIT,
    MARCH,
    MARCH_OVER,
    MAY,
    MAY_OVER,
    SELLER,
    VILLE_CENTS,
    Office,
)


def _sums(made: list[invoices.Invoice]) -> list[tuple[int, int, int]]:
    return [(one.net_cents, one.vat_cents, one.gross_cents) for one in made]


def _everything(tx: Connection) -> list[Any]:
    return [tx.execute(select(table)).all() for table in (months, invoice_table, invoice_lines)]


def _use(office: Office, door: str, at: datetime, over: datetime, person: int | None = None) -> None:
    """Somebody enters once, and all doors are heard after the month's end."""
    office.tap(door, person or office.aino, at)
    office.clock.at = over
    office.say_all_sent(over)


def test_the_sums_are_those_worked_out_by_hand(office: Office) -> None:
    """Two customers with use get an invoice each, to the cent; who never came gets none; VAT is rounded once per rate."""
    office.use_march()
    made = office.close(MARCH)
    assert [(one.number, one.content["buyer"]["name"]) for one in made] == [(1001, "Aino Virtanen"), (1002, "Ville Korhonen")]
    assert _sums(made) == [AINO_CENTS, VILLE_CENTS]
    assert (made[0].issued_on, made[0].due_on) == (date(2026, 4, 1), date(2026, 4, 15))
    for one in made:
        lines = one.content["lines"]
        assert sum(line["net_cents"] for line in lines) == one.net_cents
        assert all(line["net_cents"] == line["quantity"] * line["unit_cents"] and line["cause"] for line in lines)
        assert [row["vat_cents"] for row in one.content["vat"]] == [one.vat_cents]


def test_what_the_state_and_the_persons_month_foretold_is_what_the_invoice_says(office: Office) -> None:
    """The month's page, the person's running month and the invoice are one computation: line by line the same."""
    office.use_march()
    foretold = [(due.customer, due.net_cents, due.gross_cents) for due in office.state(MARCH).due]
    with office.desk.database.read() as tx:
        running = billing.charges_of_person(tx, BIRGIT, person_id=office.aino, month=MARCH, demo=False)
    made = office.close(MARCH)
    assert foretold == [(one.content["buyer"]["name"], one.net_cents, one.gross_cents) for one in made]
    assert [charge.key for charge in running] == [line["key"] for line in made[0].content["lines"]]
    assert office.state(MARCH).due == []


def test_the_last_night_belongs_to_the_month(office: Office) -> None:
    """An entry at half past two on 1 April is March's, its VAT date April's; one after five is April's."""
    office.tap("studio", office.aino, datetime(2026, 3, 31, 23, 30, tzinfo=UTC))
    office.tap("studio", office.aino, datetime(2026, 4, 1, 2, 1, tzinfo=UTC))
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    [made] = office.close(MARCH)
    assert [(line["service_day"], line["vat_day"]) for line in made.content["lines"]] == [("2026-03-31", "2026-04-01")]


def test_closing_twice_changes_nothing(office: Office) -> None:
    """The second closing returns the very same invoices, even at another time and by other settings."""
    office.use_march()
    first = office.close(MARCH)
    with office.desk.database.read() as tx:
        before = _everything(tx)
    office.clock.at += timedelta(days=3)
    assert office.close(MARCH, seller=Seller()) == first
    with office.desk.database.read() as tx:
        assert _everything(tx) == before


def test_two_closings_at_once_make_one_set(office: Office, database_url: str) -> None:
    """Four clerks close the same month at the same instant: all are told the same invoices, and there is one set."""
    office.use_march()
    clerks, said = 4, list[list[int]]()
    together = Barrier(clerks)

    def close() -> None:
        database = Database(database_url)
        together.wait(10)
        with database.write() as tx:
            made = invoices.close_month(tx, BIRGIT, now=MARCH_OVER, month=MARCH, seller=SELLER, demo=False)
        said.append([one.number for one in made])
        database.close()

    threads = [Thread(target=close) for _ in range(clerks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert said == [[1001, 1002]] * clerks
    with office.desk.database.read() as tx:
        assert [len(rows) for rows in _everything(tx)] == [1, 2, 5]


def test_numbers_have_no_gap_and_are_never_used_again(office: Office) -> None:
    """A closing that is undone uses up no number; over three months they run on one by one."""
    office.use_march()
    with office.desk.database.write() as tx:
        invoices.close_month(tx, BIRGIT, now=MARCH_OVER, month=MARCH, seller=SELLER, demo=False)
        tx.rollback()
    office.close(MARCH)
    _use(office, "studio", MARCH_OVER + timedelta(days=2), APRIL_OVER)
    office.close(APRIL)
    _use(office, "gallery", APRIL_OVER + timedelta(days=2), MAY_OVER)
    office.close(MAY)
    numbers = [one.number for month in (MARCH, APRIL, MAY) for one in office.invoices(month)]
    assert numbers == [1001, 1002, 1003, 1004]


def test_what_comes_late_goes_on_the_next_invoice_and_says_so(office: Office) -> None:
    """A tap of March that arrives after March closed is on April's invoice, marked late; March's invoices stay as issued."""
    office.use_march()
    before = office.close(MARCH)
    office.tap("studio", office.aino, BEGIN + timedelta(days=9))
    office.tap("studio", office.aino, MARCH_OVER + timedelta(days=2))
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    assert [(due.lines, due.late) for due in office.state(APRIL).due] == [(2, 1)]
    [april] = office.close(APRIL)
    lines = [(line["service_day"], line["late"]) for line in april.content["lines"]]
    assert lines == [("2026-03-11", True), ("2026-04-03", False)]
    assert april.net_cents == 840
    assert office.invoices(MARCH) == before


def test_what_comes_later_still_goes_on_the_one_after(office: Office) -> None:
    """A tap of March that arrives after April closed too is on May's invoice, once, and on no other after that."""
    office.use_march()
    office.close(MARCH)
    _use(office, "studio", MARCH_OVER + timedelta(days=2), APRIL_OVER)
    office.close(APRIL)
    _use(office, "studio", BEGIN + timedelta(days=9), MAY_OVER)
    [may] = office.close(MAY)
    assert [(line["service_day"], line["late"]) for line in may.content["lines"]] == [("2026-03-11", True)]
    office.clock.at = MAY_OVER + timedelta(days=30)
    office.say_all_sent(office.clock.at)
    assert office.close("2026-06") == []


def test_only_months_with_something_new_are_looked_through_again(office: Office) -> None:
    """A month has changed if an entry was made in it since, or if a door dated one by a clock that it did not trust."""
    office.use_march()
    _use(office, "studio", MARCH_OVER + timedelta(days=2), APRIL_OVER)
    with office.desk.database.read() as tx:
        newest = ledger.newest_entry(tx)
        assert ledger.months_changed(tx, since_entry=newest, before=date(2026, 5, 1)) == set()
        assert ledger.months_changed(tx, since_entry=newest - 1, before=date(2026, 5, 1)) == {APRIL}
        assert ledger.months_changed(tx, since_entry=newest - 2, before=date(2026, 5, 1)) == {MARCH, APRIL}
        assert ledger.months_changed(tx, since_entry=0, before=date(2026, 4, 1)) == {MARCH}
    with office.desk.database.write() as tx:
        tx.execute(update(taps).where(taps.c.event_id == 1).values(clock="untrusted"))
        assert ledger.months_changed(tx, since_entry=newest, before=date(2026, 5, 1)) == {MARCH}


def test_a_late_first_tap_of_a_run_is_paid_by_the_one_invoiced(office: Office) -> None:
    """An earlier tap of an invoiced run comes late: it is merged into the entry invoiced, and the run is paid once."""
    office.tap("studio", office.aino, BEGIN + timedelta(hours=1))
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    assert len(office.close(MARCH)) == 1
    office.tap("studio", office.aino, BEGIN + timedelta(minutes=59))
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    assert [entry.merged_into for entry in office.desk.entries(MARCH)] == [None, 1]
    assert office.close(APRIL) == []


def test_prices_set_later_change_nothing_of_a_closed_month(office: Office) -> None:
    """Issued content stays; what comes late is priced as March was closed; what was free then stays free."""
    office.use_march()
    before = office.close(MARCH)
    office.clock.at += timedelta(hours=1)
    office.desk.price(office.studio, "entry", 999, from_day=date(2026, 3, 1))
    office.desk.price(office.gallery, "entry", 999, from_day=date(2026, 3, 1))
    office.tap("studio", office.aino, BEGIN + timedelta(days=9))
    office.tap("studio", office.aino, MARCH_OVER + timedelta(days=2))
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    [april] = office.close(APRIL)
    assert [line["unit_cents"] for line in april.content["lines"]] == [420, 999]
    assert office.invoices(MARCH) == before


def test_a_price_cannot_start_in_a_closed_month(office: Office) -> None:
    """Once March is closed, the first day a price may start on is 1 April."""
    office.use_march()
    with office.desk.database.read() as tx:
        invoices.check_open(tx, date(2026, 3, 31))
    office.close(MARCH)
    with office.desk.database.read() as tx:
        invoices.check_open(tx, date(2026, 4, 1))
        with pytest.raises(Invalid, match=r"2026-03 is closed\. Choose 1\.4\.2026 or later"):
            invoices.check_open(tx, date(2026, 3, 31))


# --- what a month waits for ------------------------------------------------------------------------------------------


def test_a_door_that_is_not_complete_keeps_the_month_open(office: Office) -> None:
    """The state names the door and until when it is complete; closing is refused at "left_open" and makes nothing."""
    office.use_march()
    office.tap("gallery", office.ville, MARCH_OVER - timedelta(days=3))
    office.doors["gallery"].sequence += 1
    office.tap("gallery", office.ville, MARCH_OVER - timedelta(days=2))
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    [missing] = office.state(MARCH).missing
    assert (missing.door_id, missing.until) == ("gallery", MARCH_OVER - timedelta(days=3))
    with pytest.raises(Invalid, match="Gallery door") as refused:
        office.close(MARCH)
    assert refused.value.field == "left_open"
    assert office.state(MARCH).closing is None
    assert office.invoices(MARCH) == []


def test_a_reason_closes_without_the_door_and_is_kept(office: Office) -> None:
    """The month tells later why it was closed, by whom, and until when the door was complete; the audit log too."""
    office.use_march()
    office.desk.door("cellar", "Cellar", leads_into=office.studio)
    with office.desk.database.write() as tx:
        tx.exec_driver_sql("update doors set created_at = '2026-03-01 00:00:00+00:00' where id = 'cellar'")
    assert [door.door_id for door in office.state(MARCH).missing] == ["cellar"]
    office.close(MARCH, left_open="The cellar's card is broken. ")
    closing = office.state(MARCH).closing
    assert closing is not None
    assert (closing.closed_by, closing.reason, closing.doors) == ("Birgit", "The cellar's card is broken.", {"cellar": None})
    with office.desk.database.read() as tx:
        [row] = audit.of_subject(tx, f"month:{MARCH}")
    assert (row["act"], row["actor"]) == ("month_closed", "Birgit")


def test_a_quiet_door_is_complete_by_its_own_word(office: Office) -> None:
    """No tap after the month's end is needed: it is enough that the door said it had nothing to send; before, it is missing."""
    office.use_march()
    office.say_all_sent(MARCH_OVER)
    assert office.state(MARCH).missing == []
    assert [door.door_id for door in office.state(APRIL).missing] == ["gallery", "shop", "studio"]
    door = office.doors["studio"]
    door.status(APRIL_OVER, journal="studio-journal", last_sequence=door.sequence + 1)
    office.say_all_sent(APRIL_OVER, "gallery", "shop")
    assert [door.door_id for door in office.state(APRIL).missing] == ["studio"]


def test_a_new_journal_does_not_hide_a_gap_in_the_old_one(office: Office) -> None:
    """A door that starts anew and has nothing to send is still incomplete from where its old journal lacks an event."""
    office.use_march()
    office.doors["studio"].sequence += 1
    office.tap("studio", office.aino, MARCH_OVER + timedelta(hours=1))
    office.say_all_sent(MARCH_OVER + timedelta(hours=2))
    office.doors["studio"].status(MARCH_OVER + timedelta(hours=3), journal="new-journal", last_sequence=0)
    [missing] = office.state(MARCH).missing
    assert (missing.door_id, missing.until) == ("studio", datetime(2026, 3, 31, 23, 30, tzinfo=UTC))


def test_a_month_that_is_not_over_is_not_closed(office: Office) -> None:
    """At five in the morning of the 1st March is over, an instant before it is not."""
    office.use_march()
    office.clock.at = datetime(2026, 4, 1, 1, 59, 59, tzinfo=UTC)
    with pytest.raises(Invalid, match=r"from 2026-04-01 05:00"):
        office.close(MARCH)
    office.clock.at += timedelta(seconds=1)
    office.say_all_sent(office.clock.at)
    assert len(office.close(MARCH)) == 2


def test_months_close_in_order(office: Office) -> None:
    """While March has something to charge, April waits; a month without use is passed over, and stays so."""
    office.use_march()
    _use(office, "studio", APRIL_OVER + timedelta(days=2), MAY_OVER)
    with pytest.raises(Invalid, match="Close 2026-03 first"):
        office.close(MAY)
    office.close(MARCH)
    assert [one.net_cents for one in office.close(MAY)] == [420]
    assert office.state(APRIL).closed_with == MAY
    with pytest.raises(Invalid, match="closed along with 2026-05"):
        office.close(APRIL)
    with office.desk.database.read() as tx:
        listed = invoices.months_so_far(tx, BIRGIT, now=MAY_OVER)
    assert [(one.month, one.invoices, one.gross_cents) for one in listed] == [
        ("2026-06", 0, 0), (MAY, 1, 527), (APRIL, 0, 0), (MARCH, 2, AINO_CENTS[2] + VILLE_CENTS[2]),
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", ["2026-13", "2026-3", "march", "1999-01"])
def test_what_is_no_month_is_refused(office: Office, wrong: str) -> None:
    """A month is written like 2026-03."""
    with pytest.raises(Invalid) as refused:
        office.close(wrong)
    assert refused.value.field == "month"


@pytest.mark.parametrize(
    ("key", "value"), [("name", ""), ("address", " "), ("business_id", "2077474-1"), ("iban", "FI2112345600000786")]
)
def test_settings_that_cannot_send_an_invoice_are_told_first(office: Office, key: str, value: str) -> None:
    """What is missing or wrong in the seller's settings is named, and nothing is closed."""
    office.use_march()
    with pytest.raises(Invalid, match=f"seller.{key}"):
        office.close(MARCH, seller=_seller_with(key, value))
    assert office.state(MARCH).closing is None


def _seller_with(key: str, value: str) -> Seller:
    return Seller(**{**{name: getattr(SELLER, name) for name in ("name", "address", "business_id", "iban")}, key: value})


# --- who may, and the demo -------------------------------------------------------------------------------------------


def test_simulated_use_is_charged_in_a_demo_only_and_says_so(office: Office) -> None:
    """A real hub charges nothing for it; a demo's invoice says that nobody owes it."""
    office.tap("studio", office.aino, BEGIN, simulated=True)
    office.clock.at = MARCH_OVER
    office.say_all_sent(MARCH_OVER)
    assert office.state(MARCH).due == []
    [made] = office.close(MARCH, demo=True)
    assert (made.net_cents, made.content["demo"]) == (420, True)


@pytest.mark.parametrize("role", [Role.HOST, Role.MEMBER])
def test_only_billing_closes_months(office: Office, role: Role) -> None:
    """A host or a member neither closes a month nor sees what others would pay."""
    actor = Actor.of("somebody", role)
    with office.desk.database.write() as tx, pytest.raises(NotAllowed):
        invoices.close_month(tx, actor, now=MARCH_OVER, month=MARCH, seller=SELLER, demo=False)
    with office.desk.database.read() as tx, pytest.raises(NotAllowed):
        invoices.month_state(tx, actor, month=MARCH, now=MARCH_OVER, demo=False)


def test_an_invoice_stays_when_its_customer_changes(office: Office) -> None:
    """The name and address on an issued invoice are those of the day it was issued."""
    office.use_march()
    [first, _] = office.close(MARCH)
    with office.desk.database.write() as tx:
        people.change_person(
            tx,
            BIRGIT,
            now=MARCH_OVER,
            person_id=office.aino,
            name="Aino Uusi",
            email="a@example.org",
            language="en",
            address="X",
        )
    assert office.invoices(MARCH)[0] == first
    with office.desk.database.read() as tx:
        assert [one.number for one in invoices.invoices_of_person(tx, BIRGIT, office.aino)] == [1001]
