# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keeps this door's certificate from ending: asks for the next one in time, with a new key, and tells when that did not help.

The old one stays in force until the broker has let the door in with the new one. An expired certificate ends the line and
nothing else: the door goes on deciding alone. Files are written and the line is changed beside the loop, which never waits.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificate
from cryptography.x509.oid import NameOID

from access_contract.messages import Renew, Renewed
from access_contract.renewing import renewal
from access_contract.vocabulary import DoorId
from door_agent import identity
from door_agent.happenings import Noticed
from door_agent.log import Log

RENEW_BEFORE = timedelta(days=30)
"""A third of an enrolled certificate's 90 days."""
WARN_BEFORE = timedelta(days=14)
ASK_AGAIN_SECONDS = 600.0
TRY_SECONDS = 60.0
"""How long the broker may take to let the door in with the new certificate, before it goes back to the old one."""

_log = Log("certificate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a renewal works with: send to the server, change the line's certificate (`left` is called in between), put something
    into the loop's inbox, and count what is not obeyed. All but `put` may wait."""

    send: Callable[[Renew], None]
    change_line: Callable[[Path, Path, Callable[[], None]], None]
    put: Callable[[Noticed | Callable[[], None]], None]
    drop: Callable[[str], None]


class Renewal:
    """The loop calls it, and it alone changes its own state; work beside the loop reports through the inbox."""

    def __init__(self, door: DoorId, certificate: Path, state_folder: Path, outside: Outside) -> None:
        """`certificate` is the one in use. It is renewed where the box was enrolled; else only its end is told."""
        self._door, self._state_folder, self._outside = door, state_folder, outside
        self._folder = identity.identity_folder(state_folder)
        self._certificate = load_pem_x509_certificate(certificate.read_bytes())
        self._new_key: ec.EllipticCurvePrivateKey | None = None
        self._trying: tuple[Path, Certificate] | None = None
        self._try_until: float | None = None
        self._ask_at = 0.0
        self._due = False
        self._raised: bool | None = None

    @property
    def ends(self) -> datetime:
        """When the certificate in use ends."""
        return self._certificate.not_valid_after_utc

    def look(self, now: datetime | None, monotonic: float, *, link_up: bool) -> None:
        """Do what is due. `now` is None while the clock is not trusted: then nothing is known of the end."""
        if now is None:
            return
        left = self._certificate.not_valid_after_utc - now
        self._tell(left)
        if self._try_until is not None:
            if monotonic >= self._try_until:
                self._go_back()
        elif self._folder is not None and link_up and (self._due or left < RENEW_BEFORE) and monotonic >= self._ask_at:
            self._ask_at = monotonic + ASK_AGAIN_SECONDS
            self._ask(self._folder)

    def tell_again(self) -> None:
        """Ask for the next certificate as soon as may be: a server that was put back may not know the one in use."""
        self._due = True

    def taken(self, body: Renewed, monotonic: float) -> None:
        """Take what the server gave, if it is for the key that was asked with and for this door."""
        certificate = self._fitting(body.certificate)
        if certificate is None or self._folder is None or self._new_key is None or self._try_until is not None:
            self._outside.drop("bad_certificate")
            return
        self._try_until = monotonic + TRY_SECONDS
        files = identity.renewed(self._folder, certificate.public_bytes(Encoding.PEM), _pem(self._new_key))
        _beside(lambda: self._prepare(certificate, files))

    def connected(self) -> None:
        """The line is up. If it came up with the new certificate, that is the one from now on."""
        if self._trying is not None:
            folder, certificate = self._trying
            self._trying = None
            _beside(lambda: self._take_on(folder, certificate))

    # --- on the loop's thread ---

    def _tell(self, left: timedelta) -> None:
        raised = left < WARN_BEFORE
        if raised is not self._raised:
            self._raised = raised
            ends = self._certificate.not_valid_after_utc.date().isoformat()
            self._outside.put(Noticed("certificate_expires", raised, f"it ends on {ends}" if raised else ""))

    def _ask(self, folder: Path) -> None:
        key = self._new_key = self._new_key or ec.generate_private_key(ec.SECP256R1())
        try:
            has = load_pem_private_key((folder / identity.KEY).read_bytes(), password=None)
        except (OSError, ValueError) as error:
            _log.warning("the key cannot be read", door=self._door, why=str(error))
            return
        if isinstance(has, ec.EllipticCurvePrivateKey):
            self._outside.send(renewal(self._door, new=key, has=self._certificate, key=has))

    def _fitting(self, content: bytes) -> Certificate | None:
        try:
            made = load_der_x509_certificate(content)
            authority = load_pem_x509_certificate(((self._folder or Path()) / identity.AUTHORITY).read_bytes())
            made.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature, OSError):
            return None
        names = [name.value for name in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        fits = self._new_key is not None and made.public_key() == self._new_key.public_key() and names == [self._door]
        return made if fits and made.not_valid_after_utc > self._certificate.not_valid_after_utc else None

    def _begin_trying(self, folder: Path, certificate: Certificate) -> None:
        self._trying = (folder, certificate)

    def _go_back(self) -> None:
        """The broker did not let us in, or could not be reached just then: use the old one, and ask again later."""
        self._trying = self._try_until = None
        folder = self._folder
        if folder is not None:
            _log.warning("the new certificate did not work yet", door=self._door)
            _beside(lambda: self._outside.change_line(folder / identity.CERTIFICATE, folder / identity.KEY, lambda: None))

    def _has_taken_on(self, folder: Path, certificate: Certificate) -> None:
        self._folder, self._certificate, self._new_key = folder, certificate, None
        self._try_until, self._due = None, False
        _log.info("certificate renewed", door=self._door, ends=certificate.not_valid_after_utc.isoformat())

    def _failed(self, why: str) -> None:
        self._trying = self._try_until = None
        _log.warning("the new certificate cannot be kept", door=self._door, why=why)

    # --- beside the loop ---

    def _prepare(self, certificate: Certificate, files: dict[str, bytes]) -> None:
        try:
            folder = identity.prepare(self._state_folder, f"{certificate.serial_number:x}", files)
            begin = lambda: self._outside.put(lambda: self._begin_trying(folder, certificate))  # noqa: E731
            self._outside.change_line(folder / identity.CERTIFICATE, folder / identity.KEY, begin)
        except (OSError, ssl.SSLError) as error:
            self._report_failed(str(error))

    def _take_on(self, folder: Path, certificate: Certificate) -> None:
        try:
            identity.take_on(self._state_folder, folder)
        except OSError as error:
            self._report_failed(str(error))
        else:
            self._outside.put(lambda: self._has_taken_on(folder, certificate))

    def _report_failed(self, why: str) -> None:
        self._outside.put(lambda: self._failed(why))


def _beside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="renewal", daemon=True).start()


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
