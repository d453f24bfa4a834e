# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hub that was put back does not know which invoices left since: does it ask before it numbers the next?"""

from __future__ import annotations

import pytest

from booking_server.actors import Actor, Role
from booking_server.backups import service as backups
from booking_server.errors import Invalid
from booking_server.invoices import service as invoices
from tests.booking_server.invoices.office import BEGIN, MARCH, MARCH_OVER, Office

ANNA = Actor.of("Anna", Role.ADMINISTRATOR)


def put_back(office: Office) -> None:
    with office.desk.database.write() as tx:
        backups.note_restore(tx, ANNA, now=MARCH_OVER, backup_at=BEGIN, version="0.2.0")


def say(office: Office, number: int) -> None:
    with office.desk.database.write() as tx:
        known = invoices.last_number(tx)
        backups.say_next_invoice(tx, ANNA, now=MARCH_OVER, number=number, last_known=known)


def test_no_month_closes_before_the_next_number_is_said(office: Office) -> None:
    """The refusal says how to say it; then the invoices go on from there, without a gap."""
    office.use_march()
    put_back(office)
    with pytest.raises(Invalid, match="--next-invoice") as told:
        office.close(MARCH)
    assert told.value.field == "month"
    assert office.invoices(MARCH) == []
    say(office, 1500)
    assert [one.number for one in office.close(MARCH)] == [1500, 1501]


def test_a_number_that_is_here_is_not_given_again(office: Office) -> None:
    """A second restore asks anew, and takes no number that an invoice has."""
    office.use_march()
    office.close(MARCH)
    put_back(office)
    with pytest.raises(Invalid, match="1002 is here already"):
        say(office, 1002)
    say(office, 1003)
    with office.desk.database.read() as tx:
        assert backups.next_invoice(tx) == 1003


def test_a_hub_that_was_never_put_back_is_not_asked(office: Office) -> None:
    """Nobody needs to say a number, and nobody can."""
    office.use_march()
    with pytest.raises(Invalid, match="never put back"):
        say(office, 2000)
    assert [one.number for one in office.close(MARCH)] == [1001, 1002]
