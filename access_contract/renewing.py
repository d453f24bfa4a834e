# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a door proves that it may have its next certificate: with the key of the one that it has. Pure.

A box whose certificate was taken away gets no other one, though its line may still stand.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    Certificate,
    CertificateSigningRequestBuilder,
    InvalidVersion,
    Name,
    NameAttribute,
    load_der_x509_csr,
)
from cryptography.x509.oid import NameOID

from access_contract.enrolling import RENEWAL_CONTEXT
from access_contract.messages import Renew
from access_contract.vocabulary import DoorId


class NotProven(ValueError):
    """A request that this door may not make."""


def renewal(door: DoorId, *, new: ec.EllipticCurvePrivateKey, has: Certificate, key: ec.EllipticCurvePrivateKey) -> Renew:
    """Return the request of `door`, which has the certificate `has` with its `key`, for one with the key `new`."""
    builder = CertificateSigningRequestBuilder(Name([NameAttribute(NameOID.COMMON_NAME, door)]))
    csr = builder.sign(new, hashes.SHA256()).public_bytes(Encoding.DER)
    signature = key.sign(RENEWAL_CONTEXT + csr, ec.ECDSA(hashes.SHA256()))
    serial, certificate = f"{has.serial_number:x}", has.public_bytes(Encoding.DER)
    return Renew(csr=csr, serial=serial, signature=signature, certificate=certificate)


def proven_key(body: Renew, door: DoorId, has: Certificate) -> ec.EllipticCurvePublicKey:
    """Return the key that the next certificate is for, if the holder of `has` asks for his own name. Raise NotProven."""
    key, (new, names) = has.public_key(), _requested(body.csr)
    if not isinstance(key, ec.EllipticCurvePublicKey) or names != [door]:
        raise NotProven("asks for another name")
    if not isinstance(new, ec.EllipticCurvePublicKey) or not isinstance(new.curve, ec.SECP256R1) or new == key:
        raise NotProven("brings no new P-256 key")
    try:
        key.verify(body.signature, RENEWAL_CONTEXT + body.csr, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise NotProven("does not hold the certificate that it names") from None
    return new


def _requested(content: bytes) -> tuple[CertificatePublicKeyTypes, list[str | bytes]]:
    """Return the key and the common names of a request that its own key signed. What is malformed may show at any of these."""
    try:
        csr = load_der_x509_csr(content)
        signed, key = csr.is_signature_valid, csr.public_key()
        names = [attribute.value for attribute in csr.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidVersion):
        raise NotProven("is no request") from None
    if not signed:
        raise NotProven("does not hold the new key")
    return key, names
