# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the line to the broker carry a door's word here and the server's word there, and come back by itself?"""

import queue
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from access_contract import topics
from access_contract.vocabulary import DoorId
from booking_server.doors.wire import Wire
from tests.system import parts

DOOR = DoorId("front")


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    program = parts.mosquitto()
    if program is None:
        pytest.skip(parts.missing("mosquitto"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    settings = tmp_path / "mosquitto.conf"
    settings.write_text(f"listener {number} 127.0.0.1\nallow_anonymous true\n", encoding="ascii")
    with subprocess.Popen([str(program), "-c", str(settings)], stderr=subprocess.DEVNULL) as broker:
        yield number
        broker.terminate()


def test_a_word_each_way(port: int) -> None:
    """What a door publishes arrives with its topic; what is sent to a door arrives there and is not retained."""
    here: queue.Queue[tuple[str, bytes]] = queue.Queue()
    there: queue.Queue[tuple[bytes, bool]] = queue.Queue()
    wire = Wire(identity="server-doors-1", tls=None)
    door = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    door.on_connect = lambda client, *_: client.subscribe(topics.all_down(DOOR))
    door.on_subscribe = lambda client, *_: client.publish(topics.status(DOOR), b"here", qos=1, retain=True)
    door.on_message = lambda _client, _data, message: there.put((bytes(message.payload), message.retain))
    door.connect_async("127.0.0.1", port)
    try:
        door.loop_start()
        wire.start("127.0.0.1", port, lambda topic, content, _retained: here.put((topic, content)))
        assert here.get(timeout=20) == (topics.status(DOOR), b"here")
        wire.send(DOOR, "answer", b"sealed", expiry_seconds=5)
        assert there.get(timeout=20) == (b"sealed", False)
    finally:
        wire.stop()
        door.disconnect()
        door.loop_stop()
