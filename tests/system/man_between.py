# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real man in the middle of an enrolment: an HTTP server that plays the hub to the box, and a box to the hub.

He has keys and an authority of his own and passes on everything else. He reveals his nonces only when he must, as one would who
wants both codes to come out alike.
"""

from __future__ import annotations

import threading
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from access_contract.enrolling import Asked, Exchange, Offered, Revealed, Standing, commitment, spaced

Shape = TypeVar("Shape", bound=msgspec.Struct)


class ManBetween:
    """As a context manager he listens at `address`; `code_at_server` is what the hub's page shows of him."""

    code_at_server: str

    def __init__(self, hub: str) -> None:
        self._hub = hub
        self._key, self._sealing = ec.generate_private_key(ec.SECP256R1()), X25519PrivateKey.generate()
        self._authority = _authority(self._key)
        self._nonce, self._nonce_as_server = b"m" * 32, b"M" * 32
        self._asked: Asked
        self._offered: Offered
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def ask(self, asked: Asked) -> Offered:
        """Put his own keys in the place of the box's, and his own authority in the place of the hub's."""
        self._asked = Asked(
            signing_key=self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            sealing_key=self._sealing.public_key().public_bytes_raw(),
            commitment=commitment(self._nonce),
            hardware=asked.hardware,
        )
        self._offered = self._hear("/enrol", self._asked, Offered)
        return msgspec.structs.replace(self._offered, authority=self._authority, commitment=commitment(self._nonce_as_server))

    def reveal(self, _revealed: Revealed) -> Revealed:
        theirs = self._hear(f"/enrol/{self._offered.enrolment}/nonce", Revealed(nonce=self._nonce), Revealed)
        exchange = Exchange(
            signing_key=self._asked.signing_key,
            sealing_key=self._asked.sealing_key,
            authority=self._offered.authority,
            box_nonce=self._nonce,
            server_nonce=theirs.nonce,
        )
        self.code_at_server = spaced(exchange.code())
        return Revealed(nonce=self._nonce_as_server)

    def standing(self) -> Standing:
        return self._hear(f"/enrol/{self._offered.enrolment}", None, Standing)

    def _hear(self, path: str, body: msgspec.Struct | None, shape: type[Shape]) -> Shape:
        content = None if body is None else msgspec.json.encode(body)
        asked = urllib.request.Request(self._hub + path, data=content, headers={"Content-Type": "application/json"})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(), type=shape)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        man = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._say(man.standing())

            def do_POST(self) -> None:
                sent = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/enrol":
                    self._say(man.ask(msgspec.json.decode(sent, type=Asked)))
                else:
                    self._say(man.reveal(msgspec.json.decode(sent, type=Revealed)))

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

            def _say(self, body: msgspec.Struct) -> None:
                content = msgspec.json.encode(body)
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def _authority(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hubkey authority")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
    builder = builder.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC)).not_valid_after(datetime(2050, 1, 1, tzinfo=UTC))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
