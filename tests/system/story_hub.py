# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story begins: an empty hub, made by staff through the pages' forms, until a keytag is handed out by tapping it."""

from __future__ import annotations

import secrets

from booking_server.doors.service import door_states
from tests.system import plan
from tests.system.processes import wait_for
from tests.system.story import DIGITS, NUMBER, PERSON, SHOP, STUDIO, Story, StoryFailed
from tests.system.visitor import Page, Visitor


def empty_hub(story: Story) -> str:
    building = story.building
    building.command("init")
    building.start_servers()
    story.desk = building.desk()
    return f"broker with TLS on port {building.broker_port}, pages at {building.web_address}"


def first_administrator(story: Story) -> str:
    story.password = secrets.token_urlsafe(12)
    story.building.command("account", "add", "host", "--role", "administrator", "--password-stdin", stdin=f"{story.password}\n")
    return "made by the command, with a password of its own"


def sign_in(story: Story) -> str:
    story.staff = Visitor(story.building.web_address)
    page = story.staff.sign_in("host", story.password)
    if page.path != "/":
        raise StoryFailed(f"the sign-in led to {page.path}: {page.words[:300]}")
    return "Today is empty and lists the first steps"


def site_and_spaces(story: Story) -> str:
    staff = story.staff
    staff.post(staff.see("/sites/new"), "/sites/new", name="Kaupunkiverstas", time_zone="Europe/Helsinki")
    _space(story, STUDIO, "Studio", "co-creation", capacity="8", bookable=False)
    _space(story, SHOP, "Pop-up shop", "pop-up", capacity="1", bookable=True)
    staff.see("/spaces").must_say("Kaupunkiverstas", "Studio", "Pop-up shop")
    return "a site, a co-creation space and a pop-up space that can be booked"


def _space(story: Story, made: str, name: str, kind: str, *, capacity: str, bookable: bool) -> None:
    page = story.staff.see("/spaces/new")
    parent = page.form("/spaces/new").choice("parent_id", "Kaupunkiverstas")
    page = story.staff.post(page, "/spaces/new", parent_id=parent, name=name, kind=kind, capacity=capacity, bookable=bookable)
    story.made[made] = _made(page, "/spaces/")


def _made(page: Page, under: str) -> str:
    """The page of what was just made. Raise StoryFailed if the form came back instead."""
    if not page.path.startswith(under) or page.path.endswith("/new"):
        raise StoryFailed(f"nothing was made, {page.path} says: {page.words[:600]}")
    return page.path


def prices(story: Story) -> str:
    for name, unit, cents in ((STUDIO, "entry", plan.ENTRY_CENTS), (SHOP, "booked_hour", plan.BOOKED_HOUR_CENTS)):
        path = story.made[name]
        page = story.staff.post(
            story.staff.see(path),
            f"{path}/prices",
            unit=unit,
            amount=f"{cents // 100},{cents % 100:02}",
            vat=f"{plan.VAT_PERMILLE / 10:g}".replace(".", ","),
            from_day=f"{plan.FIRST_DAY:%d.%m.%Y}",
        )
        page.must_say(f"{cents / 100:.2f}", "25.5")
    return "4,20 € an entry and 12,00 € a booked hour, VAT 25,5 %"


def doors(story: Story) -> str:
    for door_id, name, leads_into in ((STUDIO, "Studio door", "Studio"), (SHOP, "Shop door", "Pop-up shop")):
        page = story.staff.see("/doors/new")
        area = page.form("/doors/new").choice("leads_into", leads_into)
        _made(story.staff.post(page, "/doors/new", door_id=door_id, name=name, leads_into=area), "/doors/")
    return "one door into each space"


def agents(story: Story) -> str:
    story.building.doors_made(STUDIO, SHOP)
    wait_for(lambda: all(story.desk.online(door) for door in (STUDIO, SHOP)), "both doors are online", limit_seconds=30)
    story.staff.see("/").must_say("Studio door", "Shop door")
    return "their files written by the command, both agents online"


def person(story: Story) -> str:
    page = story.staff.post(
        story.staff.see("/people/new"),
        "/people/new",
        name=PERSON,
        email="aino@example.org",
        language="en",
        address="Koulukatu 1, 02100 Espoo",
    )
    story.made["person"] = _made(page, "/people/")
    return PERSON


def hand_out(story: Story) -> str:
    """The number goes from the reader, sealed, to the page; nobody types it."""
    path = story.made["person"]
    before = _nonce(story)
    waiting = story.staff.post(story.staff.see(path), f"{path}/captures", door_id=STUDIO)
    wait_for(lambda: _nonce(story) != before, "the door waits for the keytag: it has used up its nonce")
    story.door(STUDIO).tap(NUMBER)
    shown = story.page_says(waiting.path, DIGITS)
    if story.door(STUDIO).pins.rises("relay"):
        raise StoryFailed("the door opened for a keytag that was only to be handed out")
    page = story.staff.post(shown, f"{waiting.path}/keytag")
    page.must_say(PERSON, DIGITS)
    return f"tapped on the studio's reader, shown as …{DIGITS}, now {PERSON}'s"


def _nonce(story: Story) -> str | None:
    """The word that a command must name; the door takes a new one when it has obeyed."""
    with story.desk.database.read() as tx:
        return door_states(tx)[STUDIO].status.nonce
