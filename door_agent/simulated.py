# SPDX-License-Identifier: AGPL-3.0-or-later
"""The control socket of a simulated door: JSON lines to tap, move the contact, press the button and watch the pins.

Only with demo = true. One line in, one line back ({"ok": true} or {"error": ...}); "watch" streams pins from then on.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from access_contract.vocabulary import AccessPointId, TagNumber
from door_agent import happenings as h


class Wish(msgspec.Struct, frozen=True):
    """One line from the panel or a test."""

    do: str
    number: str = ""
    access_point: str = "in"
    open: bool = False


class Control:
    """Listens on a unix socket; what is asked goes into the inbox by `put`."""

    def __init__(self, path: Path, put: Callable[[h.Happening], None]) -> None:
        self._put = put
        self._watchers: list[socket.socket] = []
        self._pins: dict[str, bool] = {"relay": False}
        self._lock = threading.Lock()
        path.unlink(missing_ok=True)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(16)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def pin_moved(self, pin: str, on: bool) -> None:  # noqa: FBT001
        """Tell everyone who watches."""
        with self._lock:
            self._pins[pin] = on
            for watcher in list(self._watchers):
                try:
                    watcher.sendall(_pin_line(pin, on=on))
                except OSError:
                    self._watchers.remove(watcher)

    def _accept(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                connection.sendall(self._obey(line, connection))

    def _obey(self, line: bytes, connection: socket.socket) -> bytes:
        try:
            wish = msgspec.json.decode(line, type=Wish)
            match wish.do:
                case "tap":
                    self._put(h.TagRead(AccessPointId(wish.access_point), TagNumber.parse(wish.number)))
                case "contact":
                    self._put(h.ContactMoved(wish.open))
                    self.pin_moved("contact", wish.open)
                case "press":
                    self._put(h.ExitPressed())
                case "watch":
                    return self._watch(connection)
                case _:
                    return b'{"error":"do is one of tap, contact, press, watch"}\n'
        except (ValueError, msgspec.DecodeError) as error:
            return msgspec.json.encode({"error": str(error)}) + b"\n"
        return b'{"ok":true}\n'

    def _watch(self, connection: socket.socket) -> bytes:
        with self._lock:
            self._watchers.append(connection)
            return b"".join(_pin_line(pin, on=on) for pin, on in self._pins.items())


def _pin_line(pin: str, *, on: bool) -> bytes:
    return msgspec.json.encode({"pin": pin, "on": on, "at_ms": round(time.monotonic() * 1000, 3)}) + b"\n"
