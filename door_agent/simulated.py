# SPDX-License-Identifier: AGPL-3.0-or-later
"""The control socket of a simulated door: JSON lines to tap, move the inputs, press the button and watch the pins.

Only with demo = true. One line in, one line back ({"ok": true} or {"error": ...}); "watch" streams pins from then on. A
watcher that does not read is dropped: it never holds up the relay.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from access_contract.vocabulary import AccessPointId, TagNumber
from door_agent import happenings as h
from door_agent.errors import BadConfiguration
from door_agent.inputs import exit_moved
from door_agent.readers.simulated import SimulatedReader

_INPUTS: dict[str, Callable[[bool], h.Happening]] = {
    "bolt": h.BoltMoved,
    "exit": exit_moved,
    "tamper": h.TamperMoved,
    "fire": h.FireMoved,
    "alarm": h.AlarmMoved,
}
"""Inputs that are on or off: bolt thrown, button pressed, box open, fire alarm sounding, burglar alarm armed."""


class Wish(msgspec.Struct, frozen=True):
    """One line from the panel or a test."""

    do: str
    number: str = ""
    access_point: str = "in"
    open: bool = False
    on: bool = False


class Control:
    """Listens on a unix socket; what is asked goes into the inbox by `put`, a tap to the simulated one of `readers`."""

    def __init__(self, path: Path, put: Callable[[h.Happening], None], readers: Mapping[AccessPointId, object]) -> None:
        """`readers` is filled before `open`."""
        self._put, self._path, self._readers = put, path, readers
        self._watchers: list[socket.socket] = []
        self._pins: dict[str, bool] = {"relay": False}
        self._lock = threading.Lock()
        self._server = socket.socket(socket.AF_UNIX)

    def open(self) -> None:
        """Listen, once the door has all its parts. Raise BadConfiguration if the socket cannot be made."""
        unheard = self._path.with_name(f"{self._path.name}~")
        try:
            unheard.unlink(missing_ok=True)
            self._server.bind(str(unheard))
            self._server.listen(16)
            unheard.rename(self._path)
        except OSError as error:
            raise BadConfiguration(f"simulated.control is {str(self._path)!r}, where no socket can be made: {error}") from None
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def pin_moved(self, pin: str, on: bool) -> None:  # noqa: FBT001
        """Tell everyone who watches."""
        with self._lock:
            self._pins[pin] = on
            line = _pin_line(pin, on=on)
            self._watchers = [watcher for watcher in self._watchers if _sent(watcher, line)]

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._server.close()

    def _accept(self) -> None:
        with suppress(OSError):  # the socket was closed
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError), connection.makefile("rb") as lines:
            for line in lines:
                self._obey(line, connection)
        with self._lock:
            self._watchers = [watcher for watcher in self._watchers if watcher is not connection]

    def _obey(self, line: bytes, connection: socket.socket) -> None:
        try:
            wish = msgspec.json.decode(line, type=Wish)
            if wish.do == "watch":
                self._watch(connection)
                return
            self._wished(wish)
        except (ValueError, msgspec.DecodeError) as error:
            connection.sendall(msgspec.json.encode({"error": str(error)}) + b"\n")
            return
        connection.sendall(b'{"ok":true}\n')

    def _wished(self, wish: Wish) -> None:
        match wish.do:
            case "tap":
                self._reader(wish.access_point).tap(TagNumber.parse(wish.number))
            case "contact":
                self._put(h.ContactMoved(wish.open))
                self.pin_moved("contact", wish.open)
            case "press":
                self._put(h.ExitPressed())
                self._put(h.ExitReleased())
            case "bolt" | "exit" | "tamper" | "fire" | "alarm":
                self._put(_INPUTS[wish.do](wish.on))
                self.pin_moved(wish.do, wish.on)
            case _:
                raise ValueError("do is one of tap, contact, press, bolt, exit, tamper, fire, alarm, watch")

    def _reader(self, point: str) -> SimulatedReader:
        reader = self._readers.get(AccessPointId(point))
        if not isinstance(reader, SimulatedReader):
            raise ValueError(f"no simulated reader is at the access point {point!r}")
        return reader

    def _watch(self, connection: socket.socket) -> None:
        with self._lock:
            if _sent(connection, b"".join(_pin_line(pin, on=on) for pin, on in self._pins.items())):
                self._watchers.append(connection)


def _sent(connection: socket.socket, line: bytes) -> bool:
    """True if all of it went out at once."""
    try:
        return connection.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) == len(line)
    except OSError:
        return False


def _pin_line(pin: str, *, on: bool) -> bytes:
    return msgspec.json.encode({"pin": pin, "on": on, "at_ms": round(time.monotonic() * 1000, 3)}) + b"\n"
