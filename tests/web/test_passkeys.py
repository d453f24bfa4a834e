# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a passkey sign its owner in and nobody else, in a real browser with an authenticator of its own?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, Request
from werkzeug.serving import make_server

from booking_server.clock import SystemClock
from booking_server.config import Config, Web
from booking_server.db import Database
from booking_server.keys import make_keys
from booking_server.web.app import create_app
from tests.booking_server.hub import PASSWORD
from tests.system.processes import free_port
from tests.web.browser import WIDTHS, chromium
from tests.web.conftest import ADMINISTRATOR, BILLING, HOST

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path / 'hub.sqlite')}")
    yield database
    database.close()


@pytest.fixture
def hub(database: Database, tmp_path: Path) -> Iterator[str]:
    """The address of a hub's pages on this machine."""
    with _served(database, tmp_path) as address:
        yield address


@contextmanager
def _served(database: Database, folder: Path, *, origin: str = "", demo: bool = True) -> Iterator[str]:
    port = free_port()
    web = Web(host="localhost", port=port, address=origin, secure_cookies=False)
    config = Config(database="", state_folder=str(folder / "state"), language="en", demo=demo, name="The hub", web=web)
    app = create_app(database, config, make_keys(folder / "state"), SystemClock())
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://localhost:{port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(slots=True)
class Someone:
    """Somebody at a browser whose device keeps passkeys. `sent` are the forms that left it, as they were sent."""

    page: Page
    hub: str
    device: CDPSession
    authenticator: str
    sent: list[Request] = field(default_factory=list)

    def signs_in(self, name: str, password: str = PASSWORD) -> None:
        self.page.goto(f"{self.hub}/sign-in")
        self.page.fill("#sign_in_name", name)
        self.page.fill("#password", password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("text=Sign out")

    def signs_out(self) -> None:
        self.page.click("text=Sign out")
        self.page.wait_for_url(f"{self.hub}/sign-in")

    def adds(self, name: str) -> None:
        """Add a passkey on one's own page."""
        self.page.goto(f"{self.hub}/me/sign-in")
        self.page.fill("#passkey-name", name)
        self.page.click("button:has-text('Add a passkey')")
        self.page.wait_for_selector(f"text=The passkey {name} signs you in from now on")

    def uses_passkey(self, at: str = "/sign-in", button: str = "Sign in with a passkey") -> None:
        self.page.goto(f"{self.hub}{at}")
        self.page.click(f"text={button}")

    def credentials(self) -> list[dict[str, Any]]:
        """What the device keeps."""
        found: list[dict[str, Any]] = self.device.send("WebAuthn.getCredentials", {"authenticatorId": self.authenticator})[
            "credentials"
        ]
        return found

    def keeps(self, *credentials: dict[str, Any]) -> None:
        """Let the device keep just these, as one does that is put back from a copy."""
        self.device.send("WebAuthn.clearCredentials", {"authenticatorId": self.authenticator})
        for one in credentials:
            self.device.send("WebAuthn.addCredential", {"authenticatorId": self.authenticator, "credential": one})

    def is_told(self, sentence: str) -> None:
        self.page.wait_for_selector(f"[role=alert]:has-text({sentence!r})")


def _someone(browser: Browser, hub: str, *, offers: bool = False) -> Someone:
    """Return somebody at a browser that `offers` passkeys in fields, or has a button for them only."""
    context: BrowserContext = browser.new_context(locale="en-GB")
    page = context.new_page()
    if not offers:
        page.add_init_script("delete PublicKeyCredential.isConditionalMediationAvailable")
    page.set_default_timeout(10_000)
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable", {})
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    who = Someone(page, hub, session, made["authenticatorId"])
    page.on("request", lambda asked: who.sent.append(asked) if asked.method == "POST" else None)
    return who


def test_a_passkey_from_its_making_to_its_removal(browser: Browser, hub: str) -> None:
    """Made and named on one's own page, it signs in by one button, proves who sits there, is renamed and removed."""
    who = _someone(browser, hub)
    who.signs_in(ADMINISTRATOR)
    who.adds("Phone")
    who.signs_out()
    who.uses_passkey()
    who.page.wait_for_url(f"{hub}/")
    who.uses_passkey("/confirm?next=/accounts", "Go on with a passkey")
    who.page.wait_for_url(f"{hub}/accounts")
    who.page.goto(f"{hub}/me/sign-in")
    who.page.click("summary:has-text('Phone')")
    who.page.fill("#passkeys li [name=name]", "Old phone")
    who.page.click("text=Rename")
    who.page.click("summary:has-text('Old phone')")
    who.page.click("text=Remove Old phone")
    who.page.wait_for_selector("text=The passkey Old phone signs nobody in any more")
    who.signs_out()
    who.uses_passkey()
    who.is_told("This passkey is not known here")


def test_the_browser_offers_a_passkey_in_the_field_of_the_name(browser: Browser, hub: str) -> None:
    """Where a browser offers passkeys as it does passwords, choosing one signs in without another click."""
    who = _someone(browser, hub, offers=True)
    who.signs_in(HOST)
    who.adds("Phone")
    who.page.click("text=Sign out")
    who.page.wait_for_url(f"{hub}/")
    assert who.page.text_content(".who .name") == HOST


def test_a_device_makes_one_passkey_for_an_account(browser: Browser, hub: str) -> None:
    """A second one on the same device is refused by the device, and the page says so."""
    who = _someone(browser, hub)
    who.signs_in(HOST)
    who.adds("Phone")
    who.page.click("button:has-text('Add a passkey')")
    who.is_told("This device has a passkey for this account already")
    assert len(who.credentials()) == 1


def test_the_only_way_in_is_never_removed(browser: Browser, hub: str, database: Database) -> None:
    """Who has no password keeps the last passkey, and is told to add another way first."""
    who = _someone(browser, hub)
    who.signs_in(HOST)
    who.adds("Phone")
    with database.write() as tx:
        tx.exec_driver_sql("update accounts set password_hash = null where sign_in_name = ?", (HOST,))
    who.page.click("summary:has-text('Phone')")
    who.page.click("text=Remove Phone")
    who.is_told("This is your only way to sign in")
    who.signs_out()
    who.uses_passkey()
    who.page.wait_for_url(f"{hub}/")


def test_an_answer_is_good_once_and_only_in_its_browser(browser: Browser, hub: str) -> None:
    """What was sent once signs nobody in a second time, here or with the cookies of another browser."""
    who, other = _someone(browser, hub), _someone(browser, hub)
    who.signs_in(ADMINISTRATOR)
    who.adds("Phone")
    who.signs_out()
    who.uses_passkey()
    who.page.wait_for_url(f"{hub}/")
    sent = dict(parse_qsl(next(one for one in who.sent if one.url.endswith("/sign-in/passkey")).post_data or ""))
    who.signs_out()
    for thief in (who, other):
        thief.page.goto(f"{hub}/sign-in")
        token = thief.page.get_attribute("[name=csrf_token]", "value") or ""
        answer = thief.page.request.post(
            f"{hub}/sign-in/passkey", form={**sent, "csrf_token": token}, headers={"Referer": f"{hub}/sign-in"}
        )
        assert "was answered already. Try again." in answer.text()
        assert "Sign out" not in answer.text()


def test_a_copy_of_a_passkey_is_noticed_and_refused(browser: Browser, hub: str) -> None:
    """A counter that went back is a copy's: it gets nobody in, and the owner is told what to do."""
    who = _someone(browser, hub)
    who.signs_in(ADMINISTRATOR)
    who.adds("Phone")
    copied = who.credentials()
    who.signs_out()
    who.uses_passkey()
    who.page.wait_for_url(f"{hub}/")
    who.signs_out()
    who.keeps(*copied)
    who.uses_passkey()
    who.is_told("Another copy of this passkey has been used")


def test_a_passkey_of_another_account_proves_nothing(browser: Browser, hub: str) -> None:
    """Before a grave act only one's own passkey counts, whatever the device has beside it."""
    who = _someone(browser, hub)
    who.signs_in(HOST)
    who.adds("Phone of the host")
    of_host = who.credentials()
    who.signs_out()
    who.keeps()
    who.signs_in(ADMINISTRATOR)
    who.adds("Phone of the administrator")
    of_administrator = who.credentials()
    who.keeps({**of_host[0], "credentialId": of_administrator[0]["credentialId"]})
    who.uses_passkey("/confirm?next=/accounts", "Go on with a passkey")
    who.is_told("This passkey belongs to another account")


def test_an_answer_made_at_another_address_is_refused(browser: Browser, database: Database, tmp_path: Path) -> None:
    """The same pages at an address that is not the hub's own: the browser answers, and the hub does not take it."""
    with _served(database, tmp_path, origin="http://localhost:9") as elsewhere:
        who = _someone(browser, elsewhere)
        who.signs_in(ADMINISTRATOR)
        who.page.goto(f"{elsewhere}/me/sign-in")
        who.page.click("button:has-text('Add a passkey')")
        who.is_told("A passkey works only at the hub's own address. Open http://localhost:9")


@pytest.mark.parametrize(
    ("origin", "demo", "sentence"),
    [
        ("https://192.0.2.1", False, "Passkeys do not work at an address of numbers"),
        ("http://hub.example.org", False, "Passkeys do not work without HTTPS"),
        ("https://hub.example.org", False, "Passkeys work only at https://hub.example.org"),
        ("http://127.0.0.1:8080", True, "Add a passkey"),
    ],
)
def test_a_page_says_where_passkeys_work(
    browser: Browser,
    database: Database,
    tmp_path: Path,
    origin: str,
    demo: bool,  # noqa: FBT001
    sentence: str,
) -> None:
    """At an address of numbers, without HTTPS, and at another address than the hub's there are none, and it says so."""
    with _served(database, tmp_path, origin=origin, demo=demo) as address:
        who = _someone(browser, address)
        who.signs_in(BILLING)
        who.page.goto(f"{address}/me/sign-in")
        assert sentence in who.page.inner_text("#passkeys")
        assert who.page.is_visible("button:has-text('Add a passkey')") is (sentence == "Add a passkey")


def test_the_pages_with_passkeys_fit_and_can_be_used_by_all(browser: Browser, hub: str) -> None:
    """On a phone as on a laptop nothing is wider than the screen, and axe finds nothing serious."""
    who = _someone(browser, hub)
    who.signs_in(HOST)
    who.adds("Aphonewhosenameissolongthatitmustbebrokensomewhereorthepagewouldscrollasidewaysx")
    who.page.click("#passkeys summary")
    for width, height in WIDTHS.values():
        who.page.set_viewport_size({"width": width, "height": height})
        wide = who.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{wide} px too wide at {width}"
        serious = [one["id"] for one in Axe().run(who.page).response["violations"] if one["impact"] != "minor"]
        assert not serious, serious
    who.page.goto(f"{hub}/confirm")
    assert who.page.is_visible("text=Go on with a passkey")
