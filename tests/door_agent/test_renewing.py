# SPDX-License-Identifier: AGPL-3.0-or-later
"""When does a door ask for its next certificate, what does it take on, and when does it say that an end is near?"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from access_contract.messages import Renew, Renewed
from access_contract.vocabulary import DoorId
from door_agent import identity
from door_agent.happenings import Noticed
from door_agent.renewing import ASK_AGAIN_SECONDS, TRY_SECONDS, Outside, Renewal

END = datetime(2026, 6, 1, tzinfo=UTC)
AUTHORITY = ec.generate_private_key(ec.SECP256R1())
PARTS = {"identity.toml": b"", "tag.key": b"t"}


def certificate(
    name: str, key: ec.EllipticCurvePublicKey, end: datetime, *, by: ec.EllipticCurvePrivateKey = AUTHORITY
) -> x509.Certificate:
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (name, "authority")]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    return builder.not_valid_after(end).sign(by, hashes.SHA256())


class Played:
    """A renewal, and everything outside of it played by hand."""

    def __init__(self, folder: Path, *, enrolled: bool = True) -> None:
        self.sent: list[Renew] = []
        self.noticed: list[tuple[str, bool]] = []
        self.dropped: list[str] = []
        self.lines: list[Path] = []
        self.state = folder
        self._inbox: SimpleQueue[Noticed | Callable[[], None]] = SimpleQueue()
        key = ec.generate_private_key(ec.SECP256R1())
        self.first = certificate("front", key.public_key(), END)
        own = certificate("authority", AUTHORITY.public_key(), END + timedelta(days=9000))
        files = {
            identity.CERTIFICATE: self.first.public_bytes(Encoding.PEM),
            identity.KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            identity.AUTHORITY: own.public_bytes(Encoding.PEM),
            **PARTS,
        }
        self.folder = identity.prepare(folder, "1", files)
        if enrolled:
            identity.take_on(folder, self.folder)
        outside = Outside(send=self.sent.append, change_line=self._line, put=self._inbox.put, drop=self.dropped.append)
        self.renewal = Renewal(DoorId("front"), self.folder / identity.CERTIFICATE, folder, outside)

    def look(self, days_left: float, monotonic: float = 1000.0, *, link_up: bool = True) -> None:
        self.renewal.look(END - timedelta(days=days_left), monotonic, link_up=link_up)
        self.work()

    def give(self, end: datetime = END + timedelta(days=60), **more: object) -> None:
        csr = x509.load_der_x509_csr(self.sent[-1].csr)
        key = more.get("key", csr.public_key())
        made = certificate(str(more.get("name", "front")), key, end, by=more.get("by", AUTHORITY))  # type: ignore[arg-type]
        self.renewal.taken(Renewed(certificate=made.public_bytes(Encoding.DER)), 1000.0)
        self.work()

    def work(self) -> None:
        """Let what runs beside the loop end, and take in what it put."""
        for thread in threading.enumerate():
            if thread.name == "renewal":
                thread.join(10)
        while not self._inbox.empty():
            item = self._inbox.get()
            if isinstance(item, Noticed):
                self.noticed.append((item.about, item.raised))
            else:
                item()

    def connected(self) -> None:
        self.renewal.connected()
        self.work()

    def now(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate((self.state / "identity" / identity.CERTIFICATE).read_bytes())

    def _line(self, certificate: Path, _key: Path, left: Callable[[], None]) -> None:
        self.lines.append(certificate.parent)
        left()


def test_it_asks_when_a_third_is_left_and_again_until_it_is_answered(tmp_path: Path) -> None:
    """Not before, not without the line, every ten minutes with the same request's key; a door by `door-files` never asks."""
    (tmp_path / "a").mkdir()
    played = Played(tmp_path / "a")
    played.look(30.1)
    played.look(29, link_up=False)
    assert played.sent == []
    played.look(29, 1000)
    played.look(29, 1000 + ASK_AGAIN_SECONDS - 1)
    played.look(29, 1000 + ASK_AGAIN_SECONDS)
    assert len(played.sent) == 2
    first, second = (x509.load_der_x509_csr(asked.csr).public_key() for asked in played.sent)
    assert first == second
    (tmp_path / "b").mkdir()
    by_files = Played(tmp_path / "b", enrolled=False)
    by_files.look(1)
    assert by_files.sent == []


def test_the_old_one_stays_until_the_new_one_has_worked(tmp_path: Path) -> None:
    """Written beside, tried on the line, taken on when the line is up with it; then the old one is gone, all else is kept."""
    played = Played(tmp_path)
    played.look(29)
    played.give()
    assert played.now() == played.first
    assert [line != played.folder for line in played.lines] == [True]
    played.connected()
    assert played.now().not_valid_after_utc == END + timedelta(days=60)
    assert not played.folder.exists()
    assert (tmp_path / "identity" / "tag.key").read_bytes() == b"t"
    played.look(-29)
    assert len(played.sent) == 1


def test_one_that_does_not_work_is_left_for_the_old_one(tmp_path: Path) -> None:
    """The broker did not let the door in: it goes back to the old one, which is still there, and asks again later."""
    played = Played(tmp_path)
    played.look(29)
    played.give()
    played.look(29, 1000 + TRY_SECONDS)
    assert played.lines[-1] == played.folder
    assert played.now() == played.first
    played.connected()
    assert played.now() == played.first
    played.look(29, 1000 + ASK_AGAIN_SECONDS)
    assert len(played.sent) == 2
    played.give()
    played.connected()
    assert played.now() != played.first


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "back"},
        {"key": AUTHORITY.public_key()},
        {"by": ec.generate_private_key(ec.SECP256R1())},
        {"end": END},
        {"end": END - timedelta(days=1)},
    ],
)
def test_what_does_not_fit_is_not_taken(tmp_path: Path, wrong: dict[str, object]) -> None:
    """Another door's, another key's, another authority's, or one that ends no later: counted and dropped."""
    played = Played(tmp_path)
    played.look(29)
    played.give(**wrong)  # type: ignore[arg-type]
    played.connected()
    assert (played.dropped, played.now()) == (["bad_certificate"], played.first)


def test_what_was_not_asked_for_is_not_taken(tmp_path: Path) -> None:
    """Bytes that are no certificate, or one that comes out of nowhere: dropped."""
    played = Played(tmp_path)
    played.renewal.taken(Renewed(certificate=b"\x30\x00"), 1.0)
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    made = certificate("front", key, END + timedelta(days=60))
    played.renewal.taken(Renewed(certificate=made.public_bytes(Encoding.DER)), 1.0)
    assert played.dropped == ["bad_certificate"] * 2


def test_an_end_in_two_weeks_needs_attention_once(tmp_path: Path) -> None:
    """Said once, also after the end; taken back when it was renewed; nothing is said by a clock that is not trusted."""
    played = Played(tmp_path)
    played.renewal.look(None, 1.0, link_up=True)
    played.look(14.1)
    played.look(13.9)
    played.look(0.5)
    played.look(-3)
    assert played.noticed == [("certificate_expires", False), ("certificate_expires", True)]
    played.give()
    played.connected()
    played.look(-3)
    assert played.noticed[2:] == [("certificate_expires", False)]


def test_a_disk_that_takes_nothing_keeps_the_old_one(tmp_path: Path) -> None:
    """The new one cannot be written: the line is not touched, and the door asks again later."""
    played = Played(tmp_path)
    played.look(29)
    (tmp_path / "identity").rename(tmp_path / "kept")
    (tmp_path / "identity").symlink_to("kept")
    made = x509.load_der_x509_csr(played.sent[-1].csr)
    new = certificate("front", made.public_key(), END + timedelta(days=60))  # type: ignore[arg-type]
    (tmp_path / f"identity-{new.serial_number:x}").write_bytes(b"in the way")
    played.renewal.taken(Renewed(certificate=new.public_bytes(Encoding.DER)), 1000.0)
    played.work()
    assert played.lines == []
    played.look(29, 1000 + ASK_AGAIN_SECONDS)
    assert len(played.sent) == 2
