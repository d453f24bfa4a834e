# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do both sides of an enrolment get one code, does any other word make another, and is what is delivered bound to it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from access_contract import enrolling as e

VECTOR = e.Exchange(
    signing_key=b"\x01" * 91,
    sealing_key=b"\x02" * 32,
    authority=b"\x03" * 400,
    box_nonce=b"\x04" * 32,
    server_nonce=b"\x05" * 32,
)
BOX = X25519PrivateKey.from_private_bytes(bytes(range(32)))
AUTHORITY = ec.derive_private_key(1234567, ec.SECP256R1())


def authority(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hubkey authority")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


AUTHORITY_DER = authority(AUTHORITY)


def exchange() -> e.Exchange:
    return replace(VECTOR, sealing_key=BOX.public_key().public_bytes_raw(), authority=AUTHORITY_DER)


def delivered(**more: object) -> e.Delivered:
    said: dict[str, object] = {
        "door": "front", "name": "Front", "certificate": "C", "authority": "A", "signing_keys": {"k1": "K"}, "sealing_key": "S",
        "tag_key": b"t" * 32, "broker_host": "hub.example.org", "broker_port": 8883, "access_points": ["in"], "settings": "",
    }  # fmt: skip
    return e.Delivered(**{**said, **more})  # type: ignore[arg-type]


def asked(**more: object) -> e.Asked:
    said: dict[str, object] = {
        "signing_key": AUTHORITY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "sealing_key": BOX.public_key().public_bytes_raw(),
        "commitment": e.commitment(b"n" * 32),
    }
    return e.Asked(**{**said, **more})  # type: ignore[arg-type]


def test_the_code_is_that_of_the_protocol() -> None:
    """The vector that docs/protocol.md prints: another door computes the same digest and code."""
    assert VECTOR.digest().hex() == "c5275f7311b5aa66c5f60d3ace9acf782495cb058f9d4b4538834aa96ea924e8"
    assert VECTOR.code() == "515046"
    assert e.spaced(VECTOR.code()) == "515 046"


@pytest.mark.parametrize("part", ["signing_key", "sealing_key", "authority", "box_nonce", "server_nonce"])
def test_every_word_counts(part: str) -> None:
    """One byte more or another byte in any part is another digest; none can be moved from one part into its neighbour."""
    content = getattr(VECTOR, part)
    for other in (content + b"\x00", content[:-1], b"\xff" + content[1:]):
        assert replace(VECTOR, **{part: other}).digest() != VECTOR.digest()
    moved = replace(VECTOR, signing_key=VECTOR.signing_key + b"\x02", sealing_key=VECTOR.sealing_key[1:])
    assert moved.digest() != VECTOR.digest()


def test_a_nonce_fits_its_own_commitment_only() -> None:
    """A nonce is accepted if it is the one committed to, whole, and no other."""
    e.check_nonce(b"n" * 32, e.commitment(b"n" * 32))
    for nonce in (b"m" * 32, b"n" * 31, b""):
        with pytest.raises(e.BadWord, match="committed"):
            e.check_nonce(nonce, e.commitment(b"n" * 32))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signing_key", b""),
        ("signing_key", b"\x30\x59"),
        ("signing_key", ec.generate_private_key(ec.SECP384R1()).public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        ("signing_key", bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030177034200") + b"\x04" * 65),
        ("signing_key", BOX.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),
        ("sealing_key", b""),
        ("sealing_key", b"\x01" * 31),
        ("sealing_key", bytes(32)),
        ("commitment", b"\x01" * 31),
    ],
)  # fmt: skip
def test_a_bad_word_is_named(field: str, value: bytes) -> None:
    """Not a key, of another curve, one to which nothing can be sealed, or no commitment: refused, and the field is said."""
    e.check_asked(asked())
    with pytest.raises(e.BadWord) as raised:
        e.check_asked(asked(**{field: value}))
    assert raised.value.field == field


def test_what_is_delivered_reaches_that_box_alone() -> None:
    """The box opens it; another box, another exchange, another authority or a changed byte opens nothing."""
    package, signature = e.seal_delivery(
        delivered(), box_key=exchange().sealing_key, exchange=exchange(), authority_key=AUTHORITY
    )
    assert e.open_delivery(package, signature, box_key=BOX, exchange=exchange()) == delivered()
    with pytest.raises(e.BadWord, match="read"):
        e.open_delivery(package, signature, box_key=X25519PrivateKey.generate(), exchange=exchange())
    stranger = replace(exchange(), authority=authority(ec.generate_private_key(ec.SECP256R1())))
    for other in (stranger, replace(exchange(), box_nonce=b"x" * 32)):
        with pytest.raises(e.BadWord, match="signed"):
            e.open_delivery(package, signature, box_key=BOX, exchange=other)
    for broken in (package[:-1], bytes([package[0] ^ 1]) + package[1:], b""):
        with pytest.raises(e.BadWord, match="signed"):
            e.open_delivery(broken, signature, box_key=BOX, exchange=exchange())


def test_the_authority_must_be_one() -> None:
    """What is offered as the authority is a certificate with an elliptic-curve key, or it is refused."""
    e.check_offered(e.Offered(enrolment="0" * 32, authority=AUTHORITY_DER, commitment=b"c" * 32))
    for content, committed, field in ((b"", b"c" * 32, "authority"), (AUTHORITY_DER, b"", "commitment")):
        with pytest.raises(e.BadWord) as raised:
            e.check_offered(e.Offered(enrolment="0" * 32, authority=content, commitment=committed))
        assert raised.value.field == field
