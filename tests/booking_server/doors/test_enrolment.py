# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a new box get in only by its code, one at a time, in its time, and does a flood of strangers change nothing?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from access_contract.enrolling import Asked, BadWord, Delivered, Exchange, Offered, commitment, open_delivery
from booking_server.actors import SYSTEM, Actor, NotAllowed
from booking_server.audit import service as audit
from booking_server.broker import pki
from booking_server.broker.settings import write_broker
from booking_server.config import BadConfiguration, Config
from booking_server.doors import adding, approving, enrolment
from booking_server.doors import service as doors
from booking_server.doors.approving import Approved, WrongCode
from booking_server.doors.enrolment import BEGUN_BY_ONE_MAX, BEGUN_MAX, LAPSE, TooMany
from booking_server.errors import Invalid, NotFound
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, Hub
from tests.system.processes import wait_for

LATER = NOW + timedelta(minutes=1)


@dataclass
class Played:
    """A box played by the test, at one address."""

    hub: Hub
    config: Config
    address: str = "192.168.1.20"

    def __post_init__(self) -> None:
        self.key, self.sealing = ec.generate_private_key(ec.SECP256R1()), X25519PrivateKey.generate()
        self.nonce = self.key.private_numbers().private_value.to_bytes(32, "big")
        self.asked = Asked(
            signing_key=self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            sealing_key=self.sealing.public_key().public_bytes_raw(),
            commitment=commitment(self.nonce),
            hardware="Raspberry\x00 Pi\n5 <b>",
        )

    def ask(self, now: datetime = NOW) -> Offered:
        with self.hub.desk.database.write() as tx:
            self.offered = enrolment.ask(tx, now=now, config=self.config, asked=self.asked, address=self.address)
        return self.offered

    def reveal(self, now: datetime = NOW) -> str:
        with self.hub.desk.database.write() as tx:
            theirs = enrolment.reveal(tx, now=now, enrolment_id=self.offered.enrolment, nonce=self.nonce)
        self.exchange = Exchange(
            signing_key=self.asked.signing_key,
            sealing_key=self.asked.sealing_key,
            authority=self.offered.authority,
            box_nonce=self.nonce,
            server_nonce=theirs.nonce,
        )
        return self.exchange.code()

    def begin(self) -> str:
        self.ask()
        return self.reveal()

    def state(self, now: datetime = LATER) -> str:
        with self.hub.desk.database.read() as tx:
            return enrolment.standing(tx, now=now, enrolment_id=self.offered.enrolment).state

    def delivered(self, now: datetime = LATER) -> Delivered:
        with self.hub.desk.database.read() as tx:
            stands = enrolment.standing(tx, now=now, enrolment_id=self.offered.enrolment)
        assert stands.package is not None
        assert stands.signature is not None
        return open_delivery(stands.package, stands.signature, box_key=self.sealing, exchange=self.exchange)


@pytest.fixture
def config(hub: Hub, tmp_path: Path) -> Config:
    """The settings of the hub, its broker's files written, its keys those of the desk."""
    config = Config(database="", state_folder=str(tmp_path / "state"))
    write_broker(config)
    return config


@pytest.fixture
def box(hub: Hub, config: Config) -> Played:
    return Played(hub, config)


def approve(
    box: Played, code: str, door: str = "lobby", actor: Actor = HOST, now: datetime = LATER, *, replaces: bool = False
) -> Approved | WrongCode:
    with box.hub.desk.database.write() as tx:
        return approving.approve(
            tx,
            actor,
            now=now,
            config=box.config,
            enrolment_id=box.offered.enrolment,
            door_id=door,
            code=code,
            replaces=replaces,
        )


def test_the_typed_code_makes_the_box_the_door(box: Played) -> None:
    """It gets a certificate of the door's name for its own key, for 90 days, and the door's tag key; who did it is kept."""
    code = box.begin()
    assert approve(box, f" {code[:3]} {code[3:]} ") == Approved("lobby")
    delivered = box.delivered()
    certificate = load_pem_x509_certificate(delivered.certificate.encode())
    assert certificate.public_key() == box.key.public_key()
    assert [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["lobby"]
    assert pki.certificates(box.config.folder, "lobby") == [certificate]
    assert (
        timedelta(days=88) < certificate.not_valid_after_utc - max(NOW, certificate.not_valid_before_utc) < timedelta(days=92)
    )
    with box.hub.desk.database.read() as tx:
        assert delivered.tag_key == doors.tag_key(tx, box.hub.desk.keys.vault, "lobby")
        rows = audit.of_subject(tx, "door:lobby")
    assert (rows[0]["act"], rows[0]["actor"]) == ("box_approved", HOST.name)
    assert delivered.signing_keys.keys() == box.hub.desk.keys.public.keys()


def test_wrong_codes_are_counted_and_the_third_sends_the_box_away(box: Played) -> None:
    """Two wrong codes leave it waiting, with the third nobody can approve it any more, even with the right one."""
    code = box.begin()
    wrong = f"{(int(code) + 1) % 10**6:06d}"
    assert [approve(box, wrong), approve(box, wrong)] == [WrongCode(2), WrongCode(1)]
    assert box.state() == "waiting"
    assert approve(box, wrong) == WrongCode(0)
    assert box.state() == "refused"
    with pytest.raises(Invalid, match="was refused"):
        approve(box, code)


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_what_is_no_code_is_no_try(box: Played, code: str) -> None:
    """A slip of the keyboard is told at the field and costs no try."""
    right = box.begin()
    for _ in range(4):
        with pytest.raises(Invalid, match="six digits") as raised:
            approve(box, code)
    assert raised.value.field == "code"
    assert approve(box, right) == Approved("lobby")


def test_an_enrolment_lapses(box: Played) -> None:
    """After 15 minutes nobody can approve it, the box is told, and staff no longer see it."""
    code, over = box.begin(), NOW + LAPSE + timedelta(seconds=1)
    with pytest.raises(Invalid, match="time is over"):
        approve(box, code, now=over)
    assert box.state(over) == "lapsed"
    with box.hub.desk.database.read() as tx:
        assert enrolment.waiting(tx, HOST, now=over, config=box.config) == []
    assert pki.certificates(box.config.folder, "lobby") == []


def test_what_was_approved_late_can_still_be_fetched(box: Played) -> None:
    """Approved in the last minute, the box has the same time again to fetch it, and no longer."""
    code, at = box.begin(), NOW + LAPSE
    approve(box, code, now=at)
    assert box.state(at + LAPSE) == "approved"
    assert box.state(at + LAPSE + timedelta(seconds=1)) == "lapsed"


def test_the_same_words_again_change_nothing(box: Played) -> None:
    """A box that did not hear an answer says it again: one enrolment, one code; another nonce is refused."""
    first = box.ask()
    assert box.ask(LATER) == first
    assert box.reveal() == box.reveal(LATER)
    with box.hub.desk.database.write() as tx, pytest.raises(BadWord, match="committed"):
        enrolment.reveal(tx, now=NOW, enrolment_id=first.enrolment, nonce=b"x" * 32)
    with box.hub.desk.database.read() as tx:
        assert len(enrolment.waiting(tx, HOST, now=LATER, config=box.config)) == 1


def test_a_box_is_approved_once(box: Played) -> None:
    """The form sent twice makes no second certificate."""
    code = box.begin()
    approve(box, code)
    with pytest.raises(Invalid, match="approved already"):
        approve(box, code, "room")
    assert len(pki.certificates(box.config.folder, "lobby")) == 1


def test_two_boxes_at_once_get_their_own_doors(box: Played) -> None:
    """Each has its own code and its own door; the one's code does not fit the other."""
    other = Played(box.hub, box.config, "192.168.1.21")
    code, its = box.begin(), other.begin()
    with box.hub.desk.database.read() as tx:
        waiting = enrolment.waiting(tx, HOST, now=LATER, config=box.config)
    assert {(new.code, new.address) for new in waiting} == {(code, box.address), (its, other.address)}
    assert approve(box, its) == WrongCode(2)
    assert approve(other, its, "room") == Approved("room")
    assert approve(box, code) == Approved("lobby")
    assert (box.delivered().door, other.delivered().door) == ("lobby", "room")


def test_a_flood_pushes_nobody_out(box: Played) -> None:
    """One address may begin a few, all together some more; who waits stays and can be approved, and later there is room."""
    code = box.begin()
    flood = [Played(box.hub, box.config, f"10.0.{number // BEGUN_BY_ONE_MAX}.9") for number in range(BEGUN_MAX - 1)]
    for one in flood:
        one.ask()
    with pytest.raises(TooMany, match="Try again in 15 minutes"):
        Played(box.hub, box.config, "172.16.0.1").ask()
    assert approve(box, code) == Approved("lobby")
    with pytest.raises(TooMany):
        Played(box.hub, box.config, "172.16.0.1").ask(LATER)
    Played(box.hub, box.config, "172.16.0.1").ask(NOW + LAPSE)


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["::ffff:10.0.0.1", "10.0.0.1"], ["2001:db8:1:2::1", "2001:db8:1:2:a:b:c:d"], ["nonsense"]],
)
def test_one_address_may_begin_a_few(hub: Hub, config: Config, addresses: list[str]) -> None:
    """A whole IPv6 network counts as one, however it is written; refused ones count too, so that nobody gets more tries."""
    for number in range(BEGUN_BY_ONE_MAX):
        one = Played(hub, config, addresses[number % len(addresses)])
        one.begin()
        with hub.desk.database.write() as tx:
            approving.refuse(tx, HOST, now=NOW, config=config, enrolment_id=one.offered.enrolment)
    with pytest.raises(TooMany):
        Played(hub, config, addresses[-1]).ask()
    Played(hub, config, "10.0.0.2").ask()


def test_what_a_stranger_says_of_himself_is_one_short_line(box: Played) -> None:
    """Nothing unprintable and nothing long comes to the page; a box that has not said its nonce is not shown at all."""
    box.ask()
    with box.hub.desk.database.read() as tx:
        assert enrolment.waiting(tx, HOST, now=LATER, config=box.config) == []
        with pytest.raises(NotFound):
            enrolment.new_box(tx, HOST, config=box.config, enrolment_id=box.offered.enrolment)
    box.reveal()
    with box.hub.desk.database.read() as tx:
        assert (
            enrolment.new_box(tx, HOST, config=box.config, enrolment_id=box.offered.enrolment).hardware == "Raspberry Pi5 <b>"
        )


def test_a_door_has_one_box(box: Played) -> None:
    """A second one is approved only as taking the first one's place; then the first one's certificate is taken away."""
    approve(box, box.begin())
    (first,) = pki.certificates(box.config.folder, "lobby")
    new = Played(box.hub, box.config, "192.168.1.21")
    code = new.begin()
    with pytest.raises(Invalid, match="has a box already") as raised:
        approve(new, code)
    assert raised.value.field == "replaces"
    assert approve(new, code, replaces=True) == Approved("lobby")
    (second,) = pki.certificates(box.config.folder, "lobby")
    assert second.public_key() == new.key.public_key() != first.public_key()
    assert f"{first.serial_number:x}" in pki.issued_serials(box.config.folder, "lobby")
    assert pki.revoked_names(box.config.folder) == []


def test_what_cannot_be_delivered_takes_nothing_from_the_old_box(box: Played) -> None:
    """Settings that do not say where doors reach the broker: nothing is approved, and the old box stays what it is."""
    approve(box, box.begin())
    had = pki.certificates(box.config.folder, "lobby")
    nowhere = msgspec.structs.replace(box.config, broker=msgspec.structs.replace(box.config.broker, host="::", known_as=""))
    new = Played(box.hub, nowhere, "192.168.1.21")
    code = new.begin()
    with pytest.raises(BadConfiguration, match="known_as"):
        approve(new, code, replaces=True)
    assert had[0] in pki.certificates(box.config.folder, "lobby")
    assert new.state() == "waiting"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_certificate_given_meanwhile_is_taken_away_too(box: Played) -> None:
    """The old box renews its own just while another one is approved in its place: only the new box is let in afterwards."""
    approve(box, box.begin())
    new, database = Played(box.hub, box.config, "192.168.1.21"), box.hub.desk.database
    code, waits = new.begin(), text("select count(*) from pg_stat_activity where wait_event_type = 'Lock'")

    def is_waiting() -> bool:
        with database.read() as tx:
            return bool(tx.execute(waits).scalar())

    with ThreadPoolExecutor(1) as pool:
        with database.write() as tx:
            doors.set_stolen(tx, "lobby", None)
            done = pool.submit(approve, new, code, replaces=True)
            wait_for(is_waiting, "the approval waits")
            pki.issue_for(box.config.folder, "lobby", ec.generate_private_key(ec.SECP256R1()).public_key(), now=LATER)
        assert done.result(10) == Approved("lobby")
    assert [one.public_key() for one in pki.certificates(box.config.folder, "lobby")] == [new.key.public_key()]


@pytest.mark.parametrize("door", ["", "nowhere", "old"])
def test_only_a_door_in_use_can_be_chosen(box: Played, door: str) -> None:
    """None, an unknown one and one out of use are told at the field."""
    desk, code = box.hub.desk, box.begin()
    with desk.database.write() as tx:
        site = next(one for one in doors.doors(tx) if one.id == "lobby")
        area = doors.access_points(tx, "lobby")[0].to_area_id
        assert area is not None
        adding.add_door(
            tx, HOST, now=NOW, vault=desk.keys.vault, door_id="old", site_id=site.site_id, name="Old", to_area_id=area
        )
        doors.retire_door(tx, HOST, now=NOW, door_id="old")
    with pytest.raises(Invalid, match="Choose the door") as raised:
        approve(box, code, door)
    assert raised.value.field == "door_id"


@pytest.mark.parametrize("actor", [BILLING, MEMBER])
def test_only_who_looks_after_doors_may(box: Played, actor: Actor) -> None:
    """Neither billing nor a member sees, approves or refuses a box."""
    code = box.begin()
    with pytest.raises(NotAllowed):
        approve(box, code, actor=actor)
    with box.hub.desk.database.write() as tx:
        with pytest.raises(NotAllowed):
            enrolment.waiting(tx, actor, now=NOW, config=box.config)
        with pytest.raises(NotAllowed):
            approving.refuse(tx, actor, now=NOW, config=box.config, enrolment_id=box.offered.enrolment)
    assert box.state() == "waiting"


def test_what_is_old_is_forgotten(box: Played) -> None:
    """A day later the next box's first word removes what is over; the audit keeps who approved what."""
    approve(box, box.begin())
    Played(box.hub, box.config, "192.168.1.22").ask(NOW + timedelta(days=1, minutes=1))
    with box.hub.desk.database.read() as tx, pytest.raises(NotFound):
        enrolment.new_box(tx, SYSTEM, config=box.config, enrolment_id=box.offered.enrolment)
