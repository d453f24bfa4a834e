# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is told of what happens, in the transaction in which it happens, and who is left in peace?"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path

import msgspec
import pytest

from access_contract.messages import FIRST_PREVIOUS, Event, Tapped
from access_contract.vocabulary import AccessPointId, ClockQuality, tag_hash
from booking_server.access import service as access
from booking_server.actors import Actor, Role
from booking_server.bookings import service as bookings
from booking_server.config import Config, Mail, Seller
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.errors import Invalid
from booking_server.keys import make_keys
from booking_server.ledger.ingest import ingest
from booking_server.messages.posting import Post
from booking_server.messages.tables import messages
from tests.booking_server.hub import HOST, NOW, TAG, Hub
from tests.booking_server.invoices.office import MARCH, SELLER, Office, TurnedByHand, make_office
from tests.booking_server.messages.conftest import replace_mail
from tests.booking_server.messages.mail_server import MailServer
from tests.system.desk import Desk

HOUR = timedelta(hours=1)


def put_so_far(hub: Hub) -> list[tuple[str, int | None, dict[str, object]]]:
    with hub.desk.database.read() as tx:
        return [(row.kind, row.person_id, row.facts) for row in tx.execute(messages.select().order_by(messages.c.id))]


def refuse(
    hub: Hub,
    sequence: int,
    *,
    at: datetime = NOW,
    now: datetime = NOW,
    reason: str = "no_grant",
    clock: ClockQuality = ClockQuality.SYNCED,
) -> None:
    """The room's door refuses Aino's keytag at `at`, and the server hears of it at `now`."""
    with hub.desk.database.write() as tx:
        name = tag_hash(doors.tag_key(tx, hub.desk.keys.vault, "room"), TAG)
        what = Tapped(access_point=AccessPointId("in"), tag=name, granted=False, reason=reason)
        event = Event(
            journal="j",
            sequence=sequence,
            boot="b",
            at=at,
            monotonic_ms=sequence,
            clock=clock,
            previous=FIRST_PREVIOUS,
            what=what,
        )
        ingest(tx, HubLookups(), now=now, door_id="room", contents=[msgspec.json.encode(event)])


def test_a_booking_is_told_when_it_is_made_and_when_it_is_cancelled(hub: Hub) -> None:
    """With space, times and zone, and whether the staff cancelled it; cancelling twice tells once."""
    aino = Actor.of("aino", Role.MEMBER, person_id=hub.aino)
    with hub.desk.database.write() as tx:
        made = [
            bookings.book_space(
                tx, aino, now=NOW, space_id=hub.room, person_id=hub.aino, start_at=NOW + day * 24 * HOUR,
                end_at=NOW + day * 24 * HOUR + HOUR, purpose="Talk",
            )
            for day in (1, 2)
        ]  # fmt: skip
        bookings.cancel_booking(tx, aino, now=NOW, booking_id=made[0].id)
        for _ in range(2):
            bookings.cancel_booking(tx, HOST, now=NOW, booking_id=made[1].id)
    said = put_so_far(hub)
    assert [kind for kind, _, _ in said] == ["booking_made", "booking_made", "booking_cancelled", "booking_cancelled"]
    assert {person for _, person, _ in said} == {hub.aino}
    assert said[0][2] == {
        "space": "Big room",
        "start_at": "2026-11-25T12:00:00+00:00",
        "end_at": "2026-11-25T13:00:00+00:00",
        "zone": "Europe/Helsinki",
        "purpose": "Talk",
    }
    assert [facts["by_staff"] for _, _, facts in said[2:]] == [False, True]


def test_a_booking_that_is_refused_tells_nobody(hub: Hub) -> None:
    """Whoever was second to a place hears it on the page, not by mail."""
    hub.desk.book(hub.room, hub.aino, NOW + HOUR, NOW + 2 * HOUR)
    with pytest.raises(Invalid):
        hub.desk.book(hub.room, hub.ville, NOW + HOUR, NOW + 2 * HOUR)
    assert [person for _, person, _ in put_so_far(hub)] == [hub.aino]


def test_a_blocked_keytag_is_told_to_whoever_holds_it(hub: Hub) -> None:
    """Once, with its last digits and without what the staff wrote; nobody holds one in the drawer."""
    keytag = hub.desk.tag(hub.aino, TAG)
    for _ in range(2):
        hub.desk.block(keytag, "stolen by a neighbour")
    assert put_so_far(hub) == [("tag_lost", hub.aino, {"last_digits": "1D80", "at": NOW.isoformat()})]


def test_a_door_that_did_not_open_is_told_once_an_hour(hub: Hub) -> None:
    """However often they tried; with door, instant and reason."""
    hub.desk.tag(hub.aino, TAG)
    for minute in range(0, 130, 10):
        refuse(hub, minute + 1, at=NOW + timedelta(minutes=minute), now=NOW + timedelta(minutes=minute, seconds=1))
    said = put_so_far(hub)
    assert [facts["at"] for _, _, facts in said] == [(NOW + timedelta(minutes=minute)).isoformat() for minute in (0, 60, 120)]
    assert said[0][:2] == ("denied_tap", hub.aino)
    assert said[0][2] == {
        "door": "Big room", "at": NOW.isoformat(), "zone": "Europe/Helsinki", "reason": "no_grant", "next_at": None,
    }  # fmt: skip


def test_what_a_door_delivers_late_is_no_news(hub: Hub) -> None:
    """A tap of last week, or of a clock that nobody trusts, is kept and told to nobody; nor is one of a stranger's keytag."""
    refuse(hub, 1)
    hub.desk.tag(hub.aino, TAG)
    refuse(hub, 2, at=NOW, now=NOW + timedelta(minutes=11))
    refuse(hub, 3, at=NOW, now=NOW + timedelta(days=7))
    refuse(hub, 4, clock=ClockQuality.UNTRUSTED)
    assert put_so_far(hub) == []
    refuse(hub, 5, at=NOW, now=NOW + timedelta(minutes=9))
    assert len(put_so_far(hub)) == 1


def test_outside_the_hours_it_is_said_when_the_door_opens_next(hub: Hub) -> None:
    """By a grant's hours or a booking, whichever begins first."""
    hub.desk.tag(hub.aino, TAG)
    with hub.desk.database.write() as tx:
        access.grant_access(
            tx, HOST, now=NOW, person_id=hub.aino, area_id=hub.room, from_day=date(2026, 11, 1), from_time=time(8),
            until_time=time(12),
        )  # fmt: skip
    refuse(hub, 1, reason="outside_hours")
    assert put_so_far(hub)[0][2]["next_at"] == "2026-11-25T06:00:00+00:00"
    hub.desk.book(hub.room, hub.aino, NOW + 4 * HOUR, NOW + 5 * HOUR)
    refuse(hub, 2, reason="outside_hours", at=NOW + HOUR, now=NOW + HOUR)
    assert put_so_far(hub)[2][2]["next_at"] == (NOW + 4 * HOUR).isoformat()


@pytest.fixture
def closed(database: Database, tmp_path: Path) -> Office:
    """A hub whose March is over."""
    clock = TurnedByHand()
    made = make_office(Desk(database, make_keys(tmp_path / "state"), clock), clock)
    made.use_march()
    return made


def test_an_invoice_comes_by_mail_as_the_pdf_that_was_kept(closed: Office, server: MailServer, tmp_path: Path) -> None:
    """To the address of who pays, once for each invoice, however often the month is closed."""
    closed.close(MARCH)
    closed.close(MARCH)
    config = Config(database="", state_folder=str(tmp_path), mail=Mail(sender="hub@example.org"))
    config = replace_mail(config, server="127.0.0.1", port=server.port, security="none")
    Post(config, closed.desk.database, closed.clock, lambda: False).look()
    invoices = [mail for mail in server.mails() if str(mail["Subject"]).startswith("Lasku")]
    assert [str(mail["To"]) for mail in invoices] == [
        "Aino Virtanen <aino@example.org>", "Ville Korhonen <ville@example.org>",
    ]  # fmt: skip
    [pdf] = invoices[0].iter_attachments()
    assert (pdf.get_filename(), pdf.get_content()[:5]) == ("1001.pdf", b"%PDF-")


def test_a_finance_office_may_send_the_invoices_itself(closed: Office) -> None:
    """Then the hub sends none."""
    closed.close(MARCH, seller=msgspec.structs.replace(SELLER, mails_invoices=False))
    with closed.desk.database.read() as tx:
        assert "invoice_issued" not in {row.kind for row in tx.execute(messages.select())}
    assert Seller().mails_invoices
