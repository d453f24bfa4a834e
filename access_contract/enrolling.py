# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a new box and the hub's server come to trust each other without a secret, by a short code that people compare.

Each commits to a nonce before it sees the other's, so whoever stands in between, with keys or an authority of its own, has one
try in a million for each enrolment that it begins. Only the code makes what is delivered believable; TLS here hides, and proves
nothing. Pure: no clock, no I/O, no randomness.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

CODE_CONTEXT, PACKAGE_CONTEXT, RENEWAL_CONTEXT = b"hubkey/v1/enrol\x00", b"hubkey/v1/enrolled\x00", b"hubkey/v1/renew\x00"
NONCE_BYTES = DIGEST_BYTES = SEALING_KEY_BYTES = 32
CODE_DIGITS = 6
LAPSE_SECONDS = 15 * 60
"""How long an enrolment waits for people, from the box's first word."""

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class BadWord(ValueError):
    """What the other side said does not fit what it said before; `field` names what is wrong, the message says how."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


# --- what is said, as JSON over HTTPS --------------------------------------------------------------------------------


class _Word(msgspec.Struct, frozen=True, kw_only=True):
    v: Literal[1] = 1


class Asked(_Word, frozen=True, kw_only=True):
    """The box's first word: its P-256 key (SubjectPublicKeyInfo, DER), its X25519 key (raw), and its commitment."""

    signing_key: bytes
    sealing_key: bytes
    commitment: bytes
    hardware: str = ""


class Offered(_Word, frozen=True, kw_only=True):
    """The server's answer: how to speak of this enrolment, the hub's authority (certificate, DER), and its commitment."""

    enrolment: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
    authority: bytes
    commitment: bytes


class Revealed(_Word, frozen=True, kw_only=True):
    """The nonce behind a commitment: the box's first, then the server's."""

    nonce: bytes


class Standing(_Word, frozen=True, kw_only=True):
    """How an enrolment stands. Approved, `package` is sealed to the box and `signature` is the authority's."""

    state: Literal["waiting", "approved", "refused", "lapsed"]
    package: bytes | None = None
    signature: bytes | None = None


class Refusal(_Word, frozen=True, kw_only=True):
    """Why the server takes nothing on: one sentence, and the field that it is about."""

    error: str
    field: str = ""


class Delivered(_Word, frozen=True, kw_only=True):
    """All that makes a box the door: PEM texts, the door's tag key, where the broker is, and settings for a new door.toml."""

    door: str
    name: str
    certificate: str
    authority: str
    signing_keys: dict[str, str]
    sealing_key: str
    tag_key: bytes
    broker_host: str
    broker_port: Annotated[int, msgspec.Meta(ge=1, le=65535)]
    access_points: list[str]
    settings: str


# --- the code ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """All that was said, as one side heard it. A stranger in between makes the two sides' differ."""

    signing_key: bytes
    sealing_key: bytes
    authority: bytes
    box_nonce: bytes
    server_nonce: bytes

    def digest(self) -> bytes:
        """Return the SHA-256 (32 bytes) over the context and all parts, each after its length (4 bytes, big-endian)."""
        parts = (self.signing_key, self.sealing_key, self.authority, self.box_nonce, self.server_nonce)
        return hashlib.sha256(CODE_CONTEXT + b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()

    def code(self) -> str:
        """Return the six digits that people compare: the digest's first eight bytes, big-endian, modulo a million."""
        return f"{int.from_bytes(self.digest()[:8], 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def spaced(code: str) -> str:
    """Return a code as it is shown: "123 456"."""
    return f"{code[:3]} {code[3:]}"


def commitment(nonce: bytes) -> bytes:
    """Return the SHA-256 of a nonce, which tells nothing of it and fits no other."""
    return hashlib.sha256(nonce).digest()


def check_nonce(nonce: bytes, committed: bytes) -> None:
    """Raise BadWord unless `nonce` is the one that was committed to."""
    if len(nonce) != NONCE_BYTES or commitment(nonce) != committed:
        raise BadWord("nonce", "The nonce is not the one that was committed to.")


def check_asked(asked: Asked) -> None:
    """Raise BadWord if a key or the commitment cannot be one."""
    signing_key(asked.signing_key)
    if len(asked.commitment) != DIGEST_BYTES:
        raise BadWord("commitment", "The commitment must be the 32 bytes of a SHA-256.")
    try:
        _SUITE.encrypt(b"", X25519PublicKey.from_public_bytes(asked.sealing_key))  # finds keys to which nothing can be sealed
    except ValueError:
        raise BadWord("sealing_key", "The sealing key must be the 32 bytes of a public X25519 key.") from None


def signing_key(der: bytes) -> ec.EllipticCurvePublicKey:
    """Return the P-256 key in a SubjectPublicKeyInfo. Raise BadWord."""
    try:
        key = load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadWord("signing_key", "The signing key must be a public P-256 key (SubjectPublicKeyInfo, DER).")
    return key


def check_offered(offered: Offered) -> None:
    """Raise BadWord if the authority's certificate or the commitment cannot be one."""
    _authority_key(offered.authority)
    if len(offered.commitment) != DIGEST_BYTES:
        raise BadWord("commitment", "The commitment must be the 32 bytes of a SHA-256.")


# --- what is delivered -------------------------------------------------------------------------------------------------


def seal_delivery(
    delivered: Delivered, *, box_key: bytes, exchange: Exchange, authority_key: ec.EllipticCurvePrivateKey
) -> tuple[bytes, bytes]:
    """Return the package, readable by the box alone, and the authority's signature on it; both good in this exchange only."""
    package = bytes(_SUITE.encrypt(msgspec.json.encode(delivered), X25519PublicKey.from_public_bytes(box_key), _info(exchange)))
    return package, authority_key.sign(_info(exchange) + package, ec.ECDSA(hashes.SHA256()))


def open_delivery(package: bytes, signature: bytes, *, box_key: X25519PrivateKey, exchange: Exchange) -> Delivered:
    """Return what the authority of this very exchange delivered to the holder of `box_key`. Raise BadWord."""
    try:
        _authority_key(exchange.authority).verify(signature, _info(exchange) + package, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise BadWord("signature", "What was delivered is not signed by the authority that the code stands for.") from None
    try:
        return msgspec.json.decode(_SUITE.decrypt(package, box_key, _info(exchange)), type=Delivered)
    except (InvalidTag, ValueError) as error:  # msgspec's errors are ValueErrors
        raise BadWord("package", "What was delivered cannot be read by this box.") from error


def _info(exchange: Exchange) -> bytes:
    return PACKAGE_CONTEXT + exchange.digest()


def _authority_key(der: bytes) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_x509_certificate(der).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidVersion):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadWord("authority", "The authority must be a certificate (DER) with an elliptic-curve key.")
    return key
