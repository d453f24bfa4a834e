# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps of the story, in order: each does one thing as a person would, and returns what was seen."""

from __future__ import annotations

import secrets
from datetime import datetime
from zoneinfo import ZoneInfo

from access_contract.snapshot import decode
from booking_server.doors import commands
from tests.system import plan
from tests.system.door import Door
from tests.system.processes import wait_for
from tests.system.story import NUMBER, SHOP, STUDIO, Step, Story, StoryFailed
from tests.system.visitor import Page, Visitor

ZONE = ZoneInfo("Europe/Helsinki")
DIGITS = NUMBER.uid.hex().upper()[-4:]
PERSON = "Aino Virtanen"


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
    page = story.staff.post(story.staff.see("/sign-in"), "/sign-in", sign_in_name="host", password=story.password)
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
    wait_for(lambda: all(story.desk.online(door) for door in (STUDIO, SHOP)), "both doors are online", limit_seconds=15)
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
    waiting = story.staff.post(story.staff.see(path), f"{path}/captures", door_id=STUDIO)
    wait_for(lambda: _sent(story), "the door waits for the keytag")
    story.door(STUDIO).tap(NUMBER)
    shown = story.page_says(waiting.path, DIGITS)
    if story.door(STUDIO).pins.rises("relay"):
        raise StoryFailed("the door opened for a keytag that was only to be handed out")
    page = story.staff.post(shown, f"{waiting.path}/keytag")
    page.must_say(PERSON, DIGITS)
    return f"tapped on the studio's reader, shown as …{DIGITS}, now {PERSON}'s"


def _sent(story: Story) -> bool:
    with story.desk.database.read() as tx:
        last = commands.commands_of_door(tx, STUDIO, limit=1)
    return bool(last) and last[0].sent_at is not None


def refused(story: Story) -> str:
    story.walk_to_the_door()
    reaction = story.tap(STUDIO, opens=False)
    tap = story.tap_stored(reaction.taps_before)
    _must_be(tap.reason, "no_grant", f"the reason ({tap.decided_by} decided {reaction})")
    story.page_says("/", "No access has been granted to this door.")
    return f"red lamp {reaction}; Today says: no access has been granted"


def grant(story: Story) -> str:
    path = story.made["person"]
    page = story.staff.see(path)
    area = page.form(f"{path}/grants").choice("area_id", "Studio")
    story.staff.post(page, f"{path}/grants", area_id=area, from_day=f"{plan.FIRST_DAY:%d.%m.%Y}")
    wait_for(lambda: _knows_a_right(story.door(STUDIO)), "the door has the grant in its snapshot")
    return "the studio, every day; the door has it in its snapshot"


def _knows_a_right(door: Door) -> bool:
    file = door.folder / "state" / "snapshot.json"
    return file.exists() and any(tag.rights for tag in decode(file.read_bytes()).tags.values())


def enter(story: Story) -> str:
    reaction = story.tap(STUDIO, opens=True)
    story.pass_through(STUDIO)
    tap = story.tap_stored(reaction.taps_before)
    _must_be(tap.decided_by, "server", "who decided")
    story.entries(1)
    story.page_says("/", PERSON)
    return f"relay {reaction}, by the server's answer; the entry is on Today"


def offline(story: Story) -> str:
    story.building.hand.turn_to(plan.AFTERNOON)
    story.building.cut_broker()
    reaction = story.tap(STUDIO, opens=True)
    story.pass_through(STUDIO)
    story.made["offline"] = str(reaction.taps_before)
    story.entries(1)
    return f"relay {reaction}, from the door's own snapshot; the server has heard nothing"


def restore(story: Story) -> str:
    since = story.building.hand.now()
    story.building.restore_broker()
    wait_for(lambda: len(story.desk.entries(plan.MONTH)) > 1, "the entry arrives", limit_seconds=20)
    tap = story.tap_stored(int(story.made["offline"]))
    _must_be(tap.decided_by, "door", "who decided")
    story.entries(2)
    wait_for(
        lambda: all(story.desk.online(door, since=since) for door in (STUDIO, SHOP)),
        "both doors are online again",
        limit_seconds=15,
    )
    return "the entry made offline arrived, once"


def book(story: Story) -> str:
    page = story.staff.see(f"/bookings/new?person_id={story.number('person')}")
    form = page.form("/bookings/new")
    begin, end = (at.astimezone(ZONE) for at in (plan.BOOKED_FROM, plan.BOOKED_UNTIL))
    story.staff.post(
        page,
        "/bookings/new",
        space_id=form.choice("space_id", "Pop-up shop"),
        person_id=form.choice("person_id", PERSON),
        start_day=_day(begin),
        start_time=f"{begin:%H:%M}",
        end_day=_day(end),
        end_time=f"{end:%H:%M}",
        purpose="Spring sale",
    )
    story.staff.see(f"/bookings?day={begin:%Y-%m-%d}").must_say("Pop-up shop", PERSON)
    return f"the pop-up shop, {begin:%H:%M} to {end:%H:%M}"


def _day(at: datetime) -> str:
    return f"{at:%d.%m.%Y}"


def enter_by_booking(story: Story) -> str:
    story.building.hand.turn_to(plan.BOOKING_ENTERED)
    reaction = story.tap(SHOP, opens=True)
    story.pass_through(SHOP)
    tap = story.tap_stored(reaction.taps_before)
    booked = [entry for entry in story.entries(3) if entry.booking_id is not None]
    _must_be(len(booked), 1, "the number of entries by a booking")
    return f"relay {reaction}; cause: {tap.cause}"


def block(story: Story) -> str:
    path = story.made["person"]
    page = story.staff.see(path)
    form = next((f for f in page.forms() if f.action.endswith("/block")), None)
    if form is None:
        raise StoryFailed(f"{path} has no form to block the keytag: {page.words[:600]}")
    story.staff.post(page, form.action, reason="lost on the bus").must_say("lost on the bus")
    return "blocked by the form on the person's page"


def refused_when_blocked(story: Story) -> str:
    story.walk_to_the_door()
    reaction = story.tap(SHOP, opens=False)
    tap = story.tap_stored(reaction.taps_before)
    _must_be(tap.reason, "tag_blocked", "the reason")
    story.page_says("/", "The keytag is blocked.")
    return f"red lamp {reaction}; Today says: the keytag is blocked"


def close_month(story: Story) -> str:
    story.building.hand.turn_to(plan.MONTH_OVER)
    for door_id in (STUDIO, SHOP):
        story.door(door_id).press_exit()
    path = f"/months/{plan.MONTH}"
    page = wait_for(lambda: _ready_to_close(story, path), "every door complete past the month's end")
    page = story.staff.post(page, f"{path}/closing")
    story.made["invoice"] = next((to for to, _ in page.links if to.startswith("/invoices/")), "")
    if not story.made["invoice"]:
        raise StoryFailed(f"{page.path} shows no invoice: {page.words[:900]}")
    closed = story.staff.see(path)
    if any(f.action.endswith("/closing") for f in closed.forms()):
        raise StoryFailed("the closed month can be closed again")
    return f"closed {plan.MONTH_OVER.astimezone(ZONE):%d.%m.%Y}"


def _ready_to_close(story: Story, path: str) -> Page | None:
    """The month's page once no door is missing: closing needs no reason."""
    page = story.staff.see(path)
    ready = [f for f in page.forms() if f.action.endswith("/closing") and "left_open" not in f.values]
    return page if ready else None


def invoice(story: Story) -> str:
    path = story.made["invoice"]
    page = story.staff.see(path)
    for cents in (plan.NET_CENTS, plan.VAT_CENTS, plan.GROSS_CENTS):
        page.must_say(f"{cents / 100:.2f}")
    text = story.staff.see(f"{path}.txt?language=en")
    for cents in (plan.NET_CENTS, plan.VAT_CENTS, plan.GROSS_CENTS):
        text.must_say(f"{cents / 100:.2f}")
    pdf = story.staff.see(f"{path}.pdf?language=en")
    if not pdf.content.startswith(b"%PDF-"):
        raise StoryFailed(f"the invoice's PDF begins with {pdf.content[:20]!r}")
    story.invoices_to.mkdir(parents=True, exist_ok=True)
    story.invoice = story.invoices_to / f"invoice-{story.number('invoice')}.pdf"
    story.invoice.write_bytes(pdf.content)
    return (
        f"{plan.NET_CENTS / 100:.2f} + VAT {plan.VAT_CENTS / 100:.2f} = {plan.GROSS_CENTS / 100:.2f} €, as written in the plan"
    )


def each_once(story: Story) -> str:
    """Every line of the invoice opens to its cause, and no cause stands twice."""
    page = story.staff.see(story.made["invoice"])
    causes = [to for to, _ in page.links if to.startswith(("/entries/", "/bookings/"))]
    _must_be(len(causes), len(set(causes)), "the number of different causes")
    _must_be(len([to for to in causes if to.startswith("/entries/")]), 2, "the number of entries on the invoice")
    for to in causes:
        if to.startswith("/entries/"):
            story.staff.see(to).must_say("Studio")
    return "two entries, the offline one included, and one booking, each once and opened to its cause"


def _must_be(seen: object, wanted: object, what: str) -> None:
    if seen != wanted:
        raise StoryFailed(f"{what} is {seen!r} instead of {wanted!r}")


STEPS: tuple[Step, ...] = (
    ("An empty hub", empty_hub),
    ("The first administrator", first_administrator),
    ("Sign in", sign_in),
    ("Make a site and two spaces", site_and_spaces),
    ("Set prices", prices),
    ("Make the doors", doors),
    ("Start the doors' agents", agents),
    ("Make a person", person),
    ("Hand out a keytag by tapping it", hand_out),
    ("Tap: refused", refused),
    ("Grant access", grant),
    ("Tap: opens, enter", enter),
    ("Cut the broker, tap: opens", offline),
    ("Restore the broker", restore),
    ("Book the pop-up shop", book),
    ("Tap: opens by the booking", enter_by_booking),
    ("Block the keytag", block),
    ("Tap: refused", refused_when_blocked),
    ("Jump to April, close March", close_month),
    ("Read the invoice", invoice),
    ("Each entry once", each_once),
)
