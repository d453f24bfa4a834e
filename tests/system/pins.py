# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a simulated door's pins did, as the door itself tells it over its control socket: every move, with its instant.

The instants are the machine's monotonic clock, the same for every process on it. A door whose process has ended has no
current: from then on every output is off, whatever it said last.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

from tests.system.processes import NotReady

OUTPUTS = ("relay", "granted", "refused")


@dataclass(frozen=True, slots=True)
class Move:
    """One pin went on or off, `at` this monotonic second. `told` is False where it went off because its process ended."""

    pin: str
    on: bool
    at: float
    told: bool = True


def ask(control: Path, **wish: object) -> dict[str, object]:
    """Send one wish to a door's control socket and return its answer. Raise NotReady if nobody listens or it refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(str(control))
            connection.sendall(json.dumps(wish).encode() + b"\n")
            said: dict[str, object] = json.loads(connection.makefile().readline() or "{}")
        except OSError as error:
            raise NotReady(f"the door at {control} does not listen: {error.strerror or error}") from None
    if "error" in said:
        raise NotReady(f"the door at {control} says: {said['error']}")
    return said


class PinHistory:
    """Follows one door's pins for as long as its process lives, and again after `follow` is called anew."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self._now: dict[str, bool] = {}
        self._lock = Lock()
        self._told: list[Callable[[], None]] = []

    def follow(self, control: Path) -> None:
        """Begin to follow the door that listens at `control`. Raise NotReady if none does."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(control))
            connection.sendall(b'{"do":"watch"}\n')
        except OSError as error:
            connection.close()
            raise NotReady(f"the door at {control} does not listen: {error.strerror or error}") from None
        Thread(target=self._read, args=(connection,), name=f"pins of {control.parent.name}", daemon=True).start()

    def on_change(self, call: Callable[[], None]) -> None:
        """Have `call` called, on another thread, after every move."""
        self._told.append(call)

    def is_on(self, pin: str) -> bool:
        with self._lock:
            return self._now.get(pin, False)

    def rises(self, pin: str, since: float = 0.0) -> list[Move]:
        """Return when `pin` went on, from the monotonic second `since`."""
        with self._lock:
            return [move for move in self.moves if move.pin == pin and move.on and move.at >= since]

    def falls(self, pin: str, since: float = 0.0) -> list[Move]:
        with self._lock:
            return [move for move in self.moves if move.pin == pin and not move.on and move.at >= since]

    def _read(self, connection: socket.socket) -> None:
        with connection, suppress(OSError, ValueError), connection.makefile("rb") as lines:
            for line in lines:
                said = json.loads(line)
                if "pin" in said:
                    self._moved(Move(said["pin"], said["on"], said["at_ms"] / 1000))
        for pin in OUTPUTS:
            if self.is_on(pin):
                self._moved(Move(pin, False, time.monotonic(), told=False))

    def _moved(self, move: Move) -> None:
        with self._lock:
            if move.on or self._now.get(move.pin, False):  # a lamp that is lit again while it is lit says so again
                self.moves.append(move)
            self._now[move.pin] = move.on
        for call in self._told:
            call()
