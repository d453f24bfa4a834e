# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hub's own certificate authority: the broker, each server process and each door has one certificate, named by itself.

A private key is written once, readable by its owner alone. What is there and good is kept. A revoked certificate stays revoked:
its serial stands in the revocation list until the authority itself ends.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from access_contract.topics import is_door_id
from booking_server.broker.writing import OPEN, SECRET, alone, write
from booking_server.clock import SystemClock
from booking_server.config import BadConfiguration

BEGINS = datetime(2020, 1, 1, tzinfo=UTC)
"""Long past, so that a machine whose clock is not set yet believes certificates and list all the same."""
AUTHORITY_YEARS = 25
"""What nothing renews by itself lasts as long as the authority: a door by `door-files`, the broker, a server process."""
ENROLLED_LIFE = timedelta(days=90)
"""How long the certificate of an enrolled box lasts; it asks for the next one by itself when a third of this is left."""
PAGES_LIFE = timedelta(days=800)
"""How long the pages' own certificate lasts: some tablets take no longer one, even of an authority they were given."""
BRIEF = timedelta(hours=1)


def authority_folder(state_folder: Path) -> Path:
    """Return where the authority's certificate, key and records lie; made at the first call."""
    folder = state_folder / "authority"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / "ca.pem").exists():  # written last
        with alone(folder):
            if not (folder / "ca.pem").exists():
                _make_authority(folder)
    return folder


def issue(state_folder: Path, name: str) -> Path:
    """Return the folder with certificate.pem, key.pem and ca.pem of the server process `name`.

    Made at the first call, and anew where the certificate was revoked or is of another authority.
    """
    folder = state_folder / "identities" / name
    if not _is_good(state_folder, folder / "certificate.pem"):
        issue_to(state_folder, name, folder)
    return folder


def issue_to(state_folder: Path, name: str, folder: Path) -> str:
    """Write a new certificate for the client `name` (its common name), its key and ca.pem into `folder`; return its serial."""
    made = _issue_client(state_folder, name, folder)
    _record(state_folder, name, made)
    return f"{made.serial_number:x}"


def issue_for(state_folder: Path, name: str, key: ec.EllipticCurvePublicKey, *, now: datetime) -> x509.Certificate:
    """Return a new certificate for the client `name`, whose private key was made elsewhere and stays there."""
    until = max(now, SystemClock().now()) + ENROLLED_LIFE  # TLS asks the machine's clock, a demo's door its turned one
    made = _sign(state_folder, name, key, ExtendedKeyUsageOID.CLIENT_AUTH, until=until)
    _record(state_folder, name, made)
    return made


def issue_briefly(state_folder: Path, name: str, folder: Path) -> None:
    """Write what `issue_to` writes, good for an hour and on no record: for the server itself, to throw away after use."""
    _issue_client(state_folder, name, folder, until=SystemClock().now() + BRIEF)


def issue_broker(state_folder: Path, folder: Path, *, host: str, known_as: str = "") -> None:
    """Write the broker's certificate for its names and this machine into `folder`; anew only where these changed."""
    file, names = folder / "broker.pem", _alternatives(host, known_as)
    if _is_good(state_folder, file) and _alternatives_of(file) == names:
        return
    key = ec.generate_private_key(ec.SECP256R1())
    made = _sign(state_folder, "broker", key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, names=names)
    file.unlink(missing_ok=True)  # never a certificate beside another's key
    _write_key(folder / "broker.key", key)
    write(file, _pem(made), mode=OPEN)


def issue_pages(state_folder: Path, folder: Path, *names: str) -> tuple[Path, Path]:
    """Return the files of the pages' certificate and key for these names and this machine; anew where it nears its end."""
    file, key_file, wanted = folder / "pages.pem", folder / "pages.key", _alternatives(*names)
    if _is_good(state_folder, file) and _alternatives_of(file) == wanted and _left(file) > PAGES_LIFE / 4:
        return file, key_file
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    until = SystemClock().now() + PAGES_LIFE
    made = _sign(state_folder, "pages", key.public_key(), ExtendedKeyUsageOID.SERVER_AUTH, names=wanted, until=until)
    file.unlink(missing_ok=True)  # never a certificate beside another's key
    _write_key(key_file, key)
    write(file, _pem(made), mode=OPEN)
    return file, key_file


def has_authority(state_folder: Path) -> bool:
    """True if the hub's authority lies in this folder; it is not made."""
    return (state_folder / "authority" / "ca.key").exists()


def authority(state_folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the authority's certificate and key. Raise BadConfiguration."""
    return _load(authority_folder(state_folder))


def certificates(state_folder: Path, name: str) -> list[x509.Certificate]:
    """Return the certificates of `name` that a broker would let in now: issued, not revoked, not over."""
    folder, now = authority_folder(state_folder), SystemClock().now()
    serials = set(_issued(folder, name)) - _revoked(folder).keys()
    found = (x509.load_pem_x509_certificate((folder / "issued" / f"{name}.{serial}.pem").read_bytes()) for serial in serials)
    return [certificate for certificate in found if certificate.not_valid_after_utc > now]


def issued_serials(state_folder: Path, name: str) -> list[str]:
    """Return the serial numbers, in hex, of every certificate that was issued to `name`."""
    return _issued(authority_folder(state_folder), name)


def take_back(state_folder: Path, name: str, content: bytes) -> None:
    """Put a certificate (DER) of `name` on record again, if this very authority signed it; anything else changes nothing."""
    try:
        found = x509.load_der_x509_certificate(content)
        found.verify_directly_issued_by(authority(state_folder)[0])
        names = [one.value for one in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        purposes = list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return
    known = f"{found.serial_number:x}" in _issued(authority_folder(state_folder), name)
    if names == [name] and purposes == [ExtendedKeyUsageOID.CLIENT_AUTH] and is_door_id(name) and not known:
        _record(state_folder, name, found)


def revoke(
    state_folder: Path, name: str, *, now: datetime, serials: Collection[str] | None = None, spared: Collection[str] = ()
) -> None:
    """Revoke these certificates of `name`, or every one that was issued so far but for those `spared`."""
    folder = authority_folder(state_folder)
    with alone(folder):
        these = {*_issued(folder, name)} - {*spared} if serials is None else serials
        new = {serial: {"name": name, "at": now.isoformat()} for serial in these}
        write(folder / "revoked.json", json.dumps({**new, **_revoked(folder)}, indent=1).encode(), mode=SECRET)


def is_revoked(state_folder: Path, name: str) -> bool:
    """True if `name` was issued a certificate and all of its certificates are revoked."""
    folder = authority_folder(state_folder)
    serials = _issued(folder, name)
    return bool(serials) and _revoked(folder).keys() >= set(serials)


def revoked_names(state_folder: Path) -> list[str]:
    """Return the names that have no certificate left that is not revoked."""
    names = {entry["name"] for entry in _revoked(authority_folder(state_folder)).values()}
    return sorted(name for name in names if is_revoked(state_folder, name))


def revocation_list(state_folder: Path) -> bytes:
    """Return the revocation list as PEM. It lasts as long as the authority: outside its time Mosquitto lets nobody in."""
    folder = authority_folder(state_folder)
    certificate, key = _load(folder)
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(BEGINS).next_update(certificate.not_valid_after_utc)
    for serial, entry in _revoked(folder).items():
        one = x509.RevokedCertificateBuilder().serial_number(int(serial, 16))
        builder = builder.add_revoked_certificate(one.revocation_date(datetime.fromisoformat(entry["at"])).build())
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _issued(folder: Path, name: str) -> list[str]:
    """Only what can be a name: anything else would be a pattern that finds other names' certificates."""
    return [file.name.split(".")[1] for file in (folder / "issued").glob(f"{name}.*.pem")] if is_door_id(name) else []


def _record(state_folder: Path, name: str, made: x509.Certificate) -> None:
    issued = authority_folder(state_folder) / "issued"
    issued.mkdir(exist_ok=True, mode=0o700)
    write(issued / f"{name}.{made.serial_number:x}.pem", _pem(made), mode=OPEN)


def _revoked(folder: Path) -> dict[str, dict[str, str]]:
    """Return what was revoked, by serial number in hex: whose, and when."""
    file = folder / "revoked.json"
    if not file.exists():
        return {}
    found: dict[str, dict[str, str]] = json.loads(file.read_text(encoding="utf-8"))
    return found


def _make_authority(folder: Path) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Hubkey authority")
    until = SystemClock().now() + timedelta(days=365 * AUTHORITY_YEARS)  # TLS asks the machine's clock, never a turned one
    builder = _builder(name, name, key.public_key(), until=until)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    _write_key(folder / "ca.key", key)
    write(folder / "ca.pem", _pem(builder.sign(key, hashes.SHA256())), mode=OPEN)


def _issue_client(state_folder: Path, name: str, folder: Path, *, until: datetime | None = None) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    made = _sign(state_folder, name, key.public_key(), ExtendedKeyUsageOID.CLIENT_AUTH, until=until)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / "certificate.pem").unlink(missing_ok=True)  # never a certificate beside another's key
    _write_key(folder / "key.pem", key)
    write(folder / "ca.pem", (authority_folder(state_folder) / "ca.pem").read_bytes(), mode=OPEN)
    write(folder / "certificate.pem", _pem(made), mode=OPEN)
    return made


def _sign(
    state_folder: Path,
    name: str,
    key: ec.EllipticCurvePublicKey,
    purpose: x509.ObjectIdentifier,
    *,
    names: list[x509.GeneralName] | None = None,
    until: datetime | None = None,
) -> x509.Certificate:
    issuer, issuer_key = _load(authority_folder(state_folder))
    ends = issuer.not_valid_after_utc
    builder = _builder(_name(name), issuer.subject, key, until=min(until or ends, ends))
    by = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(by, critical=False)  # Python 3.13 trusts no certificate without it
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, until: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(BEGINS).not_valid_after(until)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _is_good(state_folder: Path, file: Path) -> bool:
    """True if there is a certificate that the present authority signed and did not revoke."""
    if not file.exists():
        return False
    folder = authority_folder(state_folder)
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    try:
        certificate.verify_directly_issued_by(_load(folder)[0])
    except (InvalidSignature, ValueError):
        return False
    return f"{certificate.serial_number:x}" not in _revoked(folder)


def _left(file: Path) -> timedelta:
    return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc - SystemClock().now()


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


def _alternatives(*hosts: str) -> list[x509.GeneralName]:
    """Return the given names, and this machine's own, each once."""
    names = [_alternative(host) for host in (*hosts, "localhost", "127.0.0.1", "::1") if host]
    return list(dict.fromkeys(names))


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _alternatives_of(file: Path) -> list[x509.GeneralName]:
    certificate = x509.load_pem_x509_certificate(file.read_bytes())
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def _load(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        raise BadConfiguration(f"{folder}: the authority cannot be read ({error}); put it back from your backup") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise BadConfiguration(f"{folder}/ca.key: this is not the authority's key; put it back from your backup")
    return certificate, key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write(file, content, mode=SECRET)
