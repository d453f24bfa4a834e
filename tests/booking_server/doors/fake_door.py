# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door made of the contract and an MQTT client: it says what a test tells it to, and keeps what it hears."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from access_contract import topics
from access_contract.envelope import open_envelope
from access_contract.messages import (
    FIRST_PREVIOUS,
    Acknowledgement,
    Answer,
    Ask,
    Captured,
    Event,
    Events,
    SnapshotDelta,
    SnapshotPart,
    Status,
    ToDoor,
    What,
    event_hash,
)
from access_contract.sealing import seal_number
from access_contract.snapshot import Head, Snapshot, TagRights, Window, decode, digest_of, unpack
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, TagNumber
from booking_server.clock import SystemClock
from booking_server.doors.wire import tls_context
from booking_server.keys import Keys
from tests.system.processes import wait_for

IN = AccessPointId("in")
Body = TypeVar("Body")
_CLOCK = SystemClock()


def changed(held: Snapshot, delta: SnapshotDelta) -> Snapshot:
    """Return what the delta makes of the snapshot; it is what the delta says that it becomes."""
    sets = {name: windows for name, windows in held.window_sets.items() if name not in delta.drop_window_sets}
    tags = {tag: rights for tag, rights in held.tags.items() if tag not in delta.drop_tags}
    sets |= {name: msgspec.json.decode(raw, type=tuple[Window, ...]) for name, raw in delta.put_window_sets.items()}
    tags |= {tag: msgspec.json.decode(raw, type=TagRights) for tag, raw in delta.put_tags.items()}
    head = msgspec.json.decode(delta.head, type=Head)
    told = {name: getattr(head, name) for name in Head.__struct_fields__}
    made = Snapshot(**told, window_sets=sets, tags=tags)
    assert digest_of(made) == delta.digest
    return made


class FakeDoor:
    """Connected while the `with` block lasts."""

    def __init__(self, door: str, port: int, identity: Path, keys: Keys) -> None:
        self.id, self.journal = DoorId(door), secrets.token_hex(8)
        self.heard: list[ToDoor] = []
        self._keys, self._previous, self._sequence = keys, FIRST_PREVIOUS, 0
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=door, protocol=mqtt.MQTTv5)
        self._client.tls_set_context(tls_context(identity))
        self._client.will_set(topics.status(self.id), msgspec.json.encode(Status(online=False)), qos=1, retain=True)
        self._client.on_connect = lambda client, *_: client.subscribe(topics.all_down(self.id), qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)

    # --- what it says ---

    def say(self, channel: topics.Up, body: object, *, retain: bool = False) -> None:
        """Send a message, or bytes as they are."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        self.publish(topics.up(self.id, channel), content, retain=retain)

    def publish(self, topic: str, content: bytes, *, retain: bool = False) -> None:
        self._client.publish(topic, content, qos=1, retain=retain).wait_for_publish(10)

    def report(self, **status: Any) -> str:
        """Say how it is, under a new nonce, and return that."""
        said = self.status(**status)
        self.publish(topics.status(self.id), msgspec.json.encode(said), retain=True)
        assert said.nonce is not None
        return said.nonce

    def status(self, **status: Any) -> Status:
        return Status(online=True, at=_CLOCK.now(), boot="b", nonce=secrets.token_hex(8), **status)

    def ask(self, number: TagNumber, *, name: str | None = None) -> Answer:
        """Ask whether a tag may pass, and return the answer."""
        ask = name or secrets.token_hex(8)
        self.say("ask", self.asking(number, ask))
        return wait_for(lambda: next((a for a in self.of(Answer) if a.ask == ask), None), "an answer")

    def asking(self, number: TagNumber, ask: str) -> Ask:
        return Ask(ask=ask, access_point=IN, sealed=self._sealed(number, f"ask:{ask}"), at=_CLOCK.now())

    def capture(self, capture: str, number: TagNumber) -> None:
        self.say("captured", Captured(capture=capture, sealed=self._sealed(number, f"captured:{capture}")))

    def write(self, what: What) -> bytes:
        """Write an event to its journal and return its bytes."""
        self._sequence += 1
        content = msgspec.json.encode(
            Event(
                journal=self.journal,
                sequence=self._sequence,
                boot="b",
                at=_CLOCK.now(),
                monotonic_ms=self._sequence,
                clock=ClockQuality.SYNCED,
                previous=self._previous,
                what=what,
            )
        )
        self._previous = event_hash(content)
        return content

    def send(self, *events: bytes) -> None:
        self.say("events", Events(events=[msgspec.Raw(event) for event in events]))

    # --- what it hears ---

    def of(self, kind: type[Body]) -> list[Body]:
        return [body for body in list(self.heard) if isinstance(body, kind)]

    def acknowledged(self, times: int = 1) -> Acknowledgement:
        """Wait for so many acknowledgements and return the last."""
        return wait_for(lambda: self.of(Acknowledgement)[times - 1 : times], "an acknowledgement")[0]

    def snapshot(self) -> tuple[Snapshot, str] | None:
        """Return the snapshot that what came makes, whole or as deltas onto it, and its digest."""
        held: tuple[Snapshot, str] | None = None
        parts: dict[int, bytes] = {}
        for body in list(self.heard):
            if isinstance(body, SnapshotPart):
                parts = {**(parts if body.part else {}), body.part: body.content}
                if len(parts) == body.parts:
                    held = decode(unpack(b"".join(parts[number] for number in sorted(parts)))), body.digest
            elif isinstance(body, SnapshotDelta) and held is not None and held[1] == body.from_digest:
                held = changed(held[0], body), body.digest
        return held

    def _message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        assert not message.retain
        self.heard.append(open_envelope(bytes(message.payload), door=self.id, keys=self._keys.public, now=None))

    def _sealed(self, number: TagNumber, about: str) -> bytes:
        return seal_number(number, door=self.id, about=about, server_key=self._keys.current.sealing.public_key())

    def vanish(self) -> None:
        """Lose the network: nothing is said to the broker."""
        opened = self._client.socket()
        assert opened is not None
        self._client.loop_stop()
        opened.close()

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop_stop()
