# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door on a real broker send its status and its events, and repeat them until they are acknowledged?"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion

from access_contract import topics
from access_contract.messages import Events
from door_agent.config import load
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.system.processes import Child, Processes, answers, wait_for

BROKER = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
_CONF = """
listener {port} 127.0.0.1
cafile {folder}/c.pem
certfile {folder}/{certificate}
keyfile {folder}/k.pem
require_certificate true
allow_anonymous true
set_tcp_nodelay true
user root
"""


@pytest.mark.skipif(BROKER is None, reason="mosquitto is not installed")
def test_a_tap_is_asked_and_its_event_reaches_the_server(tmp_path: Path) -> None:
    """Over TLS a door says it is online, asks at the tap, sends the tapped event, and is offline once it was stopped."""
    toml = write_door(tmp_path)
    port = load(toml).broker.port
    (tmp_path / "m.conf").write_text(_CONF.format(port=port, folder=tmp_path, certificate="c.pem"))
    started: list[subprocess.Popen[bytes]] = []
    seen: dict[str, list[bytes]] = {}
    with (tmp_path / "log").open("wb") as log:
        try:
            started.append(subprocess.Popen([str(BROKER), "-c", str(tmp_path / "m.conf")], stdout=log, stderr=log))
            wait_for(lambda: answers(port), "the broker listens")
            server = listen(tmp_path, port, seen)
            command = [sys.executable, "-c", "from door_agent.cli import main; main()", "--config", str(toml), "run"]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
            wait_for(lambda: any(b'"online":true' in s for s in seen.get("status", [])), "the door is online")
            say(tmp_path, do="tap", number=NUMBER)
            wait_for(lambda: seen.get("ask"), "the door asks")
            wait_for(lambda: any(b'"kind":"tapped"' in e for e in events(seen)), "the event arrives")
            started[-1].terminate()
            assert started[-1].wait(10) == 0
            wait_for(lambda: b'"online":false' in seen["status"][-1], "the door is said to be offline")
            server.disconnect()
            server.loop_stop()
        finally:
            for process in started:
                process.kill()
                process.wait()


@pytest.mark.skipif(BROKER is None, reason="mosquitto is not installed")
def test_without_a_clock_the_hubs_own_broker_is_believed_whatever_its_dates(tmp_path: Path) -> None:
    """A door at 1970 gets online; once it knows the time, a certificate of another time is refused, one of this time is not."""
    toml = write_door(tmp_path)
    toml.write_text(toml.read_text().replace('control = "control"', 'control = "control", clock = "clock"'))
    (tmp_path / "clock").write_text("0 untrusted")
    port = load(toml).broker.port
    write_certificate_of_another_time(tmp_path)
    with Processes(tmp_path / "logs") as processes:

        def broker(certificate: str) -> Child:
            (tmp_path / "m.conf").write_text(_CONF.format(port=port, folder=tmp_path, certificate=certificate))
            started = processes.start("broker", [str(BROKER), "-c", tmp_path / "m.conf"])
            started.wait_until(lambda: answers(port))
            return started

        later = broker("later.pem")
        command: list[str | Path] = [sys.executable, "-c", "from door_agent.cli import main; main()", "--config", toml, "run"]
        door = processes.start("door", command)
        door.wait_until(lambda: " online " in door.said())
        (tmp_path / "clock").write_text("0")
        door.wait_until(lambda: "the broker cannot be reached" in door.said())
        assert door.said().count(" online ") == 1
        processes.forget(later)
        later.kill()
        broker("c.pem")
        door.wait_until(lambda: door.said().count(" online ") == 2)
        assert door.stop() == 0


def write_certificate_of_another_time(folder: Path) -> None:
    """later.pem: signed by the hub's authority, for the same key, good from 2040 on."""
    authority = x509.load_pem_x509_certificate((folder / "c.pem").read_bytes())
    key = serialization.load_pem_private_key((folder / "k.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    begin = datetime(2040, 1, 1, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    made = x509.CertificateBuilder(authority.subject, name, key.public_key(), 2, begin, begin + timedelta(days=100))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    (folder / "later.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def events(seen: dict[str, list[bytes]]) -> list[bytes]:
    return [bytes(e) for content in seen.get("events", []) for e in msgspec.json.decode(content, type=Events).events]


def listen(folder: Path, port: int, seen: dict[str, list[bytes]]) -> mqtt.Client:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="server", protocol=mqtt.MQTTv5)
    context = ssl.create_default_context(cafile=str(folder / "c.pem"))
    context.load_cert_chain(str(folder / "c.pem"), str(folder / "k.pem"))
    client.tls_set_context(context)

    def heard(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        seen.setdefault(topics.parse_up(message.topic).channel, []).append(bytes(message.payload))

    client.on_message = heard

    def connected(*_: Any) -> None:
        for topic in topics.from_doors():
            client.subscribe(topic, qos=1)

    client.on_connect = connected
    client.connect("127.0.0.1", port)
    client.loop_start()
    return client
