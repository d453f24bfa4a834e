# SPDX-License-Identifier: AGPL-3.0-or-later
"""The floor under everything that crosses the broker: a blocking socket, TLS, and the few bytes MQTT 5 needs. QoS 0 only.

`answer` is run as a process of its own and sends every message back; `Asker` sends one and waits for it.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys
from pathlib import Path

from booking_server.doors.wire import tls_context

_CONNECT, _PUBLISH, _SUBSCRIBE = 0x10, 0x30, 0x82


class Bare:
    """One connection: `send` publishes, `receive` returns the next message's content. The broker ends one that is silent."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        """Connect as the identity in `folder`. Raise OSError."""
        raw = socket.create_connection(("127.0.0.1", port))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: ssl.SSLSocket = tls_context(folder).wrap_socket(raw, server_hostname="127.0.0.1")
        self._held = b""
        self._write(_CONNECT, _text("MQTT") + b"\x05\x02" + struct.pack(">H", 600) + b"\x00" + _text(name))
        self._read()

    def subscribe(self, topic: str) -> None:
        self._write(_SUBSCRIBE, b"\x00\x01\x00" + _text(topic) + b"\x00")
        self._read()

    def send(self, topic: str, content: bytes) -> None:
        self._write(_PUBLISH, _text(topic) + b"\x00" + content)

    def receive(self) -> bytes:
        return self.receive_all()[1]

    def receive_all(self) -> tuple[str, bytes]:
        """Return the next message's topic and content."""
        kind, body = self._read()
        while kind & 0xF0 != _PUBLISH:
            kind, body = self._read()
        topic_bytes = struct.unpack(">H", body[:2])[0]
        properties = body[2 + topic_bytes]
        return body[2 : 2 + topic_bytes].decode(), body[3 + topic_bytes + properties :]

    def give_up_after(self, seconds: float) -> None:
        """Let `receive` raise TimeoutError when nothing came for so long."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        self._socket.close()

    def _write(self, kind: int, body: bytes) -> None:
        length, size = b"", len(body)
        while True:
            size, rest = size >> 7, size & 0x7F
            length += bytes([rest | (0x80 if size else 0)])
            if not size:
                break
        self._socket.sendall(bytes([kind]) + length + body)

    def _read(self) -> tuple[int, bytes]:
        kind, shift, size = self._exactly(1)[0], 0, 0
        while True:
            byte = self._exactly(1)[0]
            size |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return kind, self._exactly(size)
            shift += 7

    def _exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            got = self._socket.recv(65_536)
            if not got:
                raise ConnectionError("the broker closed the connection")
            self._held += got
        taken, self._held = self._held[:count], self._held[count:]
        return taken


def _text(text: str) -> bytes:
    return struct.pack(">H", len(text)) + text.encode()


def answer(folder: Path, name: str, port: int, listen: str, reply: str) -> None:
    """Send every message on `listen` back on `reply`, until killed."""
    line = Bare(folder, name, port)
    line.subscribe(listen)
    print("ready", flush=True)
    while True:
        line.send(reply, line.receive())


if __name__ == "__main__":
    answer(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5])
