# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a box become a door in minutes, with real processes on both sides, and only if people on both sides have compared?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGKILL

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from access_contract.vocabulary import TagNumber
from booking_server.audit import service as audit
from booking_server.broker import pki
from booking_server.clock import SystemClock
from tests.booking_server.hub import PASSWORD
from tests.system import parts
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.disk_between import DiskBetween
from tests.system.disk_between import why_not as no_disk
from tests.system.man_between import ManBetween
from tests.system.new_box import NewBox
from tests.system.processes import wait_for
from tests.system.visitor import Page, Visitor

STEPS_MAX = 60
NUMBER = TagNumber.parse("04782E21801D80")


@dataclass
class Site:
    """The building, its staff at the pages, and doors that have no box yet."""

    building: Building
    desk: Desk
    staff: Visitor
    boxes: int = 0

    def box(self) -> NewBox:
        self.boxes += 1
        return NewBox(self.building.folder / "b" / f"{self.boxes}", self.building.processes, self.building.hand.file)

    def page_of(self, code: str) -> Page:
        """The page of the box that waits with this code."""
        page = self.staff.see("/boxes").must_say(f"··· {code[4:]}")
        return self.staff.see(next(to for to, words in page.links if to.startswith("/boxes/")))

    def approve(self, page: Page, code: str, door: str, *, status: int = 200, **more: bool) -> Page:
        return self.staff.post(page, "/approval", code=code, door_id=door, status=status, **more)

    def enrolled(self, door: str) -> NewBox:
        """A box that has become `door`, its agent running and heard."""
        box = self.box()
        code = box.enrol(self.building.web_address)
        self.approve(self.page_of(code), code, door)
        assert box.answer("y") == 0, box.told()
        box.start()
        wait_for(lambda: self.desk.online(door), "the door is online", limit_seconds=30)
        return box


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    with Building(at=SystemClock().now()) as building:  # certificates are judged by the machine's own clock
        building.command("init")
        building.command("account", "add", "anna", "--role", "administrator", stdin=f"{PASSWORD}\n{PASSWORD}\n")
        building.start_servers()
        desk = building.desk()
        hub = desk.site("Hub")
        for door in ("front", "side", "back", "spare"):
            desk.door(door, f"{door.title()} door", leads_into=hub)
        person = desk.person("Aino Virtanen")
        desk.tag(person, NUMBER)
        desk.grant(person, hub, from_day=datetime(2026, 1, 1, tzinfo=UTC).date(), standing=True)
        staff = Visitor(building.web_address)
        staff.sign_in("anna", PASSWORD)
        yield Site(building, desk, staff)


def expired(site: Site, box: NewBox) -> bytes:
    """The box's certificate as it would be after its last day."""
    folder = box.state / "identity"
    authority, key = pki.authority(site.building.state)
    own = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    builder = x509.CertificateBuilder().subject_name(own.subject).issuer_name(authority.subject).public_key(own.public_key())
    for extension in own.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    builder = builder.serial_number(4711).not_valid_before(pki.BEGINS)
    return (
        builder.not_valid_after(SystemClock().now() - timedelta(days=1)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    )


def test_a_box_becomes_a_door(site: Site) -> None:
    """The code is on the box's screen, staff type it and choose the door, somebody at the box says yes: the door is online and
    admits a keytag; no secret was typed or copied."""
    box = site.box()
    code = box.enrol(site.building.web_address)
    waiting = site.page_of(code)
    assert code not in waiting.words
    site.approve(waiting, code, "front").must_say("Now say yes at the box", code)
    assert box.answer("y") == 0
    assert "systemctl enable --now door-agent" in box.told()
    box.start()
    wait_for(lambda: site.desk.online("front"), "the door is online", limit_seconds=30)
    site.staff.see(waiting.path).must_say("The door is online.")
    box.tap(NUMBER)
    wait_for(lambda: [tap.granted for tap in site.desk.taps()] == [True], "the tap is stored", limit_seconds=20)


def test_a_certificate_renews_itself(site: Site) -> None:
    """Past two thirds of its life the door asks for the next one, comes back with it and only then drops the old one."""
    box = site.enrolled("side")
    (before,) = pki.certificates(site.building.state, "side")
    assert box.serial() == f"{before.serial_number:x}"
    site.building.hand.turn_to(SystemClock().now() + timedelta(days=61))
    wait_for(lambda: box.serial() != f"{before.serial_number:x}", "the next certificate is taken on", limit_seconds=30)
    assert len(pki.certificates(site.building.state, "side")) == 2
    wait_for(
        lambda: [entry.name for entry in box.state.glob("identity-*")] == [f"identity-{box.serial()}"], "the old one is dropped"
    )
    with site.desk.database.read() as tx:
        assert audit.of_subject(tx, "door:side")[0]["act"] == "certificate_renewed"
    since = site.desk.clock.now()
    wait_for(lambda: site.desk.online("side", since=since), "the door is online with it", limit_seconds=20)


def test_an_expired_certificate_stops_no_tap(site: Site) -> None:
    """The broker refuses the door, which goes on deciding alone and says why; enrolled again it delivers what it wrote."""
    box = site.enrolled("back")
    before = len(site.desk.taps())
    box.tap(NUMBER)
    wait_for(lambda: len(site.desk.taps()) == before + 1, "it has its rights, and the tap is stored", limit_seconds=20)
    assert box.stop() == 0
    (box.state / "identity" / "certificate.pem").write_bytes(expired(site, box))
    box.start()
    wait_for(lambda: "certificate_expires" in box.journal(), "it says why", limit_seconds=20)
    box.tap(NUMBER)
    wait_for(lambda: "granted by door" in box.journal(), "it decides alone", limit_seconds=20)
    code = box.enrol(site.building.web_address)
    site.approve(site.page_of(code), code, "back", replaces=True)
    assert box.answer("y") == 0
    assert "systemctl restart door-agent" in box.told()
    assert box.stop() == 0
    box.start()
    wait_for(lambda: len(site.desk.taps()) == before + 2, "what it wrote is delivered", limit_seconds=30)


def test_a_box_is_not_taken_on_where_the_page_shows_another_code(site: Site) -> None:
    """Somebody at the box says no: nothing is on its disk, and it can be enrolled again."""
    box = site.box()
    code = box.enrol(site.building.web_address)
    site.approve(site.page_of(code), code, "spare")
    assert box.answer("n") == 1
    assert "nothing was taken on" in box.told()
    assert list(box.state.glob("identity*")) == []
    assert not box.settings.exists()


def test_a_power_cut_while_it_waits_costs_a_new_code(site: Site) -> None:
    """Killed after its code was shown, the box has nothing on its disk, though it was approved; begun again, it is a door."""
    box = site.box()
    lost = box.enrol(site.building.web_address)
    site.approve(site.page_of(lost), lost, "spare", replaces=bool(pki.certificates(site.building.state, "spare")))
    box.kill()
    assert list(box.state.glob("identity*")) == []
    code = box.enrol(site.building.web_address)
    assert code != lost
    site.approve(site.page_of(code), code, "spare", replaces=True)
    assert box.answer("y") == 0
    assert f"{pki.certificates(site.building.state, 'spare')[-1].serial_number:x}" == box.serial()


@pytest.mark.skipif(bool(no_disk()), reason=no_disk() or "")
@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_power_cut_at_any_step_of_the_taking_on_leaves_nothing_or_all(site: Site, tmp_path: Path) -> None:
    """Cut off right before each step that writes, the box is no door yet or wholly one, and is enrolled again like a new one.

    Quickly, without a server, the same is asked in tests/door_agent/test_identity.py.
    """
    box, disk, ended = site.box(), DiskBetween(tmp_path), -SIGKILL
    box.disk = disk.environment
    for step in range(1, STEPS_MAX):
        disk.cut(0)
        code = box.enrol(site.building.web_address)
        site.approve(site.page_of(code), code, "spare", replaces=bool(pki.certificates(site.building.state, "spare")))
        disk.cut(step)
        ended = box.answer("y")
        assert ended in (0, -SIGKILL), box.told()
        assert box.checked() == ("good" if (box.state / "identity").exists() else "not enrolled")
        site.building.hand.turn_by(timedelta(minutes=5))  # an address may ask ten times in a quarter of an hour
        if ended == 0:
            break
    assert ended == 0
    disk.cut(0)
    code = box.enrol(site.building.web_address)
    site.approve(site.page_of(code), code, "spare", replaces=True)
    assert box.answer("y") == 0
    assert [entry.name for entry in box.state.glob("identity-*")] == [f"identity-{box.serial()}"]
    assert box.checked() == "good"


def test_a_man_in_the_middle_shows_another_code(site: Site) -> None:
    """A server in between, with its own keys and its own authority, relays every word: box and page show different codes, staff
    cannot approve with what the box shows, and the third try sends the stranger away."""
    with ManBetween(site.building.web_address) as between:
        box = site.box()
        at_box = box.enrol(between.address)
        page = site.page_of(between.code_at_server)
        assert at_box != between.code_at_server
        for _ in range(2):
            site.approve(page, at_box, "spare", status=422, replaces=True).must_say("does not show this code")
        site.approve(page, at_box, "spare", status=422, replaces=True).must_say("third wrong code")
        site.staff.see(page.path).must_say("This box was refused")
        assert box.ends() == 1
        assert "staff refused this box" in box.told()
