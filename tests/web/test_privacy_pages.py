# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can anybody read what a door keeps of them, get it, see who looked, and can staff erase a person knowing what they do?"""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from booking_server.accounts import service as accounts
from booking_server.accounts.tables import sessions
from booking_server.actors import COMMAND_LINE, Role
from booking_server.audit import service as audit
from booking_server.audit.personal import LOOKS
from booking_server.config import Config, Privacy, Said, Seller
from booking_server.people import service as people
from booking_server.privacy import asking
from booking_server.privacy.notice_words import LANGUAGES, WORDS
from booking_server.web.app import create_app
from tests.booking_server.hub import PASSWORD, TAG
from tests.system.desk import HOST as DEMO_HOST
from tests.system.desk import Desk
from tests.system.visitor import Visitor
from tests.web.browser import WIDTHS, chromium
from tests.web.browser import signed_in as browser_signed_in
from tests.web.conftest import BILLING, HOST, Served
from tests.web.playing import PlayedDoor

STATED = Privacy(
    controller="Omnia",
    address="Lehtimäentie 1, Espoo",
    email="tietosuoja@example.org",
    legal_basis=Said(fi="Sopimus jäsenen kanssa.", en="The contract with the member."),
    monitoring_basis=Said(fi="Käsitelty yt-neuvottelukunnassa."),
)


@pytest.fixture
def anybody(desk: Desk) -> FlaskClient:
    """Somebody before a door, not signed in, in a hub that has stated what it must."""
    site = desk.site("Omnia")
    desk.door("front", "Front door", leads_into=site, log_named="always", log_reason="Two burglaries last winter.")
    config = Config(database="", state_folder="/nowhere", language="fi", name="Omnia hub", privacy=STATED)
    return create_app(desk.database, config, desk.keys, desk.clock).test_client()


def test_the_notice_at_a_door_says_what_holds_there_in_three_languages(anybody: FlaskClient) -> None:
    """Who answers, whether names are shown and why, for how long, the hub's own ground, in another language if it must."""
    for language, ground in (("fi", "Sopimus"), ("sv", "Sopimus"), ("en", "The contract")):
        page = anybody.get(f"/privacy/doors/front?language={language}", base_url="https://hub.example")
        assert page.status_code == 200
        title = WORDS[language]["title_door"]
        for said in ("Omnia", "tietosuoja@example.org", "Two burglaries last winter.", ground, title, "30"):
            assert said in page.text, (language, said)
        assert f'lang="{language}"' in page.text


def test_every_word_of_the_notices_is_there_in_each_language() -> None:
    """The same sentences with the same figures in them, none left in English."""
    keys = {name: WORDS["en"][name].count("{") for name in WORDS["en"]}
    for language in LANGUAGES:
        assert {name: words.count("{") for name, words in WORDS[language].items()} == keys
        same = [name for name, words in WORDS[language].items() if language != "en" and words == WORDS["en"][name]]
        assert same == []


def test_what_the_hub_has_not_stated_is_said_to_be_missing(desk: Desk) -> None:
    """No ground is made up; a door that is not there has the hub's notice and gives nothing away."""
    config = Config(database="", state_folder="/nowhere", language="en", seller=Seller())
    client = create_app(desk.database, config, desk.keys, desk.clock).test_client()
    for path in ("/privacy", "/privacy/doors/none"):
        page = client.get(f"{path}?language=en", base_url="https://hub.example").text
        assert page.count("Not stated yet.") == 2
        assert "Data protection in this hub" in page
    assert client.get("/privacy/staff", base_url="https://hub.example").status_code == 303


def _member(served: Served) -> tuple[int, Visitor]:
    """Make Aino a member who has tapped, and sign her in."""
    desk = served.desk
    site = desk.site("Omnia")
    studio = desk.space(site, "Studio", "co-creation")
    desk.door("studio", "Studio", leads_into=studio, log_named="always", log_reason="Expensive tools.")
    aino = desk.person("Aino Virtanen")
    desk.tag(aino, TAG)
    desk.grant(aino, studio, from_day=date(2026, 1, 1))
    PlayedDoor(desk, "studio").tap(TAG)
    with desk.database.write() as tx:
        accounts.add_account(
            tx,
            COMMAND_LINE,
            now=desk.clock.now(),
            sign_in_name="aino",
            name="Aino",
            role=Role.MEMBER,
            password=PASSWORD,
            person_id=aino,
        )
    return aino, Visitor(served.address)


def test_a_member_sees_who_looked_gets_everything_and_asks(served: Served) -> None:
    """The host who saw her name in the list is named to her; her zip is all of hers; what she asks is answered on her page."""
    aino, visitor = _member(served)
    host = served.visitor(HOST)
    host.see("/").must_say("Aino Virtanen")
    host.see(f"/people/{aino}/taps")
    page = visitor.post(visitor.see("/sign-in?next=/me/data"), "/sign-in", sign_in_name="aino", password=PASSWORD)
    page.must_say("Heikki", "saw the name in the list of taps", "read the taps")
    page = visitor.post(page, "/me/data/wishes", kind="correct", text="I am Aino Laine now.")
    page.must_say("I am Aino Laine now.", "waits for an answer")
    host.see("/").must_say("1 person waits for an answer about their data")
    desk_page = host.see("/privacy/desk")
    desk_page.must_say("I am Aino Laine now.", "privacy.legal_basis")
    with served.desk.database.read() as tx:
        [wish] = asking.open_wishes(tx, DEMO_HOST)
    host.post(desk_page, f"/wishes/{wish.id}", answer="Done.").must_say("Answered.")
    visitor.see("/me/data").must_say("→ Done.")


def test_a_person_is_erased_in_two_steps_and_the_page_says_what_stays(served: Served) -> None:
    """First what would go and what stays; without the tick nothing; then it is done and the person is a number."""
    aino, _ = _member(served)
    staff = served.visitor()
    page = staff.see(f"/people/{aino}/erasure")
    page.must_say("Keytags that are blocked and taken back", "This stays", "until", "Backups keep the name")
    page = staff.post(page, f"/people/{aino}/erasure", status=422)
    page.must_say("Say that you have read it.")
    page = staff.post(page, f"/people/{aino}/erasure", sure=True)
    page.must_say(f"Data of #{aino}", "Erased as far as the books allow.")
    with served.desk.database.read() as tx:
        assert people.person(tx, DEMO_HOST, aino).name == f"#{aino}"
    served.visitor(HOST).see(f"/people/{aino}/erasure", status=403)


def test_the_zip_is_the_persons_and_whoever_took_it_is_named(served: Served) -> None:
    """A host takes it for the person: one zip with all of it, nothing to be kept by a browser or shown as a page."""
    aino, _ = _member(served)
    host = served.visitor(HOST)
    got = host.post(host.see(f"/people/{aino}/data"), f"/people/{aino}/data/export")
    with zipfile.ZipFile(io.BytesIO(got.content)) as file:
        held = json.loads(file.read("data.json"))
        assert "Aino Virtanen" in file.read("data.html").decode()
    assert [row["name"] for row in held["people"]] == ["Aino Virtanen"]
    assert held["taps"][0]["door_id"] == "studio"
    host.see(f"/people/{aino}/data").must_say("took a copy of all data", "Heikki")


def test_the_desk_page_freezes_a_log_and_tells_what_is_missing(served: Served) -> None:
    """A freeze is given days in the hub's way of writing them; a wrong one is told at its field; it is ended by a button."""
    _member(served)
    host = served.visitor(HOST)
    today, later = served.desk.clock.now().date(), served.desk.clock.now().date() + timedelta(days=30)
    days: dict[str, Any] = {"from_day": today.isoformat(), "through_day": today.isoformat(), "reason": "a drill is missing"}
    page = host.post(host.see("/privacy/desk"), "/privacy/freezes", door_id="studio", kept_until="soon", status=422, **days)
    page.must_say("Write the day as day.month.year")
    page = host.post(page, "/privacy/freezes", door_id="studio", kept_until=f"{later.day}.{later.month}.{later.year}", **days)
    page.must_say("Kept until", "a drill is missing", "heikki")
    assert "a drill is missing" not in host.post(page, "/end").words
    served.visitor(BILLING).see("/privacy/desk", status=403)


def test_the_pages_fit_a_phone_and_a_desk(running: Served, tmp_path: Path) -> None:
    """No page of a person's data needs to be moved sideways, and none asks anything of another host."""
    aino, _ = _member(running)
    paths = ("/privacy/doors/studio?language=sv", "/privacy/sites/1", "/privacy/staff?language=fi", "/privacy/desk",
             "/privacy/record", f"/people/{aino}/data", f"/people/{aino}/erasure")  # fmt: skip
    with chromium() as browser:
        for size in WIDTHS:
            page, troubles = browser_signed_in(browser, running, size)
            for number, path in enumerate(paths):
                answer = page.goto(f"{running.address}{path}")
                assert answer is not None, path
                assert answer.status == 200, path
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
                page.screenshot(path=str(tmp_path / f"{size}-{number}.png"), full_page=True)
            assert troubles == []


def _looks(served: Served, person: int) -> list[tuple[object, object]]:
    with served.desk.database.read() as tx:
        rows = audit.of_subject(tx, f"person:{person}")
    return [(row["act"], row["actor"]) for row in rows if row["act"] in LOOKS]


def test_who_sees_a_name_a_months_use_or_an_invoice_is_recorded_once_an_hour(served: Served) -> None:
    """However often a page is loaded; not of who sees nobody's name, and not of one's own."""
    aino, visitor = _member(served)
    now, studio = served.desk.clock.now(), next(iter(served.desk.entries(f"{served.desk.clock.now():%Y-%m}"))).space_id
    served.desk.price(studio, "entry", 420, from_day=now.date())
    host, billing = served.visitor(HOST), served.visitor(BILLING)
    for page in ("/", "/today/taps", "/", f"/people/{aino}", f"/people/{aino}"):
        host.see(page)
    billing.see("/")
    assert sorted(_looks(served, aino)) == [("month_seen", HOST), ("seen_at_doors", HOST)]
    billing.see(f"/people/{aino}")
    visitor.post(visitor.see("/sign-in?next=/me/data"), "/sign-in", sign_in_name="aino", password=PASSWORD)
    assert sorted(_looks(served, aino)) == [("month_seen", BILLING), ("month_seen", HOST), ("seen_at_doors", HOST)]


def test_an_old_session_proves_again_who_it_is_before_data_leave(served: Served) -> None:
    """Copy and erasure ask once more who sits there, and until then nothing is taken, shown or recorded."""
    aino, _ = _member(served)
    staff = served.visitor()
    staff.forgets()
    page = staff.see(f"/people/{aino}/data")
    with served.desk.database.write() as tx:
        tx.execute(sessions.update().values(confirmed_at=served.desk.clock.now() - timedelta(minutes=11)))
    assert staff.post(page, f"/people/{aino}/data/export").path == "/confirm"
    assert staff.see(f"/people/{aino}/erasure").path == "/confirm"
    assert ("data_exported", "anna") not in _looks(served, aino)
