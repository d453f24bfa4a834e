# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does erasing take all that the books allow, leave exactly what it says, and take that too once its time is over?"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import Connection, select

from access_contract.snapshot import decode, unpack
from access_contract.vocabulary import tag_hash
from booking_server.access.index import build
from booking_server.access.snapshots import snapshot_of
from booking_server.accounts import service as accounts
from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.bookings import service as bookings
from booking_server.db import metadata
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.invoices import service as invoices
from booking_server.ledger import personal as ledger
from booking_server.people import personal
from booking_server.people import service as people
from booking_server.privacy import erasing, exporting, forgetting, freezing
from booking_server.privacy.erasing import Erasure
from booking_server.tags import service as tags
from tests.booking_server.hub import ADMINISTRATOR, BILLING, HOST
from tests.booking_server.invoices.office import APRIL, APRIL_OVER, MARCH
from tests.booking_server.privacy.conftest import AINO, NOW, ONE_ENGINE, Kept

NAMES = ("Virtanen", AINO, "Katu 1", "192.0.2.7", "Aino's phone", "daughter", "I married")


def _preview(kept: Kept, now: datetime = NOW) -> Erasure:
    with kept.office.desk.database.write() as tx:
        return erasing.preview(tx, ADMINISTRATOR, now=now, config=kept.config, person_id=kept.aino)


def _erase(kept: Kept, now: datetime = NOW) -> Erasure:
    shown = _preview(kept, now).digest
    with kept.office.desk.database.write() as tx:
        return erasing.erase_person(tx, ADMINISTRATOR, now=now, config=kept.config, person_id=kept.aino, shown=shown)


def _forget(kept: Kept, now: datetime) -> dict[str, int]:
    with kept.office.desk.database.write() as tx:
        return forgetting.forget(tx, now=now, config=kept.config)


def _all_rows(kept: Kept) -> str:
    """Everything that the database says in words, in every table."""
    with kept.office.desk.database.read() as tx:
        rows = {table.name: [list(row) for row in tx.execute(select(table))] for table in metadata.sorted_tables}
    return json.dumps(rows, default=str, ensure_ascii=False)


def _where(kept: Kept, word: str) -> set[str]:
    """The tables in which a word of Aino's stands. Ville and Pasi have her address, so theirs is no trace of her."""
    with kept.office.desk.database.read() as tx:
        held = exporting.everything(tx, kept.who())
    return {table for table, rows in held.items() if word in json.dumps(rows, ensure_ascii=False)}


def test_what_was_shown_is_what_is_done(kept: Kept) -> None:
    """The preview changes nothing at all; then the erasure leaves just that. A page out of date does nothing."""
    before = _all_rows(kept)
    shown = _preview(kept)
    assert _all_rows(kept) == before
    with pytest.raises(Invalid, match="Look at it again"), kept.office.desk.database.write() as tx:
        erasing.erase_person(tx, ADMINISTRATOR, now=NOW, config=kept.config, person_id=kept.aino, shown="0" * 32)
    assert _all_rows(kept) == before
    assert _erase(kept) == shown
    assert shown.went == {
        "access": 1, "keytags": 1, "bookings": 1, "purposes": 1, "taps": 5, "links": 0, "accounts": 1, "wishes": 1,
        "imported": 0,
        "messages": shown.went["messages"], "acts": shown.went["acts"], "name": 1,
    }  # fmt: skip
    assert shown.went["messages"] > 1
    assert shown.went["acts"] > 1
    assert {(stay.what, stay.why, stay.until) for stay in shown.stays} == {
        ("invoices", "books", date(2032, 12, 31)),
        ("links", "contest", date(2026, 6, 30)),
        ("customer", "contest", date(2026, 7, 14)),
    }


def test_everything_ends_and_no_name_is_left_but_where_it_is_said(kept: Kept) -> None:
    """No door knows her, no account opens, nothing is booked; her name stands on the invoice and with who pays only."""
    office = kept.office
    with office.desk.database.read() as tx:
        assert _known_at_doors(kept, tx) == {"studio", "shop"}
    _erase(kept)
    with office.desk.database.read() as tx:
        person = people.person(tx, HOST, kept.aino)
        account = accounts.account(tx, kept.actor.account_id or 0)
        assert (person.name, person.email, person.active) == (f"#{kept.aino}", "", False)
        assert account is not None
        assert (account.closed, account.name, account.sign_in_name) == (True, "", f"#account {account.id}")
        assert tags.tags_of(tx, kept.aino) == []
        assert all(one.cancelled_at or one.start_at < NOW for one in bookings.bookings_of(tx, HOST, kept.aino))
        assert _known_at_doors(kept, tx) == set()
        acts = [row["act"] for row in audit.of_subject(tx, f"person:{kept.aino}")]
        assert acts[0] == "person_erased"
    said = _all_rows(kept)
    for word in NAMES[3:]:
        assert word not in said, word
    assert _where(kept, "Virtanen") == {"customers", "invoices"}
    assert AINO not in said.replace(json.dumps(AINO), "", 1), "only who pays may still be written to"


def _known_at_doors(kept: Kept, tx: Connection) -> set[str]:
    """The doors that would hold her keytag in their snapshot."""
    office, number = kept.office, kept.office.tags[kept.aino]
    index, keys = build(tx, now=NOW), doors.tag_keys(tx, office.desk.keys.vault)
    held = {door: decode(unpack(snapshot_of(rights).content)).tags for door, rights in index.items()}
    return {str(door) for door, tags_held in held.items() if tag_hash(keys[door], number) in tags_held}


def test_the_books_stay_as_they_were(kept: Kept) -> None:
    """Invoice and lines to the cent; closing the next month gives nobody anything to pay twice."""
    office = kept.office
    before = office.invoices(MARCH)
    _erase(kept)
    assert office.invoices(MARCH) == before
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    assert office.close(APRIL) == []
    with office.desk.database.read() as tx:
        assert invoices.month_state(tx, BILLING, month=MARCH, now=APRIL_OVER, demo=False).closing is not None


def test_what_had_to_stay_goes_when_its_time_is_over(kept: Kept) -> None:
    """After the contest days the links and who pays; after the books' years the buyer on the invoice. Sums stay."""
    before = kept.office.invoices(MARCH)
    _erase(kept)
    with kept.office.desk.database.read() as tx:
        assert ledger.links(tx, kept.aino) > 0
    _forget(kept, NOW + timedelta(days=120))
    with kept.office.desk.database.read() as tx:
        assert ledger.links(tx, kept.aino) == 0
        assert tags.assignments_of(tx, [1, 2, 3]) != []
    assert _where(kept, "Virtanen") == {"invoices"}
    _forget(kept, datetime(2033, 1, 2, tzinfo=NOW.tzinfo))
    assert "Virtanen" not in _all_rows(kept)
    after = kept.office.invoices(MARCH)
    assert [(one.number, one.gross_cents, one.content["lines"]) for one in after] == [
        (one.number, one.gross_cents, one.content["lines"]) for one in before
    ]
    assert _forget(kept, datetime(2033, 1, 3, tzinfo=NOW.tzinfo))["erased_on"] == 0


@ONE_ENGINE
def test_use_that_is_not_invoiced_yet_is_still_billed(kept: Kept) -> None:
    """Who pays stays known until the running month is closed, and the invoice can be sent."""
    office = kept.office
    office.tap("studio", office.aino, NOW)
    later = NOW + timedelta(hours=30)
    shown = _erase(kept, later)
    assert ("customer", "not_invoiced", None) in {(stay.what, stay.why, stay.until) for stay in shown.stays}
    office.clock.at = APRIL_OVER
    office.say_all_sent(APRIL_OVER)
    [issued] = office.close(APRIL)
    assert (issued.net_cents, issued.content["buyer"]["name"]) == (420, "Aino Virtanen")


@ONE_ENGINE
def test_a_frozen_log_keeps_its_names(kept: Kept) -> None:
    """What staff froze after a theft stays named until its day, and the page says so; another door's does not."""
    office = kept.office
    with office.desk.database.write() as tx:
        freezing.freeze(
            tx, HOST, now=NOW, door_id="shop", from_day=date(2026, 3, 2), through_day=date(2026, 3, 2),
            kept_until=date(2026, 6, 1), reason="a camera was stolen",
        )  # fmt: skip
    shown = _erase(kept)
    assert ("taps", "frozen", 1, date(2026, 6, 1)) in {(one.what, one.why, one.count, one.until) for one in shown.stays}
    with office.desk.database.read() as tx:
        assert ledger.named_taps(tx, kept.aino) == 1
    _forget(kept, NOW + timedelta(days=50))
    with office.desk.database.read() as tx:
        assert ledger.named_taps(tx, kept.aino) == 1
    _forget(kept, NOW + timedelta(days=70))
    with office.desk.database.read() as tx:
        assert ledger.named_taps(tx, kept.aino) == 0


@ONE_ENGINE
def test_only_an_administrator_of_the_hub_and_not_themselves(kept: Kept) -> None:
    """A host and billing may not; an administrator asks another for their own."""
    with kept.office.desk.database.write() as tx:
        for actor in (HOST, BILLING, kept.actor):
            with pytest.raises(NotAllowed):
                erasing.preview(tx, actor, now=NOW, config=kept.config, person_id=kept.aino)
        herself = Actor.of(AINO, Role.ADMINISTRATOR, account_id=kept.actor.account_id)
        with pytest.raises(Invalid, match="yourself"):
            erasing.preview(tx, herself, now=NOW, config=kept.config, person_id=kept.aino)


@ONE_ENGINE
def test_a_membership_that_ended_long_ago_is_erased_by_the_timer(kept: Kept) -> None:
    """Not a day before the settings say; never who is still a member, nor who still works here."""
    with kept.office.desk.database.write() as tx:
        personal.end(tx, HOST, now=NOW, person_id=kept.aino)
    assert _forget(kept, NOW + timedelta(days=364))["ended"] == 0
    assert _forget(kept, NOW + timedelta(days=366))["ended"] == 0
    with kept.office.desk.database.write() as tx:
        accounts.set_roles(tx, ADMINISTRATOR, now=NOW, account_id=kept.actor.account_id or 0, roles={(Role.MEMBER, None)})
    assert _forget(kept, NOW + timedelta(days=366))["ended"] == 1
    assert _forget(kept, NOW + timedelta(days=367))["ended"] == 0
    with kept.office.desk.database.read() as tx:
        assert [one.name for one in people.people(tx, HOST)] == [f"#{kept.aino}", "Pasi Laine", "Ville Korhonen"]
