# SPDX-License-Identifier: AGPL-3.0-or-later
"""The wire to the broker: MQTT 5 over TLS with the door's own certificate. It verifies what comes in and decides nothing.

A bad message is counted and dropped, and opens nothing.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID

from access_contract import topics
from access_contract.envelope import Rejected, open_envelope
from access_contract.messages import MESSAGE_BYTES_MAX, Events, Status, ToDoor
from access_contract.vocabulary import DoorId
from door_agent.config import Broker
from door_agent.errors import BadConfiguration
from door_agent.log import Log

if TYPE_CHECKING:
    import paho.mqtt.client as mqtt

_log = Log("link")
_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME of OpenSSL, for which `ssl` has no name."""


class Link:
    """One connection. `heard` gets each verified body, `changed` says whether the link is up; both on paho's thread."""

    def __init__(
        self,
        door: DoorId,
        keys: Callable[[], Mapping[str, Ed25519PublicKey]],
        *,
        trusted_now: Callable[[], datetime | None],
        heard: Callable[[ToDoor], None],
        changed: Callable[[bool], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._said = ""
        self._closed, self._changing = False, threading.Lock()
        self._undated = False
        self._door, self._keys, self._trusted_now = door, keys, trusted_now
        self._heard, self._changed = heard, changed
        self._client: mqtt.Client | None = None

    def start(self, broker: Broker, config_file: Path) -> None:
        """Connect, now or as soon as the broker is there. Raise BadConfiguration if a certificate cannot be used."""
        self._context, self._broker = tls_context(broker, config_file, self._door), broker
        self._dated_flags = self._context.verify_flags
        threading.Thread(target=self._begin, name="link-start", daemon=True).start()

    def change_certificate(self, certificate: Path, key: Path, left: Callable[[], None]) -> None:
        """Leave without a word and come back with another certificate; `left` is called in between. It waits: not for the loop.

        Raise OSError (ssl.SSLError) if the two do not fit; the line is as it was then.
        """
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(str(certificate), str(key))
        with self._changing:
            if self._closed:
                return
            if self._client is not None:
                self._client.disconnect()
                self._client.loop_stop()
            self._context.load_cert_chain(str(certificate), str(key))
            left()
            if self._client is not None:
                self._connect(self._client)

    def _begin(self) -> None:
        """Load the MQTT library beside the loop, which decides on the first tap meanwhile, and connect."""
        import paho.mqtt.client as mqtt
        from paho.mqtt.enums import CallbackAPIVersion

        with self._changing:
            if self._closed:
                return
            client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self._door, protocol=mqtt.MQTTv5)
            client.on_pre_connect = self._on_pre_connect
            client.on_connect = self._on_connect
            client.on_connect_fail = lambda *_: self._say("the broker cannot be reached")
            client.on_disconnect = self._on_disconnect
            client.on_subscribe = self._on_subscribe
            client.on_publish = self._on_publish
            client.on_message = self._on_message
            client.on_socket_open = self._on_socket_open
            client.reconnect_delay_set(1, 5)
            client.max_inflight_messages_set(50)
            client.tls_set_context(self._context)
            client.will_set(topics.status(self._door), msgspec.json.encode(Status(online=False)), qos=1, retain=True)
            self._client = client
            self._connect(client)

    def _connect(self, client: mqtt.Client) -> None:
        client.connect_async(self._broker.host, self._broker.port, keepalive=15, clean_start=True)
        client.loop_start()

    def send(self, channel: topics.Up, body: object, *, qos: int) -> None:
        """Send, or drop it: before the line is there nothing is to be sent, and all of it is said anew later."""
        if self._client is not None:
            self._client.publish(topics.up(self._door, channel), msgspec.json.encode(body), qos=qos)

    def send_events(self, contents: list[bytes], *, gone: Mapping[str, int] | None = None) -> None:
        """Send journal events as their exact bytes, and up to where those of some journals are no longer here."""
        self.send("events", Events(events=[msgspec.Raw(content) for content in contents], gone=dict(gone or {})), qos=1)

    def publish_status(self, status: Status) -> None:
        if self._client is not None:
            self._client.publish(topics.status(self._door), msgspec.json.encode(status), qos=1, retain=True)

    def date_anew(self) -> None:
        """Once the clock is trusted, break a connection made without it: the next looks at the dates of certificates."""
        if self._undated and self._client is not None and self._trusted_now() is not None:
            opened: Any = self._client.socket()
            if opened is not None:
                self._undated = False
                with suppress(OSError):  # of TLS nothing is taken down here: another thread reads
                    socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def close(self) -> None:
        """Leave so that the broker publishes our last will: the door is offline, however it ended."""
        with self._changing:
            self._closed = True
        if self._client is None:
            return
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.reasoncodes import ReasonCode

        self._client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        self._client.loop_stop()

    def drop(self, cause: str) -> None:
        """Count something that is not obeyed; said once per cause, not once per message."""
        self.counts[cause] += 1
        if self.counts[cause] == 1:
            _log.warning("message dropped", cause=cause)

    def _on_pre_connect(self, _client: mqtt.Client, _data: Any) -> None:
        """Without a trusted clock believe what the hub's own authority signed, whatever dates it bears: else no door whose
        clock is at 1970 could ever tell what happened."""
        undated = self._trusted_now() is None
        self._context.verify_flags = ssl.VerifyFlags(self._dated_flags | (_NO_CHECK_TIME if undated else 0))
        self._undated = undated

    def _on_socket_open(self, _client: mqtt.Client, _data: Any, opened: Any) -> None:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self._say(f"the broker refuses the connection: {reason}")
            return
        client.subscribe(topics.all_down(self._door), qos=1)
        self._say("online")
        self._changed(True)

    def _on_disconnect(self, _client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._say(f"offline: {reason}")
        self._changed(False)

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if any(reason.is_failure for reason in reasons):
            self.drop("subscription_refused")

    def _on_publish(self, _client: mqtt.Client, _data: Any, _mid: int, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            self.drop("publish_refused")

    def _say(self, what: str) -> None:
        """Once for each change: a broker that is away for a week fills no log."""
        if what != self._said:
            self._said = what
            _log.info(what, door=self._door)

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        if message.retain or len(message.payload) > MESSAGE_BYTES_MAX:
            self.drop("retained" if message.retain else "oversized")
            return
        try:
            body = open_envelope(bytes(message.payload), door=self._door, keys=self._keys(), now=self._trusted_now())
        except Rejected as rejected:
            self.drop(rejected.cause)
            return
        self._heard(body)


def tls_context(broker: Broker, config_file: Path, door: DoorId) -> ssl.SSLContext:
    """Return what TLS needs, from files beside the settings. Raise BadConfiguration: which setting, which file, why."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca, certificate, key = (config_file.parent / name for name in (broker.ca, broker.certificate, broker.key))
    try:
        context.load_verify_locations(cafile=str(ca))
    except (OSError, ssl.SSLError) as error:
        raise BadConfiguration(f"{config_file}: broker.ca is {broker.ca!r}, which cannot be used: {_why(error)}") from None
    try:
        context.load_cert_chain(str(certificate), str(key))
        made_out_to = _common_name(certificate.read_bytes())
    except (OSError, ssl.SSLError, ValueError) as error:
        pair = f"broker.certificate is {broker.certificate!r} and broker.key is {broker.key!r}"
        raise BadConfiguration(f"{config_file}: {pair}, which cannot be used together: {_why(error)}") from None
    if made_out_to != door:
        found = f"broker.certificate is {broker.certificate!r}, made out to {made_out_to!r}"
        raise BadConfiguration(f"{config_file}: {found}; it must be made out to this door, {door!r}")
    return context


def _common_name(certificate: bytes) -> str:
    names = load_pem_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return ", ".join(str(name.value) for name in names)


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
