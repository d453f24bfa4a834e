# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a certificate of the owner's the right one: for this name, with this key, in force now, and known to browsers?"""

from __future__ import annotations

import ssl
import warnings
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from booking_server.errors import Invalid

SOON = timedelta(days=14)


def read_certificate(file: Path, *, host: str, now: datetime) -> list[x509.Certificate]:
    """Return the chain in `file` (PEM), the pages' own first. Raise Invalid unless it is for `host` and in force."""
    try:
        chain = x509.load_pem_x509_certificates(file.read_bytes())
    except OSError as error:
        raise Invalid("certificate", "{file} cannot be read ({why}).", file=file, why=error.strerror) from None
    except ValueError:
        raise Invalid(
            "certificate", "{file} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----).", file=file
        ) from None
    names = _names(chain[0])
    if not any(_fits(name, host) for name in names):
        raise Invalid(
            "certificate",
            "{file} is a certificate for {names}, not for {host}: get one for {host}, or change the address.",
            file=file,
            names=", ".join(names) or "no name",
            host=host,
        )
    _in_force(file, chain[0], now)
    return chain


def check_key(file: Path, certificate: x509.Certificate) -> None:
    """Raise Invalid unless `file` is the certificate's private key, without a password."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise Invalid("key", "{file} cannot be read ({why}).", file=file, why=error.strerror) from None
    except TypeError:
        raise Invalid("key", "{file} has a password, which nobody could type at a start: take it off.", file=file) from None
    except ValueError:
        raise Invalid("key", "{file} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----).", file=file) from None
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise Invalid("key", "{file} is the key of another certificate; give the one that belongs to yours.", file=file)


def warnings_of(chain: list[x509.Certificate], *, host: str, now: datetime) -> list[str]:
    """Return what is odd: it ends soon, or nobody whom this machine knows stands behind it."""
    odd = []
    ends = chain[0].not_valid_after_utc
    if ends - now < SOON:
        odd.append(f"The certificate ends on {ends:%Y-%m-%d}: have the next one ready.")
    try:
        verifier = PolicyBuilder().store(Store(_known_roots())).time(now).build_server_verifier(_subject(host))
        verifier.verify(chain[0], chain[1:])
    except (VerificationError, ValueError):
        odd.append(
            "No authority that this machine knows stands behind the certificate: browsers warn unless they were given yours,"
            " or the file lacks the certificates between (give the full chain)."
        )
    return odd


def _known_roots() -> list[x509.Certificate]:
    context = ssl.create_default_context()
    with warnings.catch_warnings(category=CryptographyDeprecationWarning, action="ignore"):  # about what Debian ships
        return [x509.load_der_x509_certificate(der) for der in context.get_ca_certs(binary_form=True)]


def _subject(host: str) -> x509.DNSName | x509.IPAddress:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]


def _fits(name: str, host: str) -> bool:
    """A star stands for one part of a name, the first."""
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:].lower()
    return name.lower() == host


def _in_force(file: Path, certificate: x509.Certificate, now: datetime) -> None:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= ends:
        raise Invalid("certificate", "{file} ended on {ends:%Y-%m-%d}: get a new one.", file=file, ends=ends)
    if now < begins:
        raise Invalid(
            "certificate",
            "{file} begins on {begins:%Y-%m-%d %H:%M} UTC and the clock here says {now:%Y-%m-%d %H:%M}: is it right?",
            file=file,
            begins=begins,
            now=now,
        )
