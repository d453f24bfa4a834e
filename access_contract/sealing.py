# SPDX-License-Identifier: AGPL-3.0-or-later
"""A tag number on its way from a door to the server, readable by the server alone: not by the broker, not by other doors.

HPKE, RFC 9180, base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. `info` is "hubkey/v1/number" 00, the
door's id, 00, and what it is for: "ask:" or "captured:" and the identifier, so that no broker can make one of the other. The
wire bytes are enc (32 bytes) followed by the ciphertext.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from access_contract.vocabulary import DoorId, InvalidTagNumber, TagNumber

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class Unsealable(ValueError):
    """Sealed bytes that are not for this key, not from this door, or not a tag number."""


def seal_number(number: TagNumber, *, door: DoorId, about: str, server_key: X25519PublicKey) -> bytes:
    """Return `number` sealed by `door` to the server, for one ask ("ask:" and its identifier) or capture ("captured:" ...)."""
    return bytes(_SUITE.encrypt(number.uid, server_key, _info(door, about)))


def unseal_number(sealed: bytes, *, door: DoorId, about: str, server_key: X25519PrivateKey) -> TagNumber:
    """Return the number that `door` sealed for this very ask or capture. Raise Unsealable."""
    try:
        return TagNumber(bytes(_SUITE.decrypt(sealed, server_key, _info(door, about))))
    except (InvalidTag, ValueError, InvalidTagNumber) as error:
        raise Unsealable("sealed tag number cannot be read") from error


def _info(door: DoorId, about: str) -> bytes:
    return b"hubkey/v1/number\x00" + door.encode() + b"\x00" + about.encode()
