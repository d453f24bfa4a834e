# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door obeys: only exact bytes, signed by a known key, for itself, and in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from access_contract import envelope
from access_contract.messages import Answer
from access_contract.vocabulary import DoorId

NOW = datetime(2026, 1, 31, 7, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
NEXT = Ed25519PrivateKey.generate()
KEYS = {"k1": KEY.public_key(), "k2": NEXT.public_key()}
DOOR = DoorId("kitchen")
BODY = Answer(ask="a1", granted=True, cause="grant:1")


def sealed(**changes: object) -> bytes:
    wanted = {"door": DOOR, "key_id": "k1", "key": KEY, "expires_at": NOW + timedelta(seconds=5)} | changes
    return envelope.seal(BODY, **wanted)  # type: ignore[arg-type]


def cause_of(message: bytes, now: datetime | None = NOW) -> str:
    with pytest.raises(envelope.Rejected) as rejected:
        envelope.open_envelope(message, door=DOOR, keys=KEYS, now=now)
    return rejected.value.cause


def test_body_arrives_as_it_was_sealed() -> None:
    """What the server seals is what its door reads."""
    assert envelope.open_envelope(sealed(), door=DOOR, keys=KEYS, now=NOW) == BODY


def test_next_key_is_accepted_in_a_rotation() -> None:
    """A door obeys the current and the next key alike."""
    assert envelope.open_envelope(sealed(key_id="k2", key=NEXT), door=DOOR, keys=KEYS, now=NOW) == BODY


def test_every_flipped_bit_is_refused() -> None:
    """No single flipped bit, in signature or content, is obeyed."""
    message = sealed()
    for position in range(len(message)):
        broken = message[:position] + bytes([message[position] ^ 1]) + message[position + 1 :]
        assert cause_of(broken) in {"bad_signature", "malformed", "unknown_key"}


def test_wrong_key_other_door_late_and_short_are_refused_by_name() -> None:
    """Each way of being wrong has its own name, for the door to count."""
    assert cause_of(sealed(key=NEXT)) == "bad_signature"
    assert cause_of(sealed(key_id="k9")) == "unknown_key"
    assert cause_of(sealed(door=DoorId("lab"))) == "wrong_door"
    assert cause_of(sealed(expires_at=NOW)) == "expired"
    assert cause_of(b"x" * 64) == "too_short"


def test_unknown_kind_is_named_not_obeyed() -> None:
    """A signed message of a later version is counted as unknown and does nothing."""
    content = msgspec.json.encode(
        {"v": 1, "key": "k1", "door": DOOR, "expires_at": NOW + timedelta(seconds=5), "body": {"kind": "self_destruct"}}
    )
    assert cause_of(KEY.sign(envelope.CONTEXT + content) + content) == "unknown_kind"


def test_what_a_broker_makes_up_is_refused_however_deep() -> None:
    """Without the server's key nobody ends the thread that listens, not even by a thousand brackets."""
    for content in (b"[" * 30_000, b'{"key":"k1","body":' + b"[" * 30_000, b'{"key":7}', b"\xff", b'{"key":"\xed\xa0\x80"}'):
        assert cause_of(b"\0" * envelope.SIGNATURE_BYTES + content) == "malformed"
