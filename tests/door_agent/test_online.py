# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door on a real broker send its status and its events, and repeat them until they are acknowledged?"""

from __future__ import annotations

import shutil
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from access_contract import topics
from access_contract.messages import Events
from door_agent.config import load
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.system.processes import answers, wait_for

BROKER = shutil.which("mosquitto", path="/usr/sbin:/usr/bin")
_CONF = """
listener {port} 127.0.0.1
cafile {folder}/c.pem
certfile {folder}/c.pem
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
    (tmp_path / "m.conf").write_text(_CONF.format(port=port, folder=tmp_path))
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
