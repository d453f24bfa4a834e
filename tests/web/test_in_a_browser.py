# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are the pages alive, reachable by keyboard, and usable on a phone, in a real browser?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from access_contract.vocabulary import TagNumber
from booking_server.accounts import second_factor
from booking_server.accounts import service as accounts
from booking_server.clock import SystemClock
from booking_server.doors import commands
from door_agent.enrolling import Box
from tests.booking_server.accounts.test_second_factor import SECRET, code_at
from tests.booking_server.hub import ADMINISTRATOR as ANNA
from tests.booking_server.hub import PASSWORD
from tests.system.desk import Desk
from tests.web.browser import WIDTHS, chromium, signed_in
from tests.web.conftest import HOST, Served, run
from tests.web.playing import PlayedDoor

NUMBER, OTHER = TagNumber.parse("04782E21801D80"), TagNumber.parse("04782E21801D99")
LIMIT_MS = 15_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def running(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages of one hub in use, for all questions here."""
    with run(empty_database, tmp_path_factory.mktemp("browsed")) as served:
        yield served


@pytest.fixture(scope="module")
def door(running: Served) -> PlayedDoor:
    """Two spaces, a door online, one silent, a person with a keytag and access, taps of each kind."""
    return _hub_in_use(running.desk)


def _hub_in_use(desk: Desk) -> PlayedDoor:
    site = desk.site("Omnia")
    space = desk.space(site, "Studio", "co-creation", capacity=8)
    desk.space(site, "Pop-up shop", "pop-up", bookable=True)
    studio, shop = (
        PlayedDoor(desk, desk.door(name, f"The {name} door", leads_into=space, log_named="always", log_reason="test"))
        for name in ("studio", "shop")
    )
    aino = desk.person("Aino Virtanen")
    desk.tag(aino, NUMBER)
    desk.block(desk.tag(aino, OTHER), "lost on the bus")
    desk.grant(aino, space, from_day=SystemClock().now().date())
    studio.status(contact_open=True, attention=["reader_away"])
    shop.status()
    studio.tap(NUMBER)
    studio.tap(OTHER, reason="tag_blocked", decided_by="door", simulated=True)
    return studio


def _asked(door: PlayedDoor) -> tuple[str, str]:
    """A command that was carried out, and a capture that waits; their paths."""
    with door.desk.database.write() as tx:
        opened = commands.ask_open(tx, ANNA, now=door.desk.clock.now(), door_id="studio", reason="parcel")
        waits = commands.ask_mode(tx, ANNA, now=door.desk.clock.now(), door_id="studio", mode="blocked", reason="fire drill")
    door.did(opened.command)
    return f"/commands/{opened.command}", f"/commands/{waits.command}"


def _is_usable(page: Page, where: str) -> None:
    """Nothing is wider than the screen, axe finds nothing serious, and what is pressed is as large as a fingertip."""
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{where} is {wide} px too wide"
    found = Axe().run(page).response["violations"]
    serious = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found if one["impact"] != "minor"]
    assert not serious, f"{where}: {serious}"
    small = page.evaluate(
        """[...document.querySelectorAll(
            'button, .button, summary, select, .menu a, input:not([type=hidden], [type=checkbox], [type=radio])'
        )].filter(one => one.offsetParent && one.getBoundingClientRect().height < 43.5)
        .map(one => one.outerHTML.slice(0, 80))"""
    )
    assert not small, f"{where}: {small}"


def _new_box(running: Served) -> str:
    """The page of a box that waits for staff."""
    Box(running.address, "Raspberry Pi 5").begin()
    with running.desk.database.read() as tx:
        box = tx.exec_driver_sql("select id from enrolments").scalars().first()
    return f"/boxes/{box}"


@pytest.mark.parametrize("size", WIDTHS)
def test_every_page_is_usable_on_a_phone_and_a_laptop(browser: Browser, running: Served, door: PlayedDoor, size: str) -> None:
    """Each page of staff, light and dark, with what axe can judge; and no page breaks its own policy or asks elsewhere."""
    done, waits = _asked(door)
    paths = [
        "/", "/people", "/people/new", "/people/1", "/people/1/edit", "/people/1/taps", "/spaces", "/sites/new", "/areas/new",
        "/spaces/new", "/spaces/2", "/spaces/2/edit", "/doors/new", "/doors/studio", "/doors/studio/theft",
        "/keytags/exchange", done, waits, "/accounts", "/me", "/me/sign-in", "/me/sign-in/app",
        "/me/sign-in/password", "/boxes", _new_box(running),
    ]  # fmt: skip
    for dark in (False, True):
        page, troubles = signed_in(browser, running, size, dark=dark)
        for path in paths if not dark else paths[:4]:
            page.goto(running.address + path)
            page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
            _is_usable(page, f"{path} on a {size}{' in the dark' if dark else ''}")
        assert not troubles
        page.context.close()


def test_a_tap_appears_without_a_reload(browser: Browser, running: Served, door: PlayedDoor) -> None:
    """The row of a new tap comes by itself, is marked as new and told to a screen reader; where one was, the focus stays."""
    page, troubles = signed_in(browser, running)
    page.evaluate("window.sameDocument = true")
    page.wait_for_selector("#live-state[data-connected=true]", timeout=LIMIT_MS)
    page.focus("#tap-1-person")
    door.tap(NUMBER, reason="outside_hours")
    page.wait_for_selector(".tap.new.refused >> text=Access is granted, but not at this hour.", timeout=LIMIT_MS)
    page.wait_for_selector("#live-say:has-text('not at this hour')", state="attached", timeout=LIMIT_MS)
    assert page.evaluate("window.sameDocument && document.activeElement.id") == "tap-1-person"
    door.status(mode="unlocked")
    page.wait_for_selector("#doors >> text=Unlocked", timeout=LIMIT_MS)
    assert not troubles
    page.context.close()


def test_a_read_keytag_appears_without_a_reload(browser: Browser, running: Served, door: PlayedDoor) -> None:
    """The page that waits for a keytag goes on by itself, and two presses of keys hand it out."""
    page, troubles = signed_in(browser, running, "phone")
    page.goto(f"{running.address}/people/1")
    page.select_option("#door_id", "studio")
    page.click("text=Read a keytag")
    page.wait_for_selector("#live-state[data-connected=true]", timeout=LIMIT_MS)
    door.read_for_hand_out(page.url.rpartition("/")[2], TagNumber.parse("04782E21801DAA"))
    page.click("text=Hand out to Aino Virtanen", timeout=LIMIT_MS)
    page.wait_for_selector("text=Keytag …1DAA now belongs to Aino Virtanen.", timeout=LIMIT_MS)
    assert not troubles
    page.context.close()


def test_a_page_says_when_it_is_no_longer_live(browser: Browser, empty_database: Path, tmp_path: Path) -> None:
    """When the server is gone, the page does not go on looking live."""
    with run(empty_database, tmp_path) as served:
        page, _ = signed_in(browser, served)
        page.wait_for_selector("#live-state[data-connected=true]", timeout=LIMIT_MS)
        assert served.child is not None
        served.child.kill()
        page.wait_for_selector("#live-state >> text=Connection lost.", timeout=2 * LIMIT_MS)
        page.context.close()


def test_all_is_reached_by_keyboard(browser: Browser, running: Served, door: PlayedDoor) -> None:
    """The first key leads past the menu, each stop shows where it is, and a wrong field has the focus after sending."""
    page, _ = signed_in(browser, running)
    page.goto(f"{running.address}/sites/new")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "name"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.type("Leppävaara")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("Europe/Espoo")
    page.keyboard.press("Enter")
    page.wait_for_selector("#time_zone[aria-invalid=true]")
    assert page.evaluate("document.activeElement.id") == "time_zone"
    assert page.input_value("#name") == "Leppävaara"
    described = page.get_attribute("#time_zone", "aria-describedby") or ""
    assert "is not a time zone" in (page.text_content(f"#{described.split()[0]}") or "")
    page.keyboard.press("Control+A")
    page.keyboard.type("Europe/Helsinki")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{running.address}/spaces")
    assert "Leppävaara" in (page.text_content("main") or "")
    page.context.close()


def test_searching_people_needs_no_button(browser: Browser, running: Served, door: PlayedDoor) -> None:
    """The list follows what is typed, and the address too, so that going back comes back to it."""
    running.desk.person("Ville Korhonen")
    page, troubles = signed_in(browser, running)
    page.goto(f"{running.address}/people")
    page.type("#search", "virt")
    page.wait_for_selector("#found:not(:has-text('Ville'))", timeout=LIMIT_MS)
    assert "Aino Virtanen" in (page.text_content("#found") or "")
    assert page.url.endswith("search=virt")
    assert not troubles
    page.context.close()


def test_signing_in_in_two_steps_is_usable_on_a_phone(browser: Browser, running: Served) -> None:
    """The steps, what is asked again, and ten codes on a page; a typed password can be shown; signing out takes no time."""
    now = running.desk.clock.now()
    with running.desk.database.write() as tx:
        heikki = next(one for one in accounts.accounts(tx, ANNA) if one.sign_in_name == HOST)
        before, vault = now - timedelta(minutes=5), running.desk.keys.vault
        second_factor.set_up(tx, heikki.actor(), now=before, vault=vault, secret=SECRET, code=code_at(before))
    context = browser.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{running.address}/sign-in")
    _is_usable(page, "the sign-in")
    page.fill("#sign_in_name", HOST)
    page.fill("#password", PASSWORD)
    assert page.get_attribute("#password", "type") == "password"
    page.click("#password + button")
    assert page.get_attribute("#password", "type") == "text"
    page.click("button.primary")
    page.wait_for_url(f"{running.address}/sign-in/second")
    _is_usable(page, "the second step")
    page.fill("#code", code_at(running.desk.clock.now()))
    page.keyboard.press("Enter")
    page.wait_for_url(f"{running.address}/")
    for path in ("/me/sign-in", "/confirm"):
        page.goto(running.address + path)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        _is_usable(page, path)
    page.goto(f"{running.address}/me/sign-in")
    page.click("text=Make new recovery codes")
    page.wait_for_selector(".codes", timeout=LIMIT_MS)
    _is_usable(page, "ten codes")
    page.click("text=Sign out")
    page.wait_for_url(f"{running.address}/sign-in", timeout=LIMIT_MS)
    context.close()
