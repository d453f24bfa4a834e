# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 4 against liars: spoken in the server's place, what was not asked for, is old or is forged opens nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_contract.envelope import seal
from access_contract.messages import Answer, Ask, Open, Status, ToDoor
from access_contract.topics import Down
from access_contract.vocabulary import DoorId
from booking_server.doors.wire import Wire, tls_context
from tests.system.one_door import STRANGER, OneDoor
from tests.system.processes import wait_for

IDENTITY = "server-doors-1"


@dataclass
class Impostor:
    """Speaks in the server's place, with its certificate; hears what the door says of itself."""

    hub: OneDoor
    wire: Wire
    nonces: list[str] = field(default_factory=list)
    snapshots: list[str | None] = field(default_factory=list)
    events: bytes = b""
    answers: Callable[[str], Answer] | None = None

    def heard(self, topic: str, content: bytes, _retained: bool) -> None:  # noqa: FBT001
        if topic.endswith("/status") and (status := msgspec.json.decode(content, type=Status)).nonce:
            self.nonces.append(status.nonce)
            self.snapshots.append(status.snapshot_digest)
        elif topic.endswith("/up/events"):
            self.events += content
        elif topic.endswith("/up/ask") and self.answers:
            self.say("answer", self.sealed(self.answers(msgspec.json.decode(content, type=Ask).ask)))

    def was_done(self, command: str) -> bool:
        """Whether the door has said what became of a command."""
        return f'"command":"{command}"'.encode() in self.events

    def sealed(self, body: ToDoor, *, door: str = "front", own_key: bool = True, stands_seconds: float = 60) -> bytes:
        pair = self.hub.desk.keys.current
        signing = pair.signing if own_key else Ed25519PrivateKey.generate()
        expires_at = self.hub.building.hand.now() + timedelta(seconds=stands_seconds)
        return seal(body, door=DoorId(door), key_id=pair.id, key=signing, expires_at=expires_at)

    def say(self, channel: Down, envelope: bytes) -> None:
        self.wire.send(DoorId("front"), channel, envelope, expiry_seconds=10)

    def command(self, command: str, nonce: str) -> Open:
        return Open(command=command, nonce=nonce, by="impostor")


@contextmanager
def in_place_of_the_server(hub: OneDoor) -> Iterator[Impostor]:
    hub.building.kill_doors()
    wire = Wire(identity=IDENTITY, tls=tls_context(hub.building.state / "identities" / IDENTITY))
    impostor = Impostor(hub, wire)
    wire.start("127.0.0.1", hub.building.broker_port, impostor.heard)
    try:
        wait_for(lambda: wire.subscribed and impostor.nonces, "the broker tells how the door is")
        yield impostor
    finally:
        wire.stop()
        hub.building.start_doors()


def test_law_4_forged_foreign_old_and_unasked_words_open_nothing(hub: OneDoor) -> None:
    """Of many words to open, only the one that is signed, for this door, in time and names its latest nonce opens it, once."""
    since = time.monotonic()
    with in_place_of_the_server(hub) as impostor:
        nonce, good = impostor.nonces[-1], impostor.command
        impostor.say("answer", impostor.sealed(Answer(ask="0" * 32, granted=True, cause="grant:1")))
        impostor.say("command", impostor.sealed(good("forged", nonce), own_key=False))
        impostor.say("command", impostor.sealed(good("foreign", nonce), door="other"))
        impostor.say("command", impostor.sealed(good("old", nonce), stands_seconds=-1))
        impostor.say("command", b"\x00" * 70 + b'{"body":')
        impostor.say("command", b"")
        impostor.say("command", impostor.sealed(good("stale", "0" * 32)))
        wait_for(lambda: impostor.was_done("stale"), "the door says what became of the stale command")
        assert not hub.door.pins.rises("relay", since)
        right = impostor.sealed(good("right", impostor.nonces[-1]))
        impostor.say("command", right)
        hub.relocks(hub.opens(since).at)
        impostor.say("command", right)
        impostor.say("command", impostor.sealed(good("after", nonce)))
        wait_for(lambda: impostor.was_done("after"), "what came after the replay was heard")
        assert len(hub.door.pins.rises("relay", since)) == 1
        for cause in ("bad_signature", "wrong_door", "expired", "malformed", "too_short", "replayed_command"):
            assert f"cause={cause}" in hub.door.said()


def test_law_4_a_replayed_answer_opens_nothing(hub: OneDoor) -> None:
    """An answer that opened the door once, said again at the next tap of a tag that may not pass, leaves it locked."""
    asked: list[str] = []

    def the_first_again(ask: str) -> Answer:
        asked.append(ask)
        return Answer(ask=asked[0], granted=True, cause="grant:1")

    with in_place_of_the_server(hub) as impostor:
        impostor.answers = the_first_again
        first = hub.tap(STRANGER)
        hub.relocks(hub.opens(first).at)
        second = hub.tap(STRANGER)
        hub.refuses(second)
        assert len(set(asked)) == 2
        assert not hub.door.pins.rises("relay", second)
