# SPDX-License-Identifier: AGPL-3.0-or-later
"""A box asks the server to become a door: both sides show a code, people compare, and only then anything is taken on.

Its private keys are made here and never leave. Until somebody at the box has said yes nothing of it is on the disk. Whom it
speaks with is not known from TLS: the code alone tells, so nothing that the server says is believed before.
"""

from __future__ import annotations

import secrets
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from threading import Event
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID

from access_contract.enrolling import (
    LAPSE_SECONDS,
    NONCE_BYTES,
    Asked,
    BadWord,
    Delivered,
    Exchange,
    Offered,
    Refusal,
    Revealed,
    Standing,
    check_nonce,
    check_offered,
    commitment,
    open_delivery,
)
from access_contract.topics import is_door_id
from door_agent.errors import DoorError

POLL_SECONDS = 2.0
_SOCKET_SECONDS = 15.0
_ANSWER_BYTES_MAX = 256 * 1024
_MODEL, _SERIAL = Path("/proc/device-tree/model"), Path("/proc/device-tree/serial-number")
Shape = TypeVar("Shape", bound=msgspec.Struct)


class NotEnrolled(DoorError):
    """Nothing was taken on; the sentence says why and what to do."""


class Box:
    """This box's side of one enrolment. Each is used once: a code that did not fit is never tried again."""

    def __init__(self, server: str, hardware: str) -> None:
        """`server` is an address as `address_of` returns it."""
        self._server, self._hardware = server, hardware
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._sealing = X25519PrivateKey.generate()
        self._enrolment = ""
        self._exchange: Exchange

    @property
    def private_key(self) -> bytes:
        """The key behind the box's certificate, as PEM."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def begin(self) -> str:
        """Exchange commitments and nonces; return the code that both sides show now. Raise NotEnrolled."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        asked = Asked(
            signing_key=self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            sealing_key=self._sealing.public_key().public_bytes_raw(),
            commitment=commitment(nonce),
            hardware=self._hardware,
        )
        offered = self._say("/enrol", asked, Offered)
        try:
            check_offered(offered)
            revealed = self._say(f"/enrol/{offered.enrolment}/nonce", Revealed(nonce=nonce), Revealed)
            check_nonce(revealed.nonce, offered.commitment)
        except BadWord as error:
            raise NotEnrolled(f"{self._server} is not to be trusted: {error}") from None
        self._enrolment = offered.enrolment
        self._exchange = Exchange(
            signing_key=asked.signing_key,
            sealing_key=asked.sealing_key,
            authority=offered.authority,
            box_nonce=nonce,
            server_nonce=revealed.nonce,
        )
        return self._exchange.code()

    def wait(self, *, lapse_seconds: float = LAPSE_SECONDS, poll_seconds: float = POLL_SECONDS) -> Delivered:
        """Return what staff had delivered, to be taken on once somebody here has said yes. Raise NotEnrolled."""
        until, pause = time.monotonic() + lapse_seconds, Event()
        while time.monotonic() < until:
            stands = Standing(state="waiting")
            with suppress(_Unreachable):  # it was there a moment ago; people are comparing
                stands = self._say(f"/enrol/{self._enrolment}", None, Standing)
            if stands.state == "refused":
                raise NotEnrolled("staff refused this box; if that was a mistake, run this again for a new code")
            if stands.state == "approved":
                return self._opened(stands)
            if stands.state == "lapsed":
                break
            pause.wait(poll_seconds)
        raise NotEnrolled(f"nobody approved this box within {LAPSE_SECONDS // 60} minutes; run this again for a new code")

    def _opened(self, stands: Standing) -> Delivered:
        try:
            delivered = open_delivery(
                stands.package or b"", stands.signature or b"", box_key=self._sealing, exchange=self._exchange
            )
        except BadWord as error:
            raise NotEnrolled(f"{self._server} is not to be trusted: {error}") from None
        trouble = self._trouble(delivered)
        if trouble is not None:
            raise NotEnrolled(f"what was delivered does not fit: {trouble}; run this again, and look at the server's log")
        return delivered

    def _trouble(self, delivered: Delivered) -> str | None:
        try:
            certificate = load_pem_x509_certificate(delivered.certificate.encode())
            authority = load_pem_x509_certificate(delivered.authority.encode())
        except ValueError:
            return "the certificates cannot be read"
        names = [name.value for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if not is_door_id(delivered.door) or names != [delivered.door]:
            return "the certificate is not of the door"
        if certificate.public_key() != self._key.public_key():
            return "the certificate is not of this box's key"
        if authority.public_bytes(Encoding.DER) != self._exchange.authority:
            return "the authority is another one"
        if not all(key_id.isalnum() for key_id in delivered.signing_keys) or len(delivered.tag_key) != 32:
            return "a key is not one"
        return None

    def _say(self, path: str, body: msgspec.Struct | None, shape: type[Shape]) -> Shape:
        content = None if body is None else msgspec.json.encode(body)
        asked = urllib.request.Request(  # noqa: S310 - address_of allows http and https only
            self._server + path, data=content, headers={"Content-Type": "application/json"}
        )
        try:
            with _opener().open(asked, timeout=_SOCKET_SECONDS) as answer:
                return msgspec.json.decode(answer.read(_ANSWER_BYTES_MAX), type=shape)
        except urllib.error.HTTPError as error:
            if error.code >= 500:  # it, or what stands before it, is being started
                raise _Unreachable(f"{self._server} is not ready (HTTP {error.code}); try again") from None
            raise NotEnrolled(f"{self._server} refuses: {_refusal(error)}") from None
        except (OSError, TimeoutError) as error:
            raise _Unreachable(f"{self._server} cannot be reached ({_why(error)}); look at address and network") from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise NotEnrolled(f"{self._server} is not a hub's server, or of another version; look at the address") from None


class _Unreachable(NotEnrolled):
    pass


def address_of(typed: str) -> str:
    """Return the server's address, "https://hub.example.org", from what somebody typed. Raise NotEnrolled."""
    parts = urlsplit(typed if "://" in typed else f"https://{typed}")
    try:
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if host is None or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.query or parts.username:
        raise NotEnrolled(f"--server is {typed!r}; allowed is an address like https://hub.example.org")
    if parts.scheme == "http" and not _is_loopback(host):
        raise NotEnrolled(f"--server is {typed!r}; plain http is allowed only on this machine, use https")
    return f"{parts.scheme}://{parts.netloc}"


def hardware(read: Callable[[Path], bytes] = Path.read_bytes) -> str:
    """Return what this machine is, for people to tell boxes apart: model, serial number, its own name."""
    said = []
    for file, before in ((_MODEL, ""), (_SERIAL, "serial ")):
        with suppress(OSError):
            said.append(before + read(file).rstrip(b"\0").decode("utf-8", "replace"))
    return ", ".join([*said, socket.gethostname()])


def _opener() -> urllib.request.OpenerDirector:
    """No certificate is asked for: nobody here could judge it, and a false one shows in the code."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return msgspec.json.decode(error.read(_ANSWER_BYTES_MAX), type=Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, OSError):
        return f"HTTP {error.code}; is this the address of a hub's server?"


def _why(error: BaseException) -> str:
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
