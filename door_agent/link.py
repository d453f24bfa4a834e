# SPDX-License-Identifier: AGPL-3.0-or-later
"""The wire to the broker: MQTT 5 over TLS with the door's own certificate. It verifies what comes in and decides nothing.

A bad message is counted and dropped, and opens nothing.
"""

from __future__ import annotations

import socket
import ssl
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import paho.mqtt.client as mqtt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from paho.mqtt.enums import CallbackAPIVersion

from access_contract import topics
from access_contract.envelope import Rejected, open_envelope
from access_contract.messages import MESSAGE_BYTES_MAX, Status, ToDoor
from access_contract.vocabulary import DoorId
from door_agent.config import Broker
from door_agent.errors import BadConfiguration

_log = structlog.get_logger("link")


class Link:
    """One connection. `heard` gets each verified body, `changed` says whether the link is up; both on paho's thread."""

    def __init__(
        self,
        door: DoorId,
        keys: Mapping[str, Ed25519PublicKey],
        *,
        trusted_now: Callable[[], datetime | None],
        heard: Callable[[ToDoor], None],
        changed: Callable[[bool], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._door, self._keys, self._trusted_now = door, keys, trusted_now
        self._heard, self._changed = heard, changed
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=door, protocol=mqtt.MQTTv5)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = lambda *_: self._changed(False)
        self._client.on_message = self._on_message
        self._client.on_socket_open = self._on_socket_open
        self._client.reconnect_delay_set(1, 5)
        self._client.max_inflight_messages_set(50)

    def start(self, broker: Broker, folder: Path) -> None:
        """Connect, now or as soon as the broker is there. Raise BadConfiguration if a certificate cannot be used."""
        try:
            context = ssl.create_default_context(cafile=str(folder / broker.ca))
            context.load_cert_chain(str(folder / broker.certificate), str(folder / broker.key))
        except (OSError, ssl.SSLError) as error:
            raise BadConfiguration(f"broker.ca, broker.certificate or broker.key cannot be used: {error}") from None
        self._client.tls_set_context(context)
        self._client.will_set(topics.status(self._door), msgspec.json.encode(Status(online=False)), qos=1, retain=True)
        self._client.connect_async(broker.host, broker.port, keepalive=15, clean_start=True)
        self._client.loop_start()

    def send(self, channel: topics.Up, body: object, *, qos: int) -> None:
        self._client.publish(topics.up(self._door, channel), msgspec.json.encode(body), qos=qos)

    def publish_status(self, status: Status) -> None:
        self._client.publish(topics.status(self._door), msgspec.json.encode(status), qos=1, retain=True)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def drop(self, cause: str) -> None:
        """Count something that is not obeyed; said once per cause, not once per message."""
        self.counts[cause] += 1
        if self.counts[cause] == 1:
            _log.warning("message dropped", cause=cause)

    def _on_socket_open(self, _client: mqtt.Client, _data: Any, opened: Any) -> None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            _log.warning("broker refused the connection", reason=str(reason))
            return
        client.subscribe(topics.all_down(self._door), qos=1)
        self._changed(True)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain or len(message.payload) > MESSAGE_BYTES_MAX:
            self.drop("retained" if message.retain else "oversized")
            return
        try:
            body = open_envelope(bytes(message.payload), door=self._door, keys=self._keys, now=self._trusted_now())
        except Rejected as rejected:
            self.drop(rejected.cause)
            return
        self._heard(body)
