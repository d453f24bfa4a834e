# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a box become a door in minutes, with real processes on both sides, and only if people on both sides have compared?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from access_contract.vocabulary import TagNumber
from booking_server.broker import pki
from tests.booking_server.hub import PASSWORD
from tests.system import parts
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.man_between import ManBetween
from tests.system.new_box import NewBox
from tests.system.pins import ask
from tests.system.processes import wait_for
from tests.system.visitor import Page, Visitor

NUMBER = TagNumber.parse("04782E21801D80")


@dataclass
class Site:
    """The building, its staff at the pages, and doors that have no box yet."""

    building: Building
    desk: Desk
    staff: Visitor
    person: int
    boxes: int = 0

    def box(self) -> NewBox:
        self.boxes += 1
        return NewBox(self.building.folder / "b" / f"{self.boxes}", self.building.processes)

    def page_of(self, code: str) -> Page:
        """The page of the box whose code ends so, once it waits."""
        page = self.staff.see("/boxes").must_say(f"··· {code[4:]}")
        return self.staff.see(next(to for to, _ in page.links if to.startswith("/boxes/")))

    def approve(self, page: Page, code: str, door: str, *, status: int = 200, **more: bool) -> Page:
        return self.staff.post(page, "/approval", code=code, door_id=door, status=status, **more)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Building(at=datetime.now(UTC)) as building:  # noqa: TID251 - certificates are judged by the machine's own clock
        building.command("init")
        building.command("account", "add", "anna", "--role", "administrator", stdin=f"{PASSWORD}\n{PASSWORD}\n")
        building.start_servers()
        desk = building.desk()
        hub = desk.site("Hub")
        for door in ("front", "side", "back"):
            desk.door(door, f"{door.title()} door", leads_into=hub)
        person = desk.person("Aino Virtanen")
        desk.tag(person, NUMBER)
        desk.grant(person, hub, from_day=datetime(2026, 1, 1, tzinfo=UTC).date(), standing=True)
        staff = Visitor(building.web_address)
        staff.post(staff.see("/sign-in"), "/sign-in", sign_in_name="anna", password=PASSWORD)
        yield Site(building, desk, staff, person)


def test_a_box_becomes_a_door(site: Site) -> None:
    """The code is on the box's screen, staff type it and choose the door, somebody at the box says yes: the door is online and
    admits a keytag; no secret was typed or copied."""
    box = site.box()
    code = box.enrol(site.building.web_address)
    waiting = site.page_of(code)
    assert code not in waiting.words
    site.approve(waiting, code, "front").must_say("Now say yes at the box", code)
    assert box.answer("y") == 0
    assert "systemctl enable --now door-agent" in box.said()
    box.run(control="control")
    wait_for(lambda: site.desk.online("front"), "the door is online", limit_seconds=20)
    wait_for(lambda: (box.state / "snapshot.sqlite").exists() or (box.state / "snapshot.json").exists(), "it holds its rights")
    ask(box.folder / "control", do="tap", number=NUMBER.uid.hex())
    wait_for(lambda: [tap.granted for tap in site.desk.taps()] == [True], "the tap is stored", limit_seconds=20)
    site.staff.see(waiting.path).must_say("The door is online.")


def test_a_box_is_not_taken_on_where_the_page_shows_another_code(site: Site) -> None:
    """Somebody at the box says no: nothing is on its disk, and it can be enrolled again."""
    box = site.box()
    code = box.enrol(site.building.web_address)
    site.approve(site.page_of(code), code, "side")
    assert box.answer("n") == 1
    assert "nothing was taken on" in box.said()
    assert list(box.state.glob("identity*")) == []
    assert not box.settings.exists()


def test_a_man_in_the_middle_shows_another_code(site: Site) -> None:
    """A server in between, with its own keys and its own authority, relays every word: box and page show different codes, staff
    cannot approve with what the box shows, and the third try sends the stranger away."""
    with ManBetween(site.building.web_address) as between:
        box = site.box()
        at_box = box.enrol(between.address)
        page = site.page_of(between.code_at_server)
        assert at_box != between.code_at_server
        for _ in range(2):
            site.approve(page, at_box, "side", status=422, replaces=True).must_say("does not show this code")
        site.approve(page, at_box, "side", status=422, replaces=True).must_say("third wrong code")
        assert site.staff.see(page.path).must_say("This box was refused")
        assert box.ends() == 1
        assert "staff refused this box" in box.said()
    assert pki.certificates(site.building.state, "back") == []
