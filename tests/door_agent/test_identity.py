# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a box, whenever its power fails while it becomes a door, what it was or what it is to be, and never half of either?"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tomllib
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from access_contract.enrolling import Delivered
from door_agent import identity, main
from door_agent.config import load
from door_agent.enrolling_here import write_identity
from door_agent.errors import BadConfiguration

WIRING = '\n[[readers]]\nkind = "pcsc"\naccess_point = "in"\n\n[lock]\npin = 5\n'
KILLS_MAX = 200
STRIDES = [5, pytest.param(1, marks=pytest.mark.soak)]


def made(door: str, serial: int) -> tuple[Delivered, bytes]:
    """What a server delivers for `door`, and the box's private key."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (door, "authority")]
    builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    builder = builder.serial_number(serial).not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    pem = builder.not_valid_after(datetime(2050, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    public = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    delivered = Delivered(
        door=door,
        name="Front",
        certificate=pem.decode(),
        authority=pem.decode(),
        signing_keys={"k1": Ed25519PrivateKey.generate().public_key().public_bytes(*public).decode()},
        sealing_key=X25519PrivateKey.generate().public_key().public_bytes(*public).decode(),
        tag_key=door[:1].encode() * 32,
        broker_host="hub.example.org",
        broker_port=8883,
        access_points=["in"],
        settings=WIRING,
    )
    return delivered, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def box(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def write(box: Path, delivered: Delivered, key: bytes, was: str | None = None) -> None:
    write_identity(box / "door.toml", box / "state", delivered, key, was=was, say=lambda _: None)


def who(box: Path) -> str:
    """The door that the box is; raises unless it is whole: settings, keys, and a certificate that fits its key."""
    main.check(box / "door.toml")
    return load(box / "door.toml").door


def killed_at(step: int, work: Callable[[], None]) -> bool:
    """Do `work` in a process that is killed at its `step`th word to the disk; False if it ended before."""
    child = os.fork()
    if child == 0:
        told = 0

        def count(event: str, _args: object) -> None:
            nonlocal told
            if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.symlink", "shutil.rmtree"):
                told += 1
                if told > step:
                    os.kill(os.getpid(), signal.SIGKILL)

        with suppress(BaseException):
            sys.addaudithook(count)
            work()
            os._exit(0)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("stride", STRIDES)
def test_a_power_cut_at_any_step_leaves_a_box_that_can_be_enrolled(box: Path, stride: int) -> None:
    """Killed at each word to the disk, a fresh box is not enrolled or wholly the door; enrolled again, it is."""
    delivered, key = made("front", 1)
    step = 0
    while killed_at(step, lambda: write(box, delivered, key)):
        if identity.identity_folder(box / "state") is None:
            with pytest.raises(BadConfiguration, match=r"there are no settings yet|not enrolled yet"):
                who(box)
        else:
            assert who(box) == "front"
        again, other = made("side", 2)
        write(box, again, other)
        assert who(box) == "side"
        for left in (box / "state").iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
        (box / "door.toml").unlink()
        step += stride
        assert step < KILLS_MAX
    assert step > 15
    assert who(box) == "front"


def test_a_power_cut_while_a_box_gets_new_keys_loses_neither(box: Path) -> None:
    """Killed at each word to the disk, a box that is enrolled again has its old certificate or its new one, whole."""
    write(box, *made("front", 1))
    delivered, key = made("front", 2)
    step, serials = 0, set()
    while killed_at(step, lambda: write(box, delivered, key)):
        assert who(box) == "front"
        serials.add(_serial(box))
        step += 1
        assert step < KILLS_MAX
    assert serials == {1, 2}
    assert [entry.name for entry in (box / "state").glob("identity*") if not entry.is_symlink()] == ["identity-2"]


@pytest.mark.parametrize("stride", STRIDES)
def test_a_box_that_moves_never_sends_what_it_wrote_elsewhere(box: Path, stride: int) -> None:
    """Killed at each word to the disk, it is never the new door with the old door's journal; the old one's is kept."""
    step, delivered = 0, made("side", 2)
    while True:
        write(box, *made("front", 1))
        (box / "state" / "journal.sqlite").write_bytes(b"front's")
        if not killed_at(step, lambda: write(box, *delivered, was="front")):
            break
        kept = list((box / "state").rglob("journal.sqlite"))
        assert [file.read_bytes() for file in kept] == [b"front's"]
        assert who(box) == "front" or kept[0].parent != box / "state"
        for aside in (box / "state").glob("was-*"):
            shutil.rmtree(aside)
        shutil.rmtree(box / "state")
        (box / "state").mkdir()
        step += stride
        assert step < KILLS_MAX
    assert who(box) == "side"
    assert (box / "state" / "was-front-1" / "journal.sqlite").read_bytes() == b"front's"


def test_wiring_that_is_there_is_kept(box: Path) -> None:
    """The caretaker's file is not touched; who the door is stands beside it and goes before what it says of that."""
    own = f'state_folder = "state"\n{WIRING}'
    (box / "door.toml").write_text(own, encoding="utf-8")
    write(box, *made("front", 1))
    assert (box / "door.toml").read_text(encoding="utf-8") == own
    config = load(box / "door.toml")
    assert (config.door, config.lock.pin, config.broker.host) == ("front", 5, "hub.example.org")


def test_a_new_box_gets_settings_to_complete(box: Path) -> None:
    """Where there are none, a file is written that names the state folder and the door's access points."""
    write(box, *made("front", 1))
    assert load(box / "door.toml").readers[0].access_point == "in"
    assert tomllib.loads((box / "door.toml").read_text(encoding="utf-8"))["state_folder"] == str(box / "state")


def test_keys_are_readable_by_their_owner_alone(box: Path) -> None:
    """Every file of the identity is 0600 in a folder that is 0700."""
    write(box, *made("front", 1))
    folder = identity.identity_folder(box / "state")
    assert folder is not None
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_settings_that_name_another_door_are_refused(box: Path) -> None:
    """Two words on who the door is are a fault that says which line to take out, not a guess."""
    write(box, *made("front", 1))
    text = (box / "door.toml").read_text(encoding="utf-8")
    (box / "door.toml").write_text(f'door = "side"\n{text}', encoding="utf-8")
    with pytest.raises(BadConfiguration, match="door is 'side', but this box is enrolled as 'front'; take that line out"):
        load(box / "door.toml")


def test_a_damaged_identity_says_what_to_do(box: Path) -> None:
    """It names the file and the command, and enrolling again mends it."""
    write(box, *made("front", 1))
    folder = identity.identity_folder(box / "state")
    assert folder is not None
    for content in ("door = ", "x = 1", 'door = "front"\ntag_key_file = 1\nbroker = 2\nserver = 3\n'):
        (folder / "identity.toml").write_text(content, encoding="utf-8")
        with pytest.raises(BadConfiguration, match=r"identity\.toml: is damaged; run `door-agent enrol` again"):
            load(box / "door.toml")
    write(box, *made("front", 2))
    assert who(box) == "front"


def _serial(box: Path) -> int:
    folder = identity.identity_folder(box / "state")
    assert folder is not None
    return x509.load_pem_x509_certificate((folder / identity.CERTIFICATE).read_bytes()).serial_number
