# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages by which people get in: a second step, a mailed link, a recovery code; what is asked again before a grave act."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from booking_server.accounts import second_factor, sessions
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.config import Config, Mail, SignIn, Web
from booking_server.messages.tables import messages
from booking_server.people import service as people
from booking_server.web.app import create_app
from booking_server.web.proving import HALF_WAY_FOR
from tests.booking_server.accounts.test_second_factor import SECRET, code_at
from tests.booking_server.hub import ADMINISTRATOR as ANNA
from tests.booking_server.hub import NOW, PASSWORD
from tests.system.desk import Desk
from tests.web.conftest import ADMINISTRATOR, HOST, MEMBER, csrf

BASE = "https://hub.example"


@dataclass(slots=True)
class TurnedByHand:
    """A clock that a test turns."""

    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@dataclass(frozen=True, slots=True)
class House:
    """A hub in service over HTTPS, whose clock can be turned."""

    desk: Desk
    config: Config
    clock: TurnedByHand
    app: Flask

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def account(self, name: str) -> Account:
        with self.desk.database.read() as tx:
            return next(one for one in accounts.accounts(tx, ANNA) if one.sign_in_name == name)

    def give_app(self, name: str) -> None:
        """Let an account be asked for codes of SECRET."""
        with self.desk.database.write() as tx:
            who, at = self.account(name).actor(), self.clock.at - timedelta(minutes=5)
            second_factor.set_up(tx, who, now=at, vault=self.desk.keys.vault, secret=SECRET, code=code_at(at))

    def code(self) -> str:
        return code_at(self.clock.at)


@dataclass(frozen=True, slots=True)
class Browser:
    """One browser, with its cookies."""

    client: FlaskClient

    def get(self, path: str, **more: object) -> TestResponse:
        return self.client.get(path, base_url=BASE, **more)

    def post(self, path: str, page: str = "/sign-in", **data: str) -> TestResponse:
        """Send a form with the token of `page`."""
        token = csrf(self.client, page)
        headers = {"Referer": BASE + page}
        return self.client.post(path, data={"csrf_token": token, **data}, base_url=BASE, headers=headers)

    def sign_in(self, name: str) -> TestResponse:
        return self.post("/sign-in", sign_in_name=name, password=PASSWORD)

    def is_in(self) -> bool:
        return self.get("/me").status_code == 200


@pytest.fixture
def house(desk: Desk, tmp_path: Path) -> House:
    config = Config(
        database="",
        state_folder=str(tmp_path),
        language="en",
        web=Web(address=BASE),
        mail=Mail(folder=str(tmp_path / "mail")),
        sign_in=SignIn(second_factor="nobody"),
    )
    clock = TurnedByHand()
    return House(desk, config, clock, create_app(desk.database, config, desk.keys, clock))


@pytest.fixture
def strict(house: House) -> House:
    """The same hub as it is unless the settings say otherwise: staff need more than a password."""
    config = replace_sign_in(house.config)
    return replace(house, config=config, app=create_app(house.desk.database, config, house.desk.keys, house.clock))


def replace_sign_in(config: Config) -> Config:
    return Config(**{name: getattr(config, name) for name in config.__struct_fields__ if name != "sign_in"})


def _goes(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.headers.get("Location", "")


def test_a_password_is_half_the_way_where_there_is_an_app(house: House) -> None:
    """Nobody is in before the code; a wrong one says so; the right one leads to the page that was wanted."""
    house.give_app(HOST)
    browser = house.browser()
    answer = browser.post("/sign-in", sign_in_name=HOST, password=PASSWORD, next="/people")
    assert _goes(answer) == (303, "/sign-in/second")
    assert not browser.is_in()
    wrong = browser.post("/sign-in/second", "/sign-in/second", code="000000")
    assert (wrong.status_code, "This is not the code now" in wrong.text) == (422, True)
    assert not browser.is_in()
    assert _goes(browser.post("/sign-in/second", "/sign-in/second", code=house.code())) == (303, "/people")
    assert browser.is_in()
    with house.desk.database.read() as tx:
        (one,) = sessions.sessions_of(tx, now=NOW, account_id=house.account(HOST).id)
    assert one.how == ("password", "totp")


def test_half_the_way_is_worth_nothing_later_or_elsewhere(house: House) -> None:
    """After five minutes, after another password, or without the first step: back to the start, with no word on the code."""
    house.give_app(HOST)
    late, changed, stranger = house.browser(), house.browser(), house.browser()
    late.sign_in(HOST)
    token = csrf(late.client, "/sign-in/second")
    house.clock.at += HALF_WAY_FOR
    headers, data = {"Referer": f"{BASE}/sign-in/second"}, {"csrf_token": token, "code": house.code()}
    answer = late.client.post("/sign-in/second", data=data, base_url=BASE, headers=headers)
    assert _goes(answer) == (303, "/sign-in")
    changed.sign_in(HOST)
    with house.desk.database.write() as tx:
        accounts.set_password(tx, ANNA, now=NOW, account_id=house.account(HOST).id, password="another horse battery")
    assert _goes(changed.post("/sign-in/second", code=house.code())) == (303, "/sign-in")
    assert _goes(stranger.post("/sign-in/second", code=house.code())) == (303, "/sign-in")
    assert not any(browser.is_in() for browser in (late, changed, stranger))


def test_staff_with_a_password_alone_may_only_set_up_more(strict: House) -> None:
    """No page, no change, no stream but that; once an app is set up there, with ten codes shown once, everything is open."""
    browser = strict.browser()
    assert _goes(browser.sign_in(ADMINISTRATOR)) == (303, "/")
    for path in ("/", "/people", "/accounts", "/me", "/me/data"):
        assert _goes(browser.get(path)) == (303, "/me/sign-in"), path
    refused = browser.post("/sites/new", "/me/sign-in", name="Omnia", time_zone="Europe/Helsinki")
    assert _goes(refused) == (303, "/me/sign-in")
    assert browser.get("/today/taps", headers={"HX-Request": "true"}).headers["HX-Redirect"] == "/me/sign-in"
    assert "a password alone is not enough" in browser.get("/me/sign-in").text
    page = browser.get("/me/sign-in/app").text
    secret = re.sub(r"\s", "", re.findall(r"<pre>([A-Z2-7 ]+)</pre>", page)[0])
    offer = re.findall(r'name="offer" value="([^"]+)"', page)[0]
    wrong = browser.post("/me/sign-in/app", "/me/sign-in", offer=offer, code="000000")
    assert (wrong.status_code, browser.get("/people").status_code) == (422, 303)
    code = code_at(strict.clock.at, _decoded(secret))
    done = browser.post("/me/sign-in/app", "/me/sign-in", offer=offer, code=code)
    assert len(re.findall(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", done.text.split("<pre")[1].split("</pre>")[0])) == 10
    assert browser.get("/people").status_code == 200
    again = strict.browser()
    assert _goes(again.sign_in(ADMINISTRATOR)) == (303, "/sign-in/second")


def test_a_session_by_a_password_alone_is_not_freed_by_what_others_prove(strict: House) -> None:
    """Who has a stolen password and waits until its owner adds an app or a passkey gets nowhere, and changes neither; the
    owner, in a session of before, proves it and goes on."""
    thief = strict.browser()
    thief.sign_in(HOST)
    strict.give_app(HOST)
    for path in ("/", "/people", "/me", "/me/sign-in", "/me/sign-in/app"):
        assert _goes(thief.get(path)) == (303, "/confirm"), path
    assert _goes(thief.post("/me/sign-in/app/removal", "/confirm")) == (303, "/confirm")
    assert 'name="password"' not in thief.get("/confirm").text
    assert thief.post("/confirm", "/confirm", password=PASSWORD).status_code == 422
    assert _goes(thief.get("/people")) == (303, "/confirm")
    assert _goes(thief.post("/confirm", "/confirm", code=strict.code(), next="/people")) == (303, "/people")
    assert thief.get("/people").status_code == 200


def _decoded(secret: str) -> bytes:
    from base64 import b32decode

    return b32decode(secret)


def test_members_are_not_asked_for_more(strict: House) -> None:
    """A member with a password comes to their own page."""
    browser = strict.browser()
    assert _goes(browser.sign_in(MEMBER)) == (303, "/me")
    assert browser.is_in()


def test_a_recovery_code_gets_in_once_and_says_how_many_are_left(house: House) -> None:
    """Set up on the page, used in the app's place, and worth nothing the second time."""
    browser = house.browser()
    browser.sign_in(HOST)
    house.give_app(HOST)
    page = browser.post("/me/sign-in/codes", "/me/sign-in").text
    code = re.findall(r"[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}", page)[0]
    assert f'download="recovery-codes.txt" href="data:text/plain;charset=utf-8,{house.config.name}' in page
    for expected in ((303, "/me/sign-in"), (422, "")):
        other = house.browser()
        other.sign_in(HOST)
        assert _goes(other.post("/sign-in/recovery", "/sign-in/second", recovery_code=code)) == expected
        assert ("You have 9 left." in other.get("/me/sign-in", follow_redirects=True).text) is (expected[0] == 303)


def _link(house: House) -> str:
    with house.desk.database.read() as tx:
        found = tx.execute(select(messages.c.facts).where(messages.c.kind == "sign_in_link").order_by(messages.c.id)).all()
    return str(found[-1].facts["link"]).removeprefix(BASE)


def test_a_member_signs_in_by_a_link_from_any_browser(house: House) -> None:
    """Opened by a guard of the mail first, then by its owner: it is there until the button is pressed, and then no more."""
    house.desk.person("Aino Virtanen")
    asked = house.browser().post("/sign-in/link", email="aino@example.org", next="/me/sign-in")
    assert asked.status_code == 200
    guard, phone, later = house.browser(), house.browser(), house.browser()
    link = _link(house)
    assert [one.get(link).status_code for one in (guard, phone)] == [200, 200]
    assert not guard.is_in()
    assert _goes(phone.post(link, link)) == (303, "/me/sign-in")
    assert phone.is_in()
    with house.desk.database.read() as tx:
        assert set(tx.execute(select(messages.c.kind)).scalars()) == {"sign_in_link"}
    assert "You have none: you sign in without." in phone.get("/me/sign-in").text
    assert _goes(later.get(link)) == (303, "/sign-in")
    assert _goes(later.post(link)) == (303, "/sign-in")
    assert not later.is_in()


def test_whether_an_address_is_known_is_not_told(house: House) -> None:
    """The same page, word for word but the address, for a member's and for nobody's."""
    house.desk.person("Aino Virtanen")
    browser, said = house.browser(), set()
    for email in ("aino@example.org", "nobody@example.org"):
        page = browser.post("/sign-in/link", email=email)
        said.add((page.status_code, re.sub(r'value="[^"]+"', "", page.text.replace(email, ""))))
    assert len(said) == 1
    with house.desk.database.read() as tx:
        assert len(tx.execute(select(messages.c.id).where(messages.c.kind == "sign_in_link")).all()) == 1


def test_a_grave_act_asks_again_after_ten_minutes(house: House) -> None:
    """Nothing is done before; a wrong password opens nothing; after the right one it is, and one is back where one was."""
    browser = house.browser()
    browser.sign_in(ADMINISTRATOR)
    form = {"sign_in_name": "otto", "name": "Otto", "role": "host", "password": PASSWORD}
    house.clock.at += sessions.CONFIRMED_FOR
    assert _goes(browser.post("/accounts", "/accounts", **form)) == (303, "/confirm?next=/accounts")
    assert browser.post("/confirm", "/confirm", password="wrong", next="/accounts").status_code == 422
    assert _goes(browser.post("/accounts", "/accounts", **form)) == (303, "/confirm?next=/accounts")
    with pytest.raises(StopIteration):
        house.account("otto")
    assert _goes(browser.post("/confirm", "/confirm", password=PASSWORD, next="/accounts")) == (303, "/accounts")
    assert _goes(browser.post("/accounts", "/accounts", **form)) == (303, "/accounts")
    assert house.account("otto")


def test_where_links_to_sign_in_go_is_changed_by_who_proved_themselves(house: House) -> None:
    """After ten minutes another e-mail address of a person asks first and changes nothing; another name alone does not ask."""
    with house.desk.database.write() as tx:
        host, given = house.account(HOST).actor(), {"language": "fi", "address": "Katu 1, 02100 Espoo"}
        aino = people.add_person(tx, host, now=house.clock.at, name="Aino", email="aino@example.org", **given)
    browser, page = house.browser(), f"/people/{aino.id}/edit"
    browser.sign_in(HOST)
    house.clock.at += sessions.CONFIRMED_FOR
    form = {"name": "Aino A.", "email": "aino@example.org", **given}
    assert _goes(browser.post(page, page, **form)) == (303, f"/people/{aino.id}")
    form["email"] = "eve@example.org"
    assert _goes(browser.post(page, page, **form)) == (303, f"/confirm?next={page}")
    with house.desk.database.read() as tx:
        kept = people.person(tx, host, aino.id)
    assert (kept.name, kept.email) == ("Aino A.", "aino@example.org")
    browser.post("/confirm", "/confirm", password=PASSWORD, next=page)
    assert _goes(browser.post(page, page, **form)) == (303, f"/people/{aino.id}")


def test_a_copied_cookie_gains_nothing_by_a_proof(house: House) -> None:
    """Whoever proves once more who they are gets a new session's token; a copy of the one before is worth nothing."""
    browser, thief = house.browser(), house.browser()
    browser.sign_in(ADMINISTRATOR)
    cookie = browser.client.get_cookie("__Host-hubkey", domain="hub.example")
    assert cookie is not None
    thief.client.set_cookie("__Host-hubkey", cookie.value, domain="hub.example", secure=True)
    assert thief.is_in()
    browser.post("/confirm", "/confirm", password=PASSWORD)
    assert (browser.is_in(), thief.is_in()) == (True, False)


def test_who_has_an_app_proves_it_by_the_app(house: House) -> None:
    """A password that was looked over the shoulder confirms nothing."""
    browser = house.browser()
    browser.sign_in(ADMINISTRATOR)
    house.give_app(ADMINISTRATOR)
    house.clock.at += timedelta(hours=1)
    assert browser.post("/confirm", "/confirm", password=PASSWORD).status_code == 422
    assert _goes(browser.get("/me/sign-in/app")) == (303, "/confirm?next=/me/sign-in/app")
    assert _goes(browser.post("/confirm", "/confirm", code=house.code(), next="/me")) == (303, "/me")
    assert browser.get("/me/sign-in/app").status_code == 200


def test_sessions_are_listed_and_ended_one_by_one(house: House) -> None:
    """Each with its browser in words; the one that is ended is out at once, this one stays; another's cannot be ended."""
    here, phone, tablet, host = house.browser(), house.browser(), house.browser(), house.browser()
    for browser in (here, phone, tablet):
        browser.sign_in(ADMINISTRATOR)
    host.sign_in(HOST)
    page = here.get("/me/sign-in").text
    ids = re.findall(r"/me/sign-in/sessions/([0-9a-f]{64})/ending", page)
    assert len(ids) == 2
    assert host.post(f"/me/sign-in/sessions/{ids[0]}/ending", "/me/sign-in").status_code == 404
    assert _goes(here.post(f"/me/sign-in/sessions/{ids[0]}/ending", "/me/sign-in")) == (303, "/me/sign-in")
    assert [browser.is_in() for browser in (here, phone, tablet, host)].count(True) == 3
    here.post("/me/sign-in/sessions/ending", "/me/sign-in")
    assert [browser.is_in() for browser in (here, phone, tablet, host)] == [True, False, False, True]


@pytest.mark.parametrize(
    ("name", "idle", "life"),
    [(HOST, timedelta(hours=4), timedelta(hours=12)), (MEMBER, timedelta(days=30), timedelta(days=30))],
)
def test_a_session_ends_by_its_time(house: House, name: str, idle: timedelta, life: timedelta) -> None:
    """Unused it ends sooner, in use at its last hour all the same; staff's far sooner than a member's."""
    unused, used, begun = house.browser(), house.browser(), house.clock.at
    for browser in (unused, used):
        browser.sign_in(name)
    often = idle - timedelta(minutes=1)
    for times in range(1, life // often + 1):
        house.clock.at = begun + times * often
        assert used.is_in(), times
    house.clock.at = begun + life
    assert not used.is_in()
    house.clock.at = begun + idle
    assert not unused.is_in()


def test_an_administrator_ends_somebody_s_sessions(house: House) -> None:
    """All of that account's are over at once, nobody else's; every page has the way out for oneself."""
    staff, host, phone = house.browser(), house.browser(), house.browser()
    staff.sign_in(ADMINISTRATOR)
    for browser in (host, phone):
        browser.sign_in(HOST)
    account = f"/accounts/{house.account(HOST).id}"
    assert 'action="/sign-out"' in host.get("/me").text
    assert _goes(staff.post(f"{account}/sessions/ending", account)) == (303, account)
    assert [browser.is_in() for browser in (staff, host, phone)] == [True, False, False]


def test_a_field_for_a_password_hides_it_and_takes_what_a_manager_brings(house: House) -> None:
    """Each is masked and named for password managers, and no script of ours listens to pasting."""
    browser = house.browser()
    fields = re.findall(r"<input[^>]*password[^>]*>", browser.get("/sign-in").text)
    browser.sign_in(ADMINISTRATOR)
    fields += re.findall(r'<input[^>]*name="(?:current|password|again)"[^>]*>', browser.get("/me/sign-in/password").text)
    assert len(fields) == 4
    assert all('type="password"' in one and re.search(r'autocomplete="(new|current)-password"', one) for one in fields)
    scripts = (Path(house.app.static_folder or "") / name for name in ("passwords.js", "live.js", "passkeys.js"))
    assert not any("paste" in script.read_text(encoding="utf-8") for script in scripts)


def test_signing_out_leaves_nothing_in_the_browser(house: House) -> None:
    """What pages may have left is cleared; what knows the browser again opens nothing and no script reads it."""
    browser = house.browser()
    cookies = browser.sign_in(HOST).headers.getlist("Set-Cookie")
    (known,) = (cookie for cookie in cookies if cookie.startswith("__Host-hubkey-browser="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(known.split("; "))
    out = browser.post("/sign-out", "/people")
    assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not browser.is_in()
