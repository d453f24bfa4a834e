# SPDX-License-Identifier: AGPL-3.0-or-later
"""The line to the broker: MQTT 5, TLS with this server's certificate, no delay, clean start; subscribes after every connect.

A broker that is away is one line in the log and is tried again for ever. Nothing is ever published retained.
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from access_contract import topics
from access_contract.topics import Down
from access_contract.vocabulary import DoorId

GROUP = "doors"
RECONNECT_SECONDS_MAX = 10
_QOS: dict[Down, int] = {"answer": 0, "acknowledgement": 0, "snapshot": 1, "command": 1, "keys": 1, "certificate": 1}

Received = Callable[[str, bytes, bool], None]
"""Topic, content, and whether the broker had kept it from before."""

_log = structlog.get_logger()


def tls_context(folder: Path) -> ssl.SSLContext:
    """Return TLS as the identity in `folder` (certificate.pem, key.pem, ca.pem). Raise OSError where one is missing."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    context.load_cert_chain(str(folder / "certificate.pem"), str(folder / "key.pem"))
    return context


class Wire:
    """One connection. `subscribed` is true once the broker sends what doors write."""

    def __init__(self, *, identity: str, tls: ssl.SSLContext | None) -> None:
        self.subscribed = False
        self._received: Received
        self._said: str | None = None
        self._untaken: deque[mqtt.MQTTMessageInfo] = deque()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=identity, protocol=MQTTProtocolVersion.MQTTv5)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.reconnect_delay_set(1, RECONNECT_SECONDS_MAX)
        self._client.on_socket_open = _no_delay
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_connect_fail = self._failed
        self._client.on_subscribe = self._has_subscribed
        self._client.on_message = self._message

    def start(self, host: str, port: int, received: Received) -> None:
        """Begin to connect; return at once. `received` runs on the wire's own thread and must not wait for anything."""
        self._received = received
        self._client.connect_async(host, port, keepalive=20, clean_start=True)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected())

    def send(self, door: DoorId, channel: Down, envelope: bytes, *, expiry_seconds: int) -> None:
        """Publish to a door; the broker drops it after `expiry_seconds`. While the broker is away nothing is kept."""
        if not self.connected:
            return
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = expiry_seconds
        sent = self._client.publish(
            topics.down(door, channel), envelope, qos=_QOS[channel], retain=False, properties=properties
        )
        if channel == "snapshot" and sent.rc == mqtt.MQTT_ERR_SUCCESS:
            self._untaken.append(sent)

    def has_room(self, at_most: int, seconds: float) -> bool:
        """Wait until fewer than `at_most` snapshot messages are still to be taken by the broker; False if that is not within
        `seconds`. One thread calls it."""
        while self.connected and len(self._untaken) >= at_most:
            self._untaken[0].wait_for_publish(seconds)
            if not self._untaken[0].is_published():
                return False
            self._untaken.popleft()
        return self.connected

    def _connected(self, client: mqtt.Client, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._say_once("broker_refuses", reason=str(code))
            return
        up, status = topics.from_doors(GROUP)
        client.subscribe([(up, SubscribeOptions(qos=1)), (status, SubscribeOptions(qos=1))])
        self._say_once("broker_connected")

    def _has_subscribed(self, _client: Any, _data: Any, _mid: int, codes: Any, _properties: Any) -> None:
        self.subscribed = not any(code.is_failure for code in codes)
        if not self.subscribed:
            self._say_once("broker_refuses", reason="may not hear what doors write")

    def _disconnected(self, _client: Any, _data: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self.subscribed = False
        self._say_once("broker_away", reason=str(code))

    def _failed(self, _client: Any, _data: Any) -> None:
        self._say_once("broker_away", reason="cannot connect")

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        self._received(message.topic, bytes(message.payload), message.retain)

    def _say_once(self, what: str, **detail: str) -> None:
        if what != self._said:
            self._said = what
            _log.info(what, **detail)


def _no_delay(_client: Any, _data: Any, opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
