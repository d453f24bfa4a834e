# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real broker under our settings, and a plain client that shows what the broker really does to it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
from click.testing import CliRunner
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from booking_server.broker import pki
from booking_server.broker.rereading import have_reread
from booking_server.broker.settings import write_broker
from booking_server.cli import main
from booking_server.config import Broker, Config
from tests.system import parts
from tests.system.processes import answers, free_port, wait_for
from tests.system.settings_file import write_settings

SERVER = "server-doors-1"


class RunningBroker:
    """Mosquitto as `booking-server broker run` runs it, with doors whose certificates are made when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.config = Config(database="", state_folder=str(folder / "s"), broker=Broker(port=self.port))
        self.settings = write_broker(self.config)
        write_settings(
            folder / "server.toml",
            {
                "database": f"sqlite:///{folder / 'hub.sqlite'}",
                "state_folder": self.config.state_folder,
                "broker": {"port": self.port},
            },
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: list[Line] = []

    def start(self, **environment: str) -> None:
        with (self.folder / "mosquitto.log").open("ab") as log:
            command = [str(parts.mosquitto()), "-c", str(self.settings)]
            self._process = process = subprocess.Popen(command, stdout=log, stderr=log, env=parts.environment() | environment)
        wait_for(lambda: answers(self.port) or process.poll() is not None, "the broker listens")
        assert process.poll() is None, (self.folder / "mosquitto.log").read_text(encoding="utf-8")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def reread(self) -> None:
        """Have it read rights and revocations again, as `broker revoke` does."""
        assert have_reread(self.config)

    def command(self, *words: str) -> str:
        """What `booking-server` prints to `words`."""
        return CliRunner().invoke(main, ["--config", str(self.folder / "server.toml"), *words]).output

    def identity(self, name: str) -> Path:
        """The folder of a certificate for `name`, made at the first call."""
        return pki.issue(self.config.folder, name)

    def line(self, name: str, **more: Any) -> Line:
        """A client with the certificate of `name`. It is closed with the broker."""
        line = Line(self.port, self.identity(name), name, **more)
        self._lines.append(line)
        return line

    def close_lines(self) -> None:
        while self._lines:
            self._lines.pop().close()

    def close(self) -> None:
        self.close_lines()
        self.kill()


class Line:
    """One MQTT 5 client: `heard` is what came, `publish` returns the broker's word on it."""

    def __init__(
        self,
        port: int,
        identity: Path,
        client_id: str,
        *,
        user: str | None = None,
        will: str | None = None,
    ) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self.ended = threading.Event()
        self.connected: ReasonCode | None = None
        self._acknowledged: dict[int, ReasonCode] = {}
        self._port = port
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5, reconnect_on_failure=False
        )
        context = ssl.create_default_context(cafile=str(identity / "ca.pem"))
        context.load_cert_chain(str(identity / "certificate.pem"), str(identity / "key.pem"))
        self.client.tls_set_context(context)
        if user is not None:
            self.client.username_pw_set(user, "anything")
        if will is not None:
            self.client.will_set(will, b"gone", qos=1)
        self.client.max_inflight_messages_set(1000)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_publish = self._on_publish
        self.client.on_disconnect = lambda *_: self.ended.set()

    def connect(self) -> Line:
        """Connect and return; what the broker said stands in `connected`. Raise OSError (ssl.SSLError) if TLS fails."""
        self.client.connect("127.0.0.1", self._port)
        self.client.loop_start()
        wait_for(lambda: self.connected is not None or self.ended.is_set(), "the broker answers")
        return self

    def subscribe(self, *topics: str) -> Line:
        """Subscribe, and return once the broker has said yes."""
        said = threading.Event()
        self.client.on_subscribe = lambda *_: said.set()
        self.client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in topics])
        assert said.wait(5)
        return self

    def publish(self, topic: str, content: bytes = b"{}", *, qos: int = 1, retain: bool = False) -> ReasonCode | None:
        """Publish and return the reason in the PUBACK; None if none came, or the line ended."""
        sent = self.client.publish(topic, content, qos=qos, retain=retain)
        if qos == 0:
            return None
        wait_for(lambda: sent.mid in self._acknowledged or self.ended.is_set(), "the broker acknowledges")
        return self._acknowledged.get(sent.mid)

    def publish_many(self, topic: str, count: int) -> int:
        """Publish `count` messages at once and return how many the broker acknowledged without complaint."""
        sent = {self.client.publish(topic, str(number).encode(), qos=1).mid for number in range(count)}
        wait_for(lambda: sent <= self._acknowledged.keys() or self.ended.is_set(), "all are acknowledged", limit_seconds=30)
        return sum(not self._acknowledged[mid].is_failure for mid in sent if mid in self._acknowledged)

    def stall(self) -> threading.Event:
        """Read nothing more until the returned event is set."""
        awake = threading.Event()

        def wait_first(client: Any, data: Any, message: mqtt.MQTTMessage) -> None:
            awake.wait()
            self._on_message(client, data, message)

        self.client.on_message = wait_first
        return awake

    def cut(self) -> None:
        """Drop the connection without a word, so that the will is due."""
        opened: Any = self.client.socket()
        opened.shutdown(socket.SHUT_RDWR)
        wait_for(self.ended.is_set, "the line is cut")
        self.client.loop_stop()

    def close(self) -> None:
        self.client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Normal disconnection"))
        self.client.loop_stop()

    def topics(self) -> list[str]:
        return [topic for topic, _, _ in self.heard]

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self.connected = reason

    def _on_publish(self, _client: Any, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        self._acknowledged[mid] = reason

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload), message.retain))
