# SPDX-License-Identifier: AGPL-3.0-or-later
"""Ends the line of a revoked door. Mosquitto asks the revocation list only of those who come; who is in stays in.

The broker drops a line when another comes in under the same name, and names are the authority's to give: the server comes in
as that door for a moment, once the broker has read the list, so that the one who was put out cannot come back.
"""

from __future__ import annotations

import socket
import ssl
import tempfile
from enum import Enum
from pathlib import Path
from threading import Event

from booking_server.broker import pki
from booking_server.config import Config
from booking_server.doors.wire import tls_context

REREAD_SECONDS = 5.0
_STEP_SECONDS = 0.1
_SOCKET_SECONDS = 5.0
_CONNACK = 0x20


class Line(Enum):
    """What became of a revoked door's line."""

    ENDED = "ended"
    NO_BROKER = "no_broker"
    """Nobody listens at broker.host and broker.port: no line is open, and the list is read at the broker's start."""
    NOT_READ = "not_read"
    """The broker goes on with an older list."""


def end_line(config: Config, name: str, revoked: Path) -> Line:
    """Wait until the broker refuses the certificate in the folder `revoked`, then end the line that `name` may have."""
    try:
        for _ in range(round(REREAD_SECONDS / _STEP_SECONDS)):
            if not _is_let_in(config, revoked):
                return Line.ENDED if _took_over(config, name) else Line.NOT_READ
            Event().wait(_STEP_SECONDS)
    except (ConnectionRefusedError, socket.gaierror):
        return Line.NO_BROKER
    return Line.NOT_READ


def _is_let_in(config: Config, identity: Path) -> bool:
    """Whether TLS accepts the certificate. With TLS 1.2 that is said within the handshake, and not a word of MQTT is needed."""
    tls = tls_context(identity)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with _connected(config) as raw, tls.wrap_socket(raw, server_hostname=config.broker.host):
            return True
    except (ssl.SSLError, ConnectionResetError):
        return False


def _took_over(config: Config, name: str) -> bool:
    with tempfile.TemporaryDirectory(dir=pki.authority_folder(config.folder)) as folder:
        pki.issue_briefly(config.folder, name, Path(folder))
        try:
            with (
                _connected(config) as raw,
                tls_context(Path(folder)).wrap_socket(raw, server_hostname=config.broker.host) as line,
            ):
                line.sendall(_connect(name))
                answer = line.recv(5)
                return len(answer) >= 4 and answer[0] == _CONNACK and answer[3] == 0
        except (ssl.SSLError, ConnectionResetError, TimeoutError):
            return False


def _connected(config: Config) -> socket.socket:
    return socket.create_connection((config.broker.host, config.broker.port), timeout=_SOCKET_SECONDS)


def _connect(name: str) -> bytes:
    """Return MQTT 5's CONNECT (section 3.1): clean start, a minute of keep-alive, no properties, no will."""
    client_id = len(name).to_bytes(2, "big") + name.encode("ascii")
    content = b"\x00\x04MQTT" + b"\x05" + b"\x02" + b"\x00\x3c" + b"\x00" + client_id
    return bytes((0x10, len(content))) + content
