# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the pages of prices, bookings, months and invoices do what staff say, and tell what they may not do?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from werkzeug.serving import make_server

from booking_server.audit import service as audit
from booking_server.bookings import service as bookings
from booking_server.config import Config, Web
from booking_server.db import Database
from booking_server.keys import make_keys
from booking_server.ledger import tracing
from booking_server.web.app import create_app
from tests.booking_server.hub import NOW, PASSWORD
from tests.booking_server.invoices.office import AINO_CENTS, BEGIN, MARCH_OVER, SELLER, TurnedByHand, make_office
from tests.booking_server.invoices.office import Office as Used
from tests.system.desk import Desk
from tests.system.visitor import Page, Visitor
from tests.web.conftest import BILLING, HOST, MEMBER, Served


@dataclass(frozen=True, slots=True)
class Office(Served):
    """The pages of a hub in which the time can be turned; it is a Tuesday in November, 14:00 in Helsinki."""

    clock: TurnedByHand = field(default_factory=TurnedByHand)


@pytest.fixture
def office(empty_database: Path, tmp_path: Path) -> Iterator[Office]:
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path / 'hub.sqlite')}")
    clock = TurnedByHand(NOW)
    desk = Desk(database, make_keys(tmp_path / "state"), clock)
    web = Web(secure_cookies=False)
    config = Config(database="", state_folder=str(tmp_path), language="en", demo=True, web=web, seller=SELLER)
    server = make_server("127.0.0.1", 0, create_app(database, config, desk.keys, clock), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Office(desk, f"http://127.0.0.1:{server.port}", clock=clock)
    server.shutdown()
    thread.join()
    server.server_close()
    database.close()


# --- prices ----------------------------------------------------------------------------------------------------------


def test_a_price_set_on_a_spaces_page_stands_there_with_its_vat(office: Office) -> None:
    """What was typed as 4,20 and 25,5 is shown as the price from that day on, and with VAT."""
    path = f"/spaces/{office.desk.space(office.desk.site('Omnia'), 'Studio', 'co-creation')}"
    birgit = office.visitor(BILLING)
    page = birgit.post(birgit.see(path), f"{path}/prices", unit="entry", amount="4,20", vat="25,5", from_day="1.11.2026")
    assert page.path == path
    page.must_say("€4.20 an entry", "VAT 25.5 %, €5.27 with VAT", "from 1 Nov 2026")


@pytest.mark.parametrize(
    ("at", "typed"), [("amount", "four"), ("amount", "4,205"), ("from_day", "1.1.2020"), ("from_day", "tomorrow")]
)
def test_a_price_that_cannot_be_taken_is_told_at_its_field(office: Office, at: str, typed: str) -> None:
    """The form comes back with the error at the field that is wrong, and everything typed is kept."""
    path = f"/spaces/{office.desk.space(office.desk.site('Omnia'), 'Studio', 'co-creation')}"
    birgit, values = office.visitor(BILLING), {"unit": "day", "amount": "7,77", "vat": "10", "from_day": "1.11.2026", at: typed}
    page = birgit.post(birgit.see(path), f"{path}/prices", status=422, **values)
    assert f'id="{at}-error"'.encode() in page.content
    kept = page.form(f"{path}/prices").values
    assert {name: kept[name] for name in values} == {name: [value] for name, value in values.items()}


def test_a_host_sees_prices_and_cannot_set_them(office: Office) -> None:
    """The host's page has the price and no form for it."""
    room = office.desk.space(office.desk.site("Omnia"), "Studio", "co-creation")
    office.desk.price(room, "entry", 420, from_day=NOW.date())
    page = office.visitor(HOST).see(f"/spaces/{room}").must_say("€4.20")
    assert not [form for form in page.forms() if form.action.endswith("/prices")]


# --- bookings --------------------------------------------------------------------------------------------------------


@pytest.fixture
def shop(office: Office) -> int:
    """A pop-up shop that can be booked."""
    return office.desk.space(office.desk.site("Omnia"), "Pop-up shop", "pop-up", bookable=True)


def _book(visitor: Visitor, person: int, filled: Mapping[str, str] | None = None, *, status: int = 200) -> Page:
    page = visitor.see(f"/bookings/new?person_id={person}")
    wanted = {"start_day": "24.11.2026", "start_time": "16:00", "end_day": "", "end_time": "18:00", "purpose": "Sale"}
    return visitor.post(page, "/bookings/new", status=status, **{**wanted, **(filled or {})})


def test_a_booking_is_made_in_a_few_clicks_and_stands_in_its_week(office: Office, shop: int) -> None:
    """From a cell of the week, the form already names space and day; the week then shows hours and name."""
    aino, heikki = office.desk.person("Aino Virtanen"), office.visitor(HOST)
    link = next(to for to, _ in heikki.see("/bookings?day=2026-11-24").links if "space_id" in to and "2026-11-26" in to)
    page = heikki.see(link)
    page = heikki.post(page, "/bookings/new", person_id=str(aino), start_time="9", end_time="11.30")
    assert page.path == "/bookings"
    page.must_say("9:00–11:30 Aino Virtanen")
    assert len(_booked(office, shop)) == 1


def _booked(office: Office, space: int) -> list[tuple[datetime, datetime]]:
    with office.desk.database.read() as tx:
        found = bookings.bookings_of_space(tx, space, NOW - timedelta(days=9), NOW + timedelta(days=300))
    return [(one.start_at, one.end_at) for one in found]


def test_what_is_in_the_way_is_told_at_the_start_and_nothing_typed_is_lost(office: Office, shop: int) -> None:
    """The space is taken: the error names it with its hours at the field, the day's bookings stand by, the form is as typed."""
    aino, ville = office.desk.person("Aino Virtanen"), office.desk.person("Ville Korhonen")
    heikki = office.visitor(HOST)
    _book(heikki, aino)
    page = _book(heikki, ville, {"start_time": "17:00", "end_time": "19:00", "purpose": "Soup day"}, status=422)
    page.must_say("Pop-up shop is already booked from 24 Nov 2026, 16:00 to 24 Nov 2026, 18:00.", "16:00–18:00 Aino Virtanen")
    assert b'id="start_time-error"' in page.content
    kept = page.form("/bookings/new").values
    assert [kept[name] for name in ("person_id", "start_time", "end_time", "purpose")] == [
        [str(ville)], ["17:00"], ["19:00"], ["Soup day"],
    ]  # fmt: skip
    assert len(_booked(office, shop)) == 1


@pytest.mark.parametrize(
    ("filled", "at"),
    [
        ({"start_day": "31.11.2026"}, "start_day"),
        ({"start_time": "25:00"}, "start_time"),
        ({"start_time": "9:00"}, "start_time"),
        ({"end_time": "15:00"}, "end_time"),
        ({"person_id": ""}, "person_id"),
        ({"start_day": "24.11.2036"}, "start_time"),
    ],
)
def test_a_booking_that_cannot_be_is_told_at_its_field(office: Office, shop: int, filled: dict[str, str], at: str) -> None:
    """A day that is none, an hour that has passed, an end before the start, nobody chosen, ten years ahead."""
    page = _book(office.visitor(HOST), office.desk.person("Aino Virtanen"), filled, status=422)
    assert f'id="{at}-error"'.encode() in page.content
    assert _booked(office, shop) == []


@pytest.mark.parametrize(
    ("filled", "hours"),
    [
        ({}, 2),
        ({"end_time": "24:00"}, 8),
        ({"end_time": ""}, 8),
        ({"end_day": "25.11.2026", "end_time": "2:00"}, 10),
        ({"start_day": "25.11.2026", "start_time": "", "end_time": ""}, 24),
        ({"start_day": "27.3.2027", "start_time": "23:00", "end_day": "28.3.2027", "end_time": "5:00"}, 5),
    ],
)
def test_hours_are_the_wall_clocks(office: Office, shop: int, filled: dict[str, str], hours: int) -> None:
    """To midnight, over midnight, a whole day, and across the change to summer time."""
    _book(office.visitor(HOST), office.desk.person("Aino Virtanen"), filled)
    [(start, end)] = _booked(office, shop)
    assert end - start == timedelta(hours=hours)


def test_a_booking_is_cancelled_before_its_start_and_not_after(office: Office, shop: int) -> None:
    """Its page offers it while it is still to come; once begun the form is gone, and a page left open is refused."""
    aino, heikki = office.desk.person("Aino Virtanen"), office.visitor(HOST)
    first = office.desk.book(shop, aino, NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    second = office.desk.book(shop, aino, NOW + timedelta(hours=4), NOW + timedelta(hours=5))
    path, left_open = f"/bookings/{second}", heikki.see(f"/bookings/{first}")
    heikki.post(heikki.see(path), f"{path}/cancellation").must_say("The space is free again")
    assert len(_booked(office, shop)) == 1
    office.clock.at += timedelta(hours=1, minutes=5)
    page = heikki.post(left_open, f"/bookings/{first}/cancellation", status=422)
    page.must_say("already started")
    assert not [form for form in page.forms() if form.action.endswith("/cancellation")]
    assert len(_booked(office, shop)) == 1


def test_a_booking_says_what_it_comes_to(office: Office, shop: int) -> None:
    """An hour and a half at 12,00 a started hour comes to two of them."""
    office.desk.price(shop, "booked_hour", 1200, from_day=NOW.date())
    number = office.desk.book(shop, office.desk.person("Aino Virtanen"), NOW, NOW + timedelta(minutes=90))
    office.visitor(HOST).see(f"/bookings/{number}").must_say("€24.00 without VAT", "2 booked hours, €12.00 each")


def test_a_persons_page_has_what_they_booked(office: Office, shop: int) -> None:
    """What is coming, with a way to book more."""
    aino = office.desk.person("Aino Virtanen")
    office.desk.book(shop, aino, NOW, NOW + timedelta(hours=2))
    page = office.visitor(HOST).see(f"/people/{aino}").must_say("Pop-up shop", "Tue 24 Nov 2026, 14:00–16:00")
    assert f"/bookings/new?person_id={aino}" in [to for to, _ in page.links]


def test_the_week_is_where_the_address_says_and_today_where_it_makes_no_sense(office: Office, shop: int) -> None:
    """A booking over midnight stands on both its days; an address that is no day shows this week."""
    aino, heikki = office.desk.person("Aino Virtanen"), office.visitor(HOST)
    office.desk.book(shop, aino, NOW + timedelta(days=7, hours=8), NOW + timedelta(days=7, hours=13))
    heikki.see("/bookings?day=2026-12-02").must_say("22:00– Aino Virtanen", "–3:00 Aino Virtanen")
    assert "Aino" not in heikki.see("/bookings?day=nonsense").must_say("23 Nov").words


def test_members_have_no_business_on_the_staffs_pages(office: Office, shop: int) -> None:
    """A member's account is refused at every one of these pages."""
    mikko = Visitor(office.address)
    mikko.post(mikko.see("/sign-in"), "/sign-in", sign_in_name=MEMBER, password=PASSWORD)
    for path in ("/bookings", "/bookings/new", "/bookings/1"):
        assert mikko.see(path, status=403)


# --- months, invoices, entries ---------------------------------------------------------------------------------------


@pytest.fixture
def used(office: Office) -> Used:
    """A hub with a March that is over, and every door complete."""
    office.clock.at = BEGIN
    used = make_office(office.desk, office.clock)
    used.use_march()
    return used


def _closing(page: Page) -> list[dict[str, list[str]]]:
    return [form.values for form in page.forms() if form.action.endswith("/closing")]


def test_a_month_says_what_it_would_come_to_and_closes_in_one_click(office: Office, used: Used) -> None:
    """Who would pay what, to the cent; no reason is asked; then each invoice is there and nothing is left to close."""
    birgit = office.visitor(BILLING)
    birgit.see("/months").must_say("March 2026 to be closed")
    page = birgit.see("/months/2026-03").must_say("Aino Virtanen", "€48.60", "€60.99", "Ville Korhonen", "€17.03", "€78.02")
    assert ["left_open" in values for values in _closing(page)] == [False]
    page = birgit.post(page, "/months/2026-03/closing").must_say(
        "The month is closed: 2 invoices.", "€60.99", "€17.03", "€78.02"
    )
    assert _closing(page) == []
    birgit.see("/months").must_say("March 2026 closed 2 €78.02")


def test_a_door_with_taps_to_send_is_named_and_a_reason_closes_without_it(office: Office, used: Used) -> None:
    """The page names the door and until when it is complete; no reason is told at the field; a reason is kept to be read."""
    used.doors["gallery"].status(MARCH_OVER, journal="gallery-journal", last_sequence=99)
    birgit = office.visitor(BILLING)
    page = birgit.see("/months/2026-03").must_say(
        "Some taps may still be at a door: Gallery door", "complete until 3 Mar 2026, 02:00"
    )
    page = birgit.post(page, "/months/2026-03/closing", status=422, left_open="  ").must_say("Gallery door")
    assert b'id="left_open-error"' in page.content
    page = birgit.post(page, "/months/2026-03/closing", left_open="Its card died, the gap is known")
    page.must_say("Its card died, the gap is known", "Gallery door: complete until 3 Mar 2026, 02:00")


def test_what_a_dead_card_had_not_sent_is_told_before_and_after_closing(office: Office, used: Used) -> None:
    """How many events, of which door, and since when: while the month waits, and with its reason once it is closed."""
    gallery = used.doors["gallery"]
    gallery.status(MARCH_OVER, journal="gallery-journal", last_sequence=gallery.sequence + 12)
    gallery.status(MARCH_OVER, boot="new", journal="new-journal", last_sequence=0)
    birgit, lost = office.visitor(BILLING), "12 events of its earlier card never arrived"
    page = birgit.see("/months/2026-03").must_say(f"Gallery door ({lost})", f"complete until 3 Mar 2026, 02:00 · {lost}")
    page = birgit.post(page, "/months/2026-03/closing", left_open="The storm took it")
    page.must_say("The storm took it", f"Gallery door: complete until 3 Mar 2026, 02:00 · {lost}")


def test_a_running_month_shows_its_sum_and_cannot_be_closed(office: Office, used: Used) -> None:
    """What it comes to so far, and from when on it can be closed."""
    office.clock.at = MARCH_OVER - timedelta(days=3)
    page = office.visitor(BILLING).see("/months/2026-03").must_say("€78.02", "The month is over on 1 Apr 2026, 05:00.")
    assert _closing(page) == []


def _issued(office: Office, used: Used) -> tuple[Visitor, str]:
    number = used.close("2026-03", demo=True)[0].id
    return office.visitor(BILLING), f"/invoices/{number}"


def test_every_line_of_an_invoice_opens_to_what_it_rests_on(office: Office, used: Used) -> None:
    """The page has the sums, and as many causes as the month had paid entries and bookings; each opens and names its space."""
    birgit, path = _issued(office, used)
    net, vat, gross = (f"€{cents / 100:.2f}" for cents in AINO_CENTS)
    page = birgit.see(path).must_say("Invoice 1001", net, vat, gross, "Aino Virtanen", "FI21 1234 5600 0007 85")
    causes = [to for to, _ in page.links if to.startswith(("/entries/", "/bookings/"))]
    assert len(causes) == len(set(causes)) == 4
    for to in causes:
        birgit.see(to).must_say("Studio" if to.startswith("/entries/") else "Pop-up shop", "Aino Virtanen")


@pytest.mark.parametrize(("language", "says"), [("fi", "60,99"), ("en", "60.99")])
def test_an_invoice_comes_as_pdf_and_text_in_the_language_asked_for(
    office: Office, used: Used, language: str, says: str
) -> None:
    """Both are shown in the browser, each as what it is; a language that invoices do not speak is refused in words."""
    birgit, path = _issued(office, used)
    pdf, text = (birgit.see(f"{path}.{ending}?language={language}") for ending in ("pdf", "txt"))
    assert (pdf.kind, pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert text.kind == "text/plain"
    text.must_say(says)
    birgit.see(f"{path}.pdf?language=sv", status=422).must_say("not a language of invoices")


def test_an_entry_tells_its_tap_and_records_who_looked(office: Office, used: Used) -> None:
    """Space, service day, door, who decided, the event's hash; the person's page then says that Birgit looked."""
    entry = next(one for one in used.desk.entries("2026-03") if one.merged_into is None)
    birgit = office.visitor(BILLING)
    page = birgit.see(f"/entries/{entry.id}")
    page.must_say("Studio", "2 Mar 2026", "Studio door", "online, by the server", "Aino Virtanen", "2 Mar 2026, 09:00")
    with used.desk.database.write() as tx:
        looked = [row for row in audit.of_subject(tx, f"person:{used.aino}") if row["act"] == "taps_read"]
        assert tracing.trace(tx, used.desk.actor, now=NOW, entry_id=entry.id).event_hash in page.words
    assert [row["actor"] for row in looked] == [BILLING]


def test_an_entry_made_offline_or_tapped_again_says_so(office: Office, used: Used) -> None:
    """Decided by the door itself; a re-tap points to the entry that it counts with."""
    used.tap("studio", used.ville, MARCH_OVER, decided_by="door")
    entries, heikki = used.desk.entries("2026-03") + used.desk.entries("2026-04"), office.visitor(HOST)
    heikki.see(f"/entries/{entries[-1].id}").must_say("offline, by the door itself")
    again = next(one for one in entries if one.merged_into is not None)
    page = heikki.see(f"/entries/{again.id}").must_say("this counts together with")
    assert f"/entries/{again.merged_into}" in [to for to, _ in page.links]


def test_the_books_are_for_those_who_keep_them(office: Office, used: Used) -> None:
    """A host sees neither months nor invoices, and no way to them; what is not there is not found."""
    used.close("2026-03", demo=True)
    heikki, birgit = office.visitor(HOST), office.visitor(BILLING)
    for path in ("/months", "/months/2026-03", "/invoices/1", "/invoices/1.txt", "/invoices/1.pdf"):
        heikki.see(path, status=403)
    assert not [to for to, _ in heikki.see(f"/people/{used.aino}").links if to.startswith(("/months", "/invoices"))]
    for path in ("/invoices/99", "/invoices/99.pdf", "/entries/99"):
        birgit.see(path, status=404)
    birgit.see("/months/2026-13", status=422).must_say("is not a month")


def test_a_persons_month_so_far_is_what_the_invoice_will_say(office: Office, used: Used) -> None:
    """In March, Aino's page has her sum of that day; after closing, her invoice with the same sum."""
    office.clock.at = MARCH_OVER - timedelta(hours=12)
    birgit = office.visitor(BILLING)
    birgit.see(f"/people/{used.aino}").must_say("€48.60", "€60.99 with VAT")
    office.clock.at = MARCH_OVER
    used.close("2026-03", demo=True)
    page = birgit.see(f"/people/{used.aino}").must_say("€60.99")
    assert "/invoices/1" in [to for to, _ in page.links]


def test_no_price_starts_in_a_closed_month(office: Office, used: Used) -> None:
    """It is told at the day, with the first day that may be chosen."""
    used.close("2026-03", demo=True)
    birgit, path = office.visitor(BILLING), f"/spaces/{used.studio}"
    page = birgit.post(
        birgit.see(path), f"{path}/prices", status=422, unit="entry", amount="5", vat="25,5", from_day="15.3.2026"
    )
    assert b'id="from_day-error"' in page.content
    page.must_say("Choose 1.4.2026 or later.")
