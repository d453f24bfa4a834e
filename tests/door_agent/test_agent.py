# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the whole agent, as its own process and without any broker, open for a known tag and journal it?"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.x509.oid import NameOID

from access_contract.snapshot import DoorRules, Right, Snapshot, TagRights, Window
from access_contract.vocabulary import AccessPointId, DoorId, TagNumber, tag_hash
from door_agent.journal import Journal
from tests.door_agent.snapshot_files import keep
from tests.system.processes import free_port, wait_for

NUMBER = "04782E21801D80"
KEY = bytes(range(32))
_TOML = """
door = "front"
demo = true
status_port = 0
state_folder = "state"
tag_key_file = "tag.key"
broker = {{ host = "127.0.0.1", port = {port}, ca = "c.pem", certificate = "c.pem", key = "k.pem" }}
server = {{ signing_keys = {{ k1 = "signing.pub" }}, sealing_key = "sealing.pub" }}
readers = [{{ kind = "simulated", access_point = "in" }}]
lock = {{ pin = 17, pulse_seconds = 0.3 }}
contact = {{ pin = 22 }}
simulated = {{ control = "control" }}
"""


def write_door(folder: Path, *, rules: DoorRules | None = None) -> Path:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "front")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=9999))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    (folder / "c.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "signing.pub").write_bytes(Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    (folder / "sealing.pub").write_bytes(X25519PrivateKey.generate().public_key().public_bytes_raw())
    (folder / "tag.key").write_bytes(KEY)
    (folder / "state").mkdir()
    always = (Window(now, now + timedelta(days=9999)),)
    right = Right(cause="grant:1", windows="always", access_points=(AccessPointId("in"),))
    rights = {tag_hash(KEY, TagNumber.parse(NUMBER)): TagRights(rights=(right,))}
    kept = Snapshot(
        door=DoorId("front"),
        number=1,
        made_at=now,
        expires_at=always[0].end,
        rules=rules or DoorRules(),
        window_sets={"always": always},
        tags=rights,
    )
    keep(folder / "state" / "snapshot.sqlite", kept)
    (folder / "door.toml").write_text(_TOML.format(port=free_port()))
    return folder / "door.toml"


def show_page(toml: Path, port: int) -> None:
    """Have the door that `write_door` wrote show its page on this port."""
    toml.write_text(toml.read_text(encoding="utf-8").replace("status_port = 0", f"status_port = {port}"), encoding="utf-8")


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "from door_agent.cli import main; main()", "--config", str(write_door(tmp_path)), "run"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: (tmp_path / "control").exists() or process.poll() is not None, "the agent comes up")
        yield process
    finally:
        process.kill()
        process.wait()


def say(folder: Path, **wish: object) -> dict[str, object]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(folder / "control"))
        connection.sendall(json.dumps(wish).encode() + b"\n")
        said: dict[str, object] = json.loads(connection.makefile().readline())
        return said


def relay_is_on(folder: Path) -> bool:
    return say(folder, do="watch")["on"] is True


def test_without_a_broker_a_known_tag_opens_and_the_relay_ends_by_itself(
    agent: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """A tap opens from the snapshot alone, the pulse ends, and after SIGKILL the tap stands in the journal."""
    assert say(tmp_path, do="tap", number=NUMBER) == {"ok": True}
    wait_for(lambda: relay_is_on(tmp_path), "the relay is energised", limit_seconds=5)
    wait_for(lambda: not relay_is_on(tmp_path), "the pulse ends", limit_seconds=5)
    agent.send_signal(signal.SIGKILL)
    agent.wait()
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    assert journal.verify()
    assert any(b'"granted":true' in content for content in journal.unacknowledged(100))


def test_an_unknown_tag_and_a_nonsense_wish_open_nothing(agent: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Ignorance refuses, and a wrong line is answered with what is allowed."""
    say(tmp_path, do="tap", number="04AABBCCDDEE80")
    assert "error" in say(tmp_path, do="dance")
    agent.send_signal(signal.SIGTERM)
    assert agent.wait(10) == 0
    kept = Journal(tmp_path / "state" / "journal.sqlite").unacknowledged(100)
    assert any(b'"reason":"tag_unknown"' in content for content in kept)
