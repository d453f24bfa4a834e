# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs inside namespaces of its own (see pcsc.py): the real pcscd, virtual readers that nobody else can reach, and the cards.

A line on stdin, `{"port": 46010, "uid": "04782E21801D80"}`, lays a card on that reader, waits until its number has been read
and takes it away; it is answered on stdout by `read` or `unread`. With `"stays": true` the card is left there until
`{"port": 46010, "take_away": true}`, which tells the commands that it heard, as `"heard": true` does; an empty uid is a card
that tells no number, `"torn": true` one that is torn off while it is read. `{"daemon": "kill"}` and `{"daemon": "start"}` end
pcscd as a crash would, and bring it back. The first line on stdout is `ready`. When stdin ends, pcscd and this end. Standard
library only: it starts in 50 ms.
"""

from __future__ import annotations

import fcntl
import json
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")
"""What a reader says of a MIFARE Classic 1K (PC/SC part 3)."""
READ_WITHIN_SECONDS = 10.0
HELD_SECONDS = 0.03
"""No hand takes a card away in the microsecond in which its last byte was sent; pcscd would say that it was torn off."""
APART_SECONDS = 1.0
_GET_UID = b"\xff\xca\x00"
_POWER = (b"\x00", b"\x01", b"\x02")
_GET_ATR = b"\x04"
_SIOCSIFFLAGS, _IFF_UP, _IFF_RUNNING = 0x8914, 0x1, 0x40


class Card:
    """A card that tells its number and refuses all else, over the wire of the virtual reader driver."""

    def __init__(self, port: int, uid: bytes, *, torn: bool = False) -> None:
        self.was_read = Event()
        self.read_at = 0.0
        self.heard: list[str] = []
        self._port, self._uid, self._torn = port, uid, torn
        self._lie()

    def find_reader(self) -> None:
        """Lie on the reader of a daemon that has just come up."""
        self.take_away()
        pause = Event()
        for _ in range(50):
            with suppress(ConnectionRefusedError):
                self._lie()
                return
            pause.wait(0.02)

    def _lie(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=5)
        self._socket.settimeout(None)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def take_away(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(2)

    def _serve(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                command = self._receive(struct.unpack(">H", self._receive(2))[0])
                if self._torn and command.startswith(_GET_UID):
                    self.was_read.set()
                    self._socket.shutdown(socket.SHUT_RDWR)
                elif command not in _POWER:
                    reply, self.read_at = self._reply(command), time.monotonic()
                    self._socket.sendall(struct.pack(">H", len(reply)) + reply)
                    if command.startswith(_GET_UID):
                        self.was_read.set()

    def _reply(self, command: bytes) -> bytes:
        if command == _GET_ATR:
            return ATR
        self.heard.append(command.hex().upper())
        return self._uid + b"\x90\x00" if self._uid and command.startswith(_GET_UID) else b"\x6d\x00"

    def _receive(self, count: int) -> bytes:
        content = b""
        while len(content) < count:
            # The driver writes length and body apart: without a quick ACK each command waits 44 ms.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not (more := self._socket.recv(count - len(content))):
                raise EOFError
            content += more
        return content


def _loopback_up() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP | _IFF_RUNNING))


def _wait_for(path: Path, daemon: subprocess.Popen[bytes]) -> None:
    pause = Event()
    for _ in range(500):
        if path.exists():
            return
        if daemon.poll() is not None:
            break
        pause.wait(0.02)
    sys.exit(f"pcscd did not come up (exit code {daemon.poll()})")


class Readers:
    """The hand that taps. The daemon looks every 400 ms, so a reader is left alone for a while between two cards."""

    def __init__(self) -> None:
        self._free_at: dict[int, float] = {}
        self._lying: dict[int, Card] = {}

    def obey(self, order: dict[str, Any]) -> str:
        """Lay a card and take it away when it has been read, if it is not to stay; return when it told its number, or that
        nobody asked."""
        port = order["port"]
        if order.get("heard"):
            return f"read {' '.join(self._lying[port].heard)}"
        if order.get("take_away"):
            return f"read {' '.join(self._take_away(port).heard)}"
        Event().wait(max(0.0, self._free_at.get(port, 0.0) - time.monotonic()))
        try:
            card = self._lying[port] = Card(port, bytes.fromhex(order["uid"]), torn=order.get("torn", False))
        except ConnectionRefusedError:  # no daemon runs, so nobody reads it
            return "unread"
        read = card.was_read.wait(READ_WITHIN_SECONDS)
        if not order.get("stays"):
            Event().wait(HELD_SECONDS)
            self._take_away(port)
        return f"read {card.read_at}" if read else "unread"

    def lie_again(self) -> None:
        """A real card does not notice that pcscd died; ours has to find the new one."""
        for card in self._lying.values():
            card.find_reader()

    def _take_away(self, port: int) -> Card:
        card = self._lying.pop(port)
        card.take_away()
        self._free_at[port] = time.monotonic() + APART_SECONDS
        return card


class Daemon:
    """pcscd, which can be killed and started again."""

    def __init__(self, command: list[str], listens_at: Path) -> None:
        self._command, self._listens_at = command, listens_at
        self.start()

    def start(self) -> None:
        for left in self._listens_at.parent.glob("pcscd.*"):
            left.unlink()
        self._process = subprocess.Popen(self._command, stdout=sys.stderr)  # our stdout speaks to the tests
        _wait_for(self._listens_at, self._process)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def main(pcscd: str, configuration: str, listens_at: str, options: list[str]) -> None:
    """Serve until stdin ends. `listens_at` is pcscd's socket, which the doors outside are told of."""
    _loopback_up()
    daemon = Daemon([pcscd, "--foreground", "--config", configuration, *options], Path(listens_at))
    readers = Readers()
    try:
        print("ready", flush=True)  # noqa: T201
        for line in sys.stdin:
            order = json.loads(line)
            if "daemon" in order:
                if order["daemon"] == "kill":
                    daemon.kill()
                else:
                    daemon.start()
                    readers.lie_again()
            print("read" if "daemon" in order else readers.obey(order), flush=True)  # noqa: T201
    finally:
        daemon.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
