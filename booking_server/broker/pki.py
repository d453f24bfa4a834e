# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub's own certificate authority: the broker, each server process and each door has one certificate, named by itself.

A private key is written once, readable by its owner alone. What is there is kept. A revoked certificate stays revoked: its
serial stands in the revocation list until the authority itself ends.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from booking_server.clock import SystemClock
from booking_server.config import BadConfiguration

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
"""Long past, so that a Pi whose clock is not set yet still believes the broker."""
AUTHORITY_YEARS, CERTIFICATE_YEARS = 25, 5
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Authority:
    """The folder that holds the authority: certificate, key, and what it revoked."""

    folder: Path

    @property
    def certificate_file(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def revoked_file(self) -> Path:
        return self.folder / "revoked.json"


def authority(state_folder: Path) -> Authority:
    """Return the hub's authority below `state_folder`; made at the first call."""
    found = Authority(state_folder / "authority")
    found.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not found.certificate_file.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("Hubkey authority")
        builder = _builder(name, name, key.public_key(), years=AUTHORITY_YEARS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
        _write_key(found.folder / "ca.key", key)
        _write(found.certificate_file, _pem(builder.sign(key, hashes.SHA256())), mode=0o644)
    return found


def issue(state_folder: Path, name: str) -> Path:
    """Return the folder with certificate.pem, key.pem and ca.pem of the server process `name`; made at the first call."""
    folder = state_folder / "identities" / name
    if not (folder / "certificate.pem").exists():
        issue_to(state_folder, name, folder)
    return folder


def issue_to(state_folder: Path, name: str, folder: Path) -> None:
    """Write a new certificate for the client `name` (its common name), its key and ca.pem into `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    made = _issued(state_folder, name, key, ExtendedKeyUsageOID.CLIENT_AUTH)
    folder.mkdir(parents=True, exist_ok=True)
    _write_key(folder / "key.pem", key)
    _write(folder / "ca.pem", authority(state_folder).certificate_file.read_bytes(), mode=0o644)
    _write(folder / "certificate.pem", _pem(made), mode=0o644)
    issued = state_folder / "authority" / "issued"
    issued.mkdir(exist_ok=True, mode=0o700)
    _write(issued / f"{name}.{made.serial_number:x}.pem", _pem(made), mode=0o644)


def issue_broker(state_folder: Path, folder: Path, *, host: str) -> None:
    """Write the broker's certificate for `host` and this machine into `folder`, anew only where the host changed."""
    file = folder / "broker.pem"
    names = _alternatives(host)
    if file.exists() and _alternatives_of(file) == names:
        return
    key = ec.generate_private_key(ec.SECP256R1())
    made = _issued(state_folder, "broker", key, ExtendedKeyUsageOID.SERVER_AUTH, names)
    _write_key(folder / "broker.key", key)
    _write(file, _pem(made), mode=0o644)


def revoke(state_folder: Path, name: str, *, now: datetime) -> int:
    """Revoke every certificate that was issued to `name` so far, and return how many that are."""
    revoked = revoked_serials(state_folder)
    files = sorted((state_folder / "authority" / "issued").glob(f"{name}.*.pem"))
    serials = [x509.load_pem_x509_certificate(file.read_bytes()).serial_number for file in files]
    new = {f"{serial:x}": {"name": name, "at": now.isoformat()} for serial in serials}
    _write(authority(state_folder).revoked_file, json.dumps({**new, **revoked}, indent=1).encode(), mode=0o600)
    return len(serials)


def is_revoked(state_folder: Path, name: str) -> bool:
    """True if `name` was issued a certificate and all of its certificates are revoked."""
    files = list((state_folder / "authority" / "issued").glob(f"{name}.*.pem"))
    revoked = revoked_serials(state_folder)
    return bool(files) and all(file.name.split(".")[1] in revoked for file in files)


def revoked_names(state_folder: Path) -> list[str]:
    """Return the names that have no certificate left that is not revoked."""
    names = {entry["name"] for entry in revoked_serials(state_folder).values()}
    return sorted(name for name in names if is_revoked(state_folder, name))


def revoked_serials(state_folder: Path) -> dict[str, dict[str, str]]:
    """Return what was revoked, by serial number in hex: whose, and when."""
    file = authority(state_folder).revoked_file
    if not file.exists():
        return {}
    found: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def revocation_list(state_folder: Path, *, now: datetime) -> bytes:
    """Return the revocation list as PEM. It lasts as long as the authority: an expired one would lock out every door."""
    certificate, key = _load(authority(state_folder))
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(min(now, certificate.not_valid_after_utc - _YEAR)).next_update(
        certificate.not_valid_after_utc
    )
    for serial, entry in revoked_serials(state_folder).items():
        one = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
        builder = builder.add_revoked_certificate(one.revocation_date(datetime.fromisoformat(entry["at"])).build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _issued(
    state_folder: Path,
    name: str,
    key: ec.EllipticCurvePrivateKey,
    purpose: x509.ObjectIdentifier,
    names: list[x509.GeneralName] | None = None,
) -> x509.Certificate:
    issuer, issuer_key = _load(authority(state_folder))
    builder = _builder(_name(name), issuer.subject, key.public_key(), years=CERTIFICATE_YEARS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, years: int) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BEGINS)
    return builder.not_valid_after(SystemClock().now() + years * _YEAR)  # TLS asks the machine's clock, never a turned one


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternatives(host: str) -> list[x509.GeneralName]:
    try:
        own: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        own = x509.DNSName(host)
    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1")), x509.IPAddress(ip_address("::1"))]
    return [own, *(one for one in here if one != own)]


def _alternatives_of(file: Path) -> list[x509.GeneralName]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _load(found: Authority) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(found.certificate_file.read_bytes())
        key = serialization.load_pem_private_key((found.folder / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise BadConfiguration(
            f"{found.folder}: the authority cannot be read ({error}); put it back from your backup"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadConfiguration(f"{found.folder}/ca.key: this is not the authority's key; put it back from your backup")
    return certificate, key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(file, content, mode=0o600)


def _write(file: Path, content: bytes, *, mode: int) -> None:
    """Whole or not at all: a half-written list or key would lock doors out."""
    beside = file.with_name(file.name + ".new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    beside.replace(file)
