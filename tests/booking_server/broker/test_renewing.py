# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is given a door's next certificate, and who is not."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509 import Certificate, load_pem_x509_certificate

from access_contract.messages import Renew
from access_contract.renewing import NotProven, renewal
from access_contract.vocabulary import DoorId
from booking_server.broker import pki
from booking_server.broker.renewing import IN_FORCE_MAX, renewed
from booking_server.clock import SystemClock
from tests.booking_server.hub import NOW

FRONT = DoorId("front")
P256, VERSION_0 = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("020100")
"""The name of the curve, and a request's version, as they stand in its DER."""


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def of_no_name(csr: bytes, own: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the request with a name that is none, signed by its own key all the same."""
    at = csr.index(VERSION_0)
    info, rest = csr[at - 2 : at + csr[at - 1]], csr[at + csr[at - 1] :]
    info = info.replace(b"\x0c\x05front", b"\x03\x05front")  # a bit string, which no name may be
    signature = own.sign(info, ec.ECDSA(hashes.SHA256()))
    inside = info + rest[: 2 + rest[1]] + bytes((3, len(signature) + 1, 0)) + signature
    return b"\x30\x81" + bytes((len(inside),)) + inside


class Door:
    """A door that has a certificate by enrolment."""

    def __init__(self, state: Path, name: str = "front") -> None:
        self.state, self.name, self.key = state, DoorId(name), key()
        self.has = pki.issue_for(state, name, self.key.public_key(), now=NOW)

    def asks(self, new: ec.EllipticCurvePrivateKey | None = None, **more: object) -> Renew:
        return msgspec.structs.replace(renewal(self.name, new=new or key(), has=self.has, key=self.key), **more)

    def gets(self, asked: Renew) -> Certificate:
        return renewed(self.state, self.name, asked, now=NOW)


def test_who_has_a_certificate_gets_the_next(tmp_path: Path) -> None:
    """For the new key, in the door's own name, ending later by the 90 days; both are in force until the old one ends."""
    door, new = Door(tmp_path), key()
    made = door.gets(door.asks(new))
    assert made.public_key() == new.public_key()
    assert made.subject == door.has.subject
    assert made.not_valid_after_utc - max(NOW, SystemClock().now()) > timedelta(days=89)
    assert len(pki.certificates(tmp_path, "front")) == 2


def test_the_same_request_gets_the_same_certificate(tmp_path: Path) -> None:
    """A door that did not hear the answer asks again: no second certificate is made."""
    door = Door(tmp_path)
    asked = door.asks()
    assert door.gets(asked) == door.gets(asked)
    assert len(pki.certificates(tmp_path, "front")) == 2


def test_a_box_that_was_put_out_gets_none(tmp_path: Path) -> None:
    """Its certificate was taken away, and another box is the door now: its line may still stand, the next one is not for it."""
    old = Door(tmp_path)
    asked = old.asks()
    pki.revoke(tmp_path, "front", now=NOW)
    Door(tmp_path)
    with pytest.raises(NotProven, match="not in force"):
        old.gets(asked)
    assert len(pki.certificates(tmp_path, "front")) == 1


def test_nobody_gets_another_s(tmp_path: Path) -> None:
    """Another name, another's certificate, a signature of another key or over another request, the same key: none is given."""
    front, back = Door(tmp_path), Door(tmp_path, "back")
    own = key()
    asked = front.asks(own)
    of_back = renewal(DoorId("back"), new=key(), has=front.has, key=front.key)
    for wrong in (
        of_back,
        front.asks(serial=f"{back.has.serial_number:x}"),
        renewal(FRONT, new=key(), has=front.has, key=back.key),
        front.asks(csr=asked.csr),
        front.asks(signature=asked.signature[:-1]),
        renewal(FRONT, new=front.key, has=front.has, key=front.key),
        renewal(FRONT, new=ec.generate_private_key(ec.SECP384R1()), has=front.has, key=front.key),
        front.asks(csr=b"\x30\x00"),
        front.asks(csr=asked.csr[:-2] + b"\x00\x00"),
        front.asks(csr=asked.csr.replace(P256, P256[:-1] + b"\x77")),
        front.asks(csr=of_no_name(asked.csr, own)),
        front.asks(csr=asked.csr.replace(VERSION_0, VERSION_0[:-1] + b"\x09", 1)),
    ):
        with pytest.raises(NotProven):
            front.gets(wrong)
    with pytest.raises(NotProven, match="not in force"):
        renewed(tmp_path, DoorId("back"), asked, now=NOW)


def test_asking_without_end_makes_no_heap(tmp_path: Path) -> None:
    """A box that asks and asks gets a few, and then none until those are over."""
    door = Door(tmp_path)
    for _ in range(IN_FORCE_MAX - 1):
        door.gets(door.asks())
    with pytest.raises(NotProven, match="too many"):
        door.gets(door.asks())


def test_a_door_by_door_files_can_renew_too(tmp_path: Path) -> None:
    """Its certificate lasts as long as the authority; on proof it may have an enrolled one."""
    pki.issue_to(tmp_path, "front", tmp_path / "front")
    has = load_pem_x509_certificate((tmp_path / "front" / "certificate.pem").read_bytes())
    own = load_pem_private_key((tmp_path / "front" / "key.pem").read_bytes(), password=None)
    assert isinstance(own, ec.EllipticCurvePrivateKey)
    assert has.not_valid_after_utc == pki.authority(tmp_path)[0].not_valid_after_utc
    assert renewed(tmp_path, FRONT, renewal(FRONT, new=key(), has=has, key=own), now=NOW).subject == has.subject


def test_a_door_renewed_since_the_backup_is_known_again(tmp_path: Path) -> None:
    """An authority that was put back has no record of a certificate: the door shows it, and it can be renewed and revoked."""
    door = Door(tmp_path)
    asked = door.asks()
    for record in (tmp_path / "authority" / "issued").glob("front.*"):
        record.unlink()
    with pytest.raises(NotProven):
        door.gets(msgspec.structs.replace(asked, certificate=b""))
    assert door.gets(asked).not_valid_after_utc > NOW
    assert asked.serial in pki.issued_serials(tmp_path, "front")


def test_no_certificate_of_another_is_taken_back(tmp_path: Path) -> None:
    """One of another hub's authority, of another door, or no certificate at all changes nothing."""
    door, other = Door(tmp_path / "here"), Door(tmp_path / "here", "side")
    foreign = Door(tmp_path / "there")
    for shown in (foreign.has.public_bytes(Encoding.DER), other.has.public_bytes(Encoding.DER), b"\x30\x01"):
        pki.take_back(tmp_path / "here", "front", shown)
    assert pki.issued_serials(tmp_path / "here", "front") == [f"{door.has.serial_number:x}"]


def test_a_box_that_was_put_out_stays_out_whatever_it_shows(tmp_path: Path) -> None:
    """What was revoked is not in force again by being shown."""
    door = Door(tmp_path)
    pki.revoke(tmp_path, "front", now=NOW)
    with pytest.raises(NotProven):
        door.gets(door.asks())
