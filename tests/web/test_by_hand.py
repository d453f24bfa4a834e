# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can staff do their whole work without JavaScript, from an empty hub on?"""

from __future__ import annotations

import re

from access_contract.vocabulary import TagNumber
from booking_server.doors import commands
from tests.booking_server.hub import PASSWORD
from tests.system.visitor import Page, Visitor
from tests.web.conftest import Served
from tests.web.playing import PlayedDoor

NUMBER, OTHER = TagNumber.parse("04782E21801D80"), TagNumber.parse("04782E21801D99")


def _make_hub(staff: Visitor) -> None:
    staff.post(staff.see("/sites/new"), "/sites/new", name="Omnia", time_zone="Europe/Helsinki")
    page = staff.see("/spaces/new")
    staff.post(
        page, "/spaces/new", parent_id=page.form("/spaces/new").choice("parent_id", "Omnia"), name="Studio", capacity="8"
    )
    page = staff.see("/doors/new")
    area = page.form("/doors/new").choice("leads_into", "Studio")
    staff.post(page, "/doors/new", door_id="studio", name="Studio door", leads_into=area)


def _make_person(staff: Visitor, name: str = "Aino Virtanen") -> Page:
    address, email = "Koulukatu 1, 02100 Espoo", "aino@example.org"
    return staff.post(staff.see("/people/new"), "/people/new", language="en", name=name, email=email, address=address)


def _read_tag(served: Served, staff: Visitor, person: str, number: TagNumber) -> Page:
    waiting = staff.post(staff.see(person), f"{person}/captures", door_id="studio")
    PlayedDoor(served.desk, "studio", sequence=len(served.desk.taps()) * 2 + 50 + number.uid[-1]).read_for_hand_out(
        waiting.path.rpartition("/")[2], number
    )
    return staff.see(waiting.path)


def test_from_an_empty_hub_to_the_first_tap(served: Served) -> None:
    """The first steps lead to each form; every one is ticked off by what is in the database, and the list goes when all are."""
    staff = served.visitor()
    staff.see("/").must_say("0 of 8 done", "Make a site: one location of the hub", "No doors yet.", "No taps yet.")
    _make_hub(staff)
    staff.see("/doors/studio").must_say("Next: connect the door", "booking-server door-files studio --to ./studio")
    person = _make_person(staff).path
    staff.see("/").must_say("3 of 8 done")
    page = _read_tag(served, staff, person, NUMBER)
    page.must_say("…1D80", "Hand out to Aino Virtanen")
    staff.post(page, "/keytag").must_say("Keytag …1D80 now belongs to Aino Virtanen.", "…1D80")
    assert staff.post(page, "/keytag").path == person, "sent twice, it leads to the person, not to a reader that waits"
    page = staff.see(person)
    area = page.form("/grants").choice("area_id", "Studio")
    page = staff.post(
        page, f"{person}/grants", area_id=area, from_time="8", until_time="16:30", weekdays=["0", "1", "2", "3", "4"]
    )
    page.must_say("Access granted.", "Omnia › Studio", "Mon to Fri, 8:00 to 16:30, until withdrawn")
    PlayedDoor(served.desk, "studio").tap(NUMBER)
    staff.see("/").must_say("Name not shown", "Studio door", "went in", "7 of 8 done")
    served.desk.price(int(area), "entry", 420, from_day=served.desk.clock.now().date().replace(day=1))
    staff.see("/").must_say("Aino Virtanen", "Studio door", "went in")
    staff.post(page, "/withdrawal").must_say("Access withdrawn.", "No access yet.")


def test_a_lost_keytag_is_blocked_in_two_steps(served: Served) -> None:
    """The person's page has the form with a reason already written; afterwards it says so, and the tag can be unblocked."""
    staff = served.visitor()
    _make_hub(staff)
    person = _make_person(staff).path
    page = staff.post(_read_tag(served, staff, person, NUMBER), "/keytag")
    staff.post(page, "/block", status=422, reason=" ").must_say("Say why in at most 200 characters, for instance: lost.")
    page = staff.post(page, "/block").must_say("Keytag …1D80 is blocked.", "lost")
    page = staff.post(page, "/unblocking").must_say("Keytag …1D80 opens doors again.")
    staff.post(page, "/return").must_say("was taken back", "No keytag yet.")


def test_a_keytag_of_somebody_else_is_not_handed_out(served: Served) -> None:
    """Before the button is pressed the page says whose it is, after it the refusal stands there and nothing changed."""
    staff = served.visitor()
    _make_hub(staff)
    aino, ville = _make_person(staff).path, _make_person(staff, "Ville Korhonen").path
    staff.post(_read_tag(served, staff, aino, NUMBER), "/keytag")
    page = _read_tag(served, staff, ville, NUMBER).must_say("This keytag belongs to Aino Virtanen")
    staff.post(page, "/keytag", status=422).must_say("Aino Virtanen holds this keytag. Take it back from them first.")
    staff.see(ville).must_say("No keytag yet.")


def test_a_random_number_is_refused_with_what_to_do(served: Served) -> None:
    """A tag that makes up its number at each tap is refused at hand-out."""
    staff = served.visitor()
    _make_hub(staff)
    person = _make_person(staff).path
    page = _read_tag(served, staff, person, TagNumber.parse("08112233"))
    staff.post(page, "/keytag", status=422).must_say("This tag makes up a new number at every tap", "Use another kind of tag.")


def test_the_number_never_reaches_the_browser(served: Served) -> None:
    """No page on the way of a hand-out holds more than the last four digits."""
    staff = served.visitor()
    _make_hub(staff)
    person = _make_person(staff).path
    page = _read_tag(served, staff, person, NUMBER)
    pages = [page, staff.post(page, "/keytag"), staff.see(person), staff.see("/people"), staff.see("/")]
    for seen in pages:
        assert not re.search(rb"04.?78.?2e.?21|2e.?21.?80.?1d", seen.content, re.IGNORECASE), seen.path


def test_opening_a_door_says_only_what_the_door_said(served: Served) -> None:
    """Asked, then sent, then done: each only once its row says so; a refusal is told with its reason."""
    staff = served.visitor()
    _make_hub(staff)
    door = PlayedDoor(served.desk, "studio")
    staff.post(staff.see("/doors/studio"), "/openings", status=422, reason=" ").must_say("Say why, in a few words.")
    page = staff.post(staff.see("/doors/studio"), "/openings", reason="parcel").must_say("Being sent to the door", "parcel")
    assert "says that it opened" not in page.words
    command = page.path.rpartition("/")[2]
    with served.desk.database.write() as tx:
        commands.sent(tx, now=served.desk.clock.now(), command_id=command)
    page = staff.see(page.path).must_say("Sent to the door", "Waiting for the door's answer")
    assert "says that it opened" not in page.words
    door.did(command)
    staff.see(page.path).must_say("The door says that it opened.")
    page = staff.post(staff.see("/doors/studio"), "/openings", reason="again")
    door.did(page.path.rpartition("/")[2], "door_blocked")
    staff.see(page.path).must_say("The door did not do it.", "The door is blocked by the staff.")
    staff.see("/doors/studio").must_say("done", "refused", "parcel", "anna")


def test_whoever_looks_at_movements_is_named_there(served: Served) -> None:
    """Reading a person's taps is recorded, and the person's page says who read them."""
    staff = served.visitor()
    _make_hub(staff)
    person = _make_person(staff).path
    staff.see(person).must_say("Nobody so far.")
    served.visitor("heikki").see(f"{person}/taps").must_say("That you looked has been recorded.")
    staff.see(person).must_say("Who looked heikki")


def test_a_person_is_suspended_and_resumed(served: Served) -> None:
    """Both are a button on the person's page, and both are said."""
    staff = served.visitor()
    page = staff.post(_make_person(staff), "/suspension").must_say("Aino Virtanen is suspended", "Suspended since")
    page = staff.post(page, "/resumption").must_say("Aino Virtanen may enter and book again.")
    staff.see("/people?search=VIRTA").must_say("Aino Virtanen")
    staff.see("/people?search=nobody").must_say("Nobody is called “nobody”.")
    edit = staff.see(f"{page.path}/edit")
    staff.post(edit, "/edit", name="Aino Mäki").must_say("Aino Mäki", "Koulukatu 1, 02100 Espoo")


def test_an_administrator_adds_staff_and_closes_accounts(served: Served) -> None:
    """A new host signs in and changes the password; a closed account's session ends at once."""
    staff = served.visitor()
    page = staff.see("/accounts")
    staff.post(page, "/accounts", status=422, password="short", sign_in_name="otto").must_say("Use at least 12 characters")
    page = staff.post(page, "/accounts", password=PASSWORD, sign_in_name="otto", name="Otto", role="host")
    page.must_say("otto may sign in now.")
    otto = served.visitor("otto")
    again = PASSWORD + "!"
    change = "/me/sign-in/password"
    otto.post(otto.see(change), change, status=422, current="another one", password=again, again=again).must_say(
        "This is not your password as it stands."
    )
    otto.post(otto.see(change), change, status=422, current=PASSWORD, password=again, again="x").must_say(
        "Write the new password twice"
    )
    otto.post(otto.see(change), change, current=PASSWORD, password=again, again=again).must_say("Your password is changed.")
    page = staff.see(next(path for path, words in page.links if "otto" in words))
    staff.post(page, "/closing").must_say("otto can no longer sign in.")
    otto.forgets()
    assert otto.see("/people").path == "/sign-in"
