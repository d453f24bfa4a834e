# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can staff set what a door does by itself, lock a site down and hang a sign, without JavaScript, and see what is wrong?"""

from __future__ import annotations

from access_contract.messages import Status
from access_contract.vocabulary import DoorMode, TagNumber
from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.clock import SystemClock
from booking_server.doors import lock_down
from booking_server.doors import service as doors
from tests.booking_server.hub import PASSWORD
from tests.system.visitor import Visitor
from tests.web.conftest import Served
from tests.web.playing import PlayedDoor

NUMBER = TagNumber.parse("04782E21801D80")


def _door(served: Served) -> int:
    """Make a site with one door and return the site."""
    site = served.desk.site("Omnia")
    served.desk.door("front", "Front door", leads_into=site)
    with served.desk.database.read() as tx:
        return doors.door(tx, "front").site_id


def test_unlocking_hours_are_set_and_taken_away(served: Served) -> None:
    """Added, shown in words, made to wait for the first of the staff, and removed."""
    _door(served)
    staff = served.visitor()
    page = staff.see("/doors/front")
    page.must_say("The door stands locked at all hours")
    page = staff.post(page, "/doors/front/hours", weekdays=["0", "1", "2", "3", "4"], from_time="8", until_time="16:30")
    page.must_say("Mon to Fri, 8:00 to 16:30", "The door unlocks when the hours begin, also if nobody has come.")
    page = staff.post(page, "/doors/front/waiting")
    page.must_say("The door waits until somebody comes in whose access starts the hours.")
    staff.post(page, "/removal").must_say("The door stands locked at all hours")


def test_hours_without_a_day_are_refused_at_their_field(served: Served) -> None:
    """The page comes back with what was typed."""
    _door(served)
    staff = served.visitor()
    page = staff.post(staff.see("/doors/front"), "/doors/front/hours", weekdays=[], from_time="8", until_time="25", status=422)
    page.must_say("Write the time as hours and minutes")


def test_what_a_door_may_do_alone_is_set(served: Served) -> None:
    """Saved as ticked; more days than the door has rights on board are refused."""
    _door(served)
    staff = served.visitor()
    page = staff.see("/doors/front")
    page = staff.post(page, "/doors/front/rules", snapshot_expiry_days="7", untrusted_clock_admits="1", minimum_assurance="0")
    page.must_say("Saved.", "decides alone for 7 days")
    with served.desk.database.read() as tx:
        assert doors.door(tx, "front").rules.untrusted_clock_admits
    staff.post(page, "/doors/front/rules", snapshot_expiry_days="90", minimum_assurance="0", status=422).must_say(
        "1 to 35 days"
    )


def test_a_lock_down_says_what_the_doors_say(served: Served) -> None:
    """Asked for with a reason; "not yet" until the door itself says so; lifted with a reason."""
    site = _door(served)
    staff = served.visitor()
    path = f"/sites/{site}/lock-down"
    page = staff.post(staff.see(path), path, reason="somebody shouts")
    page.must_say("Omnia is locked down since", "somebody shouts", "0 of 1 doors have obeyed.", "not yet")
    with served.desk.database.write() as tx:
        word = lock_down.last_word(tx, site)
        assert word is not None
        said = Status(online=True, lock_down=word.number, mode=DoorMode.LOCKED_DOWN)
        doors.keep_status(tx, now=SystemClock().now(), door_id="front", status=said)
    page = staff.see(path)
    page.must_say("1 of 1 doors have obeyed.", "Locked down")
    staff.post(page, f"{path}/lifting", reason="all is well").must_say("Lifted", "all is well", "0 of 1 doors have obeyed.")


def test_a_lock_down_without_a_reason_is_refused(served: Served) -> None:
    """And nothing is locked down."""
    site = _door(served)
    staff, path = served.visitor(), f"/sites/{site}/lock-down"
    staff.post(staff.see(path), path, reason=" ", status=422).must_say("Say why, in a few words.")
    with served.desk.database.read() as tx:
        assert lock_down.last_word(tx, site) is None


def test_who_needs_longer_is_given_it_from_their_page(served: Served) -> None:
    """And back."""
    person = f"/people/{served.desk.person('Aino Virtanen')}"
    staff = served.visitor()
    page = staff.post(staff.see(person), f"{person}/longer-time")
    page.must_say("Doors give Aino Virtanen more time.", "needs longer")
    staff.post(page, f"{person}/longer-time").must_say("Doors give Aino Virtanen the usual time.")


def test_the_sign_has_a_code_that_leads_to_the_reason(served: Served) -> None:
    """A drawn code, the address in letters, and what the lamps mean."""
    _door(served)
    page = served.visitor().see("/doors/front/sign")
    page.must_say("Front door", "Hold your keytag to the reader.", "/why/front")
    assert b"<svg" in page.content
    assert b'class="qr"' in page.content


def test_the_reason_is_told_to_the_one_who_tapped_alone(served: Served) -> None:
    """Nobody signed in reads what lamps mean; the member reads the reason; a door that is not there looks like any other."""
    _door(served)
    person = served.desk.person("Mikko Member")
    served.desk.tag(person, NUMBER)
    who = {"sign_in_name": "mikko.member", "name": "Mikko", "role": Role.MEMBER, "password": PASSWORD, "person_id": person}
    with served.desk.database.write() as tx:
        accounts.add_account(tx, COMMAND_LINE, now=SystemClock().now(), **who)  # type: ignore[arg-type]
    PlayedDoor(served.desk, "front").tap(NUMBER, reason="outside_hours")
    stranger = Visitor(served.address)
    stranger.see("/why/front").must_say("Why did it not open?", "Front door", "Sign in to read the reason")
    assert "Front door" not in stranger.see("/why/no-such-door").words
    member = Visitor(served.address)
    member.post(member.see("/sign-in?next=/why/front"), "/sign-in", sign_in_name="mikko.member", password=PASSWORD)
    member.see("/why/front").must_say("Your last tap here", "Access is granted, but not at this hour.")
