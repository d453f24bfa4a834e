# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the server's word reaches a door past a broker that nobody has to trust: exact bytes, signed, addressed, expiring.

On the wire: 64 bytes of Ed25519 signature (RFC 8032), then the JSON that was signed. The signature covers
"hubkey/v1/down" 00 and those exact bytes; but for the name of the key they are verified before they are parsed, and never
written again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from access_contract.messages import ToDoor
from access_contract.snapshot import Instant
from access_contract.vocabulary import DoorId

CONTEXT = b"hubkey/v1/down\x00"
SIGNATURE_BYTES = 64


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed: for which door, by which key, valid until when, saying what."""

    v: Literal[1] = 1
    key: str
    door: DoorId
    expires_at: Instant
    body: ToDoor


class _Received(msgspec.Struct, frozen=True, kw_only=True):
    v: Literal[1]
    key: str
    door: DoorId
    expires_at: Instant
    body: msgspec.Raw


class Rejected(ValueError):
    """A message that this door must not obey. `cause` is one of CAUSES and is what the door counts."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


CAUSES = ("too_short", "unknown_key", "bad_signature", "malformed", "wrong_door", "expired", "unknown_kind")


class _Address(msgspec.Struct, frozen=True):
    key: str


def seal(body: ToDoor, *, door: DoorId, key_id: str, key: Ed25519PrivateKey, expires_at: datetime) -> bytes:
    """Return the bytes to publish to `door`, valid until `expires_at`."""
    content = msgspec.json.encode(Envelope(key=key_id, door=door, expires_at=expires_at, body=body))
    return key.sign(CONTEXT + content) + content


def open_envelope(message: bytes, *, door: DoorId, keys: Mapping[str, Ed25519PublicKey], now: datetime | None) -> ToDoor:
    """Return the body if it is signed by one of `keys`, meant for `door` and not expired at `now`; else raise Rejected.

    `keys` holds the current key and, in a rotation, the next. `now` is None while the door's clock is untrusted: then
    only what names a fresh ask or nonce may be obeyed, and expiry is not judged here.
    """
    signature, content = message[:SIGNATURE_BYTES], message[SIGNATURE_BYTES:]
    if len(signature) < SIGNATURE_BYTES or not content:
        raise Rejected("too_short")
    _verify(signature, content, keys)
    try:
        envelope = msgspec.json.decode(content, type=_Received)
    except msgspec.DecodeError:
        raise Rejected("malformed") from None
    if envelope.door != door:
        raise Rejected("wrong_door")
    if now is not None and now >= envelope.expires_at:
        raise Rejected("expired")
    return _body(envelope.body)


def _body(content: msgspec.Raw) -> ToDoor:
    try:
        body: ToDoor = msgspec.json.decode(content, type=ToDoor)
    except msgspec.DecodeError as error:
        raise Rejected("unknown_kind" if "Invalid value" in str(error) and "kind" in str(error) else "malformed") from None
    return body


def _verify(signature: bytes, content: bytes, keys: Mapping[str, Ed25519PublicKey]) -> None:
    try:
        address = msgspec.json.decode(content, type=_Address)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Rejected("malformed") from None
    if address.key not in keys:
        raise Rejected("unknown_key")
    try:
        keys[address.key].verify(signature, CONTEXT + content)
    except InvalidSignature:
        raise Rejected("bad_signature") from None
