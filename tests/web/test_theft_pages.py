# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can staff say that a box was stolen, see what it means before and what came of it after, and exchange the keytags?"""

from __future__ import annotations

from datetime import date

from access_contract.vocabulary import TagNumber
from booking_server.doors import boxes, commands
from booking_server.doors import service as doors
from booking_server.tags import service as tags
from tests.web.conftest import HOST, Served

LONG, SHORT, NEW = TagNumber.parse("04782E21801D80"), TagNumber.parse("D1E5A0C0"), TagNumber.parse("04556677889980")
TODAY = date(2026, 1, 1)


def _hub(served: Served) -> dict[str, int]:
    """Make a room behind a door, two members who may pass, with a long and a short number; return their ids."""
    desk = served.desk
    site = desk.site("Omnia")
    room, shop = desk.space(site, "Studio", "co-creation"), desk.space(site, "Shop", "pop-up")
    desk.door("front", "Front door", leads_into=room)
    made = {
        "site": site,
        "room": room,
        "shop": shop,
        "aino": desk.person("Aino Virtanen"),
        "eetu": desk.person("Eetu Korhonen"),
    }
    made |= {"long": desk.tag(made["aino"], LONG), "short": desk.tag(made["eetu"], SHORT)}
    for person in ("aino", "eetu"):
        desk.grant(made[person], room, from_day=TODAY)
    return made


def _put_out(served: Served, became: str) -> None:
    """What the process that speaks with the doors writes."""
    with served.desk.database.write() as tx:
        wish = boxes.last_revocation(tx, "front")
        assert wish is not None
        boxes.done(tx, now=served.desk.clock.now(), revocation_id=wish.id, became=became)


def test_a_stolen_box_is_said_with_what_it_means_first(served: Served) -> None:
    """Counts before, a reason, then only what is known: being put out, then out. Nothing can be asked of the door."""
    _hub(served)
    staff = served.visitor()
    page = staff.see("/doors/front/theft")
    page.must_say("2 keytags are listed to be exchanged", "2 people hold them.", "They go on opening doors")
    staff.post(page, "/doors/front/theft", reason=" ", status=422).must_say("Say why, in a few words.")
    page = staff.post(page, "/doors/front/theft", reason="torn off the wall")
    page.must_say("It is being put out", "torn off the wall", "2 keytags are to be exchanged", "The box stolen")
    assert "cannot come back" not in page.words
    assert "Open the door" not in page.words
    _put_out(served, "not_read")
    staff.see("/doors/front").must_say("the broker does not know yet", "Restart the broker now")
    _put_out(served, "ended")
    staff.see("/doors/front/putting-out").must_say("It is out", "cannot come back.")
    staff.see("/").must_say("2 keytags are to be exchanged", "Its box was stolen.", "box stolen")


def test_only_an_administrator_may_say_it(served: Served) -> None:
    """A host sees no such button, and is refused at the address."""
    _hub(served)
    host = served.visitor(HOST)
    assert "The box was stolen" not in host.see("/doors/front").words
    host.see("/doors/front/theft", status=403)
    with served.desk.database.read() as tx:
        assert doors.stolen(tx) == frozenset()


def test_keytags_are_exchanged_one_by_one_by_tapping_the_new_one(served: Served) -> None:
    """The short number stands first; the new keytag is the holder's, the old one opens nothing and is off the list."""
    made, desk = _hub(served), served.desk
    desk.door("shop", "Shop door", leads_into=made["shop"])
    admin = served.visitor()
    admin.post(admin.see("/doors/front/theft"), "/doors/front/theft", reason="gone")
    host = served.visitor(HOST)
    host.see(f"/people/{made['eetu']}").must_say("to be exchanged: the box of a door was stolen")
    page = host.see("/keytags/exchange")
    page.must_say("short number: found out in minutes", "long number: found out with effort")
    assert page.words.index("Eetu Korhonen") < page.words.index("Aino Virtanen")
    page = host.post(page, f"/keytags/{made['short']}/exchange", door_id="shop")
    command = page.path.rsplit("/", 1)[-1]
    with desk.database.write() as tx:
        vault, now = desk.keys.vault, desk.clock.now()
        commands.captured(tx, now=now, vault=vault, door_id="shop", capture_id=command, number=NEW)
    host.post(host.see(page.path), "/keytag").must_say("now belongs to Eetu Korhonen")
    page = host.see("/keytags/exchange")
    assert "Eetu Korhonen" not in page.words
    with desk.database.read() as tx:
        assert tags.tag(tx, made["short"]).blocked_at is not None
        assert [tag.last_digits for tag in tags.tags_of(tx, made["eetu"])] == ["9980"]


def test_all_are_blocked_by_the_count_that_was_shown(served: Served) -> None:
    """How many people are locked out is said before; if the list has changed meanwhile, nothing is blocked."""
    made = _hub(served)
    admin = served.visitor()
    admin.post(admin.see("/doors/front/theft"), "/doors/front/theft", reason="gone")
    page = admin.see("/keytags/exchange")
    page.must_say("2 keytags then open no door.", "2 people are locked out until they have a new one.")
    served.desk.block(made["long"])
    page = admin.post(page, "/keytags/exchange/block", status=422)
    page.must_say("The list is another by now (1).", "1 keytag then opens no door.")
    admin.post(admin.see("/keytags/exchange"), "/keytags/exchange/block").must_say("No keytag is to be exchanged.")


def test_a_door_is_moved_from_its_page(served: Served) -> None:
    """It leads elsewhere under another name from now on, and the page keeps what it was."""
    made = _hub(served)
    staff = served.visitor(HOST)
    page = staff.see("/doors/front")
    page = staff.post(page, "/doors/front/place", name="Shop door", leads_into=str(made["shop"]), leads_from=str(made["site"]))
    page.must_say("Saved.", "Shop door", "Renamed or moved")
    staff.post(page, "/doors/front/place", name="", leads_into=str(made["shop"]), status=422).must_say("Give the door a name")
    with served.desk.database.read() as tx:
        (leads,) = doors.access_points(tx, "front")
        assert (doors.door(tx, "front").name, leads.from_area_id, leads.to_area_id) == ("Shop door", made["site"], made["shop"])
