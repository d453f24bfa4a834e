# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sends staff's commands to doors: each at most once, under the door's latest nonce, and none after its time is over.

A command is marked as sent before it goes out: a process that dies between the two leaves one unanswered, never one sent twice,
and of two processes the one that marked it sends it. One command for one nonce, as far as one process knows.
What became of it is the door's to say.
"""

from __future__ import annotations

from sqlalchemy import Connection

from access_contract.messages import Capture, Open, SetMode
from access_contract.messages import Command as Body
from access_contract.vocabulary import DoorId, DoorMode
from booking_server.clock import Clock
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.doors.commands import Command
from booking_server.doors.sending import COMMAND_SECONDS, Sender
from booking_server.doors.statuses import Statuses
from booking_server.doors.writer import Work, Writer


class Dispatcher:
    """One thread calls `look`."""

    def __init__(self, database: Database, writer: Writer, statuses: Statuses, sender: Sender, clock: Clock) -> None:
        self._database, self._writer, self._statuses, self._sender, self._clock = database, writer, statuses, sender, clock
        self._taken: set[str] = set()
        self._used: dict[DoorId, tuple[str, float]] = {}

    def look(self) -> None:
        """Send what waits and can be sent now; the rest waits on, until its time is over."""
        with self._database.read() as tx:
            waiting = commands.waiting(tx)
        self._taken &= {command.command for command in waiting}
        for command in waiting:
            nonce = self._free_nonce(DoorId(command.door_id))
            usable = command.command not in self._taken and command.expires_at > self._clock.now()
            if nonce is not None and usable and self._sender.connected:
                self._take(command, nonce)

    def _free_nonce(self, door: DoorId) -> str | None:
        """Return the door's nonce, unless a command under it may still be on its way."""
        status = self._statuses.of(door)
        if status is None or status.nonce is None:
            return None
        used, until = self._used.get(door, ("", 0.0))
        return None if used == status.nonce and self._clock.monotonic() < until else status.nonce

    def _take(self, command: Command, nonce: str) -> None:
        def write(tx: Connection) -> bool:
            return commands.sent(tx, now=self._clock.now(), command_id=command.command)

        def done(marked: bool) -> None:  # noqa: FBT001
            if marked:
                self._sender.command(door, body_of(command, nonce), until=command.expires_at)

        door = DoorId(command.door_id)
        if self._writer.put(Work(write=write, done=done)):
            self._taken.add(command.command)
            self._used[door] = (nonce, self._clock.monotonic() + COMMAND_SECONDS)


def body_of(command: Command, nonce: str) -> Body:
    """Return what goes on the wire for a command's row: not who asked, as a door knows no names."""
    match command.kind:
        case "open":
            return Open(command=command.command, nonce=nonce)
        case "capture":
            return Capture(command=command.command, nonce=nonce, until=command.expires_at)
        case "set_mode":
            return SetMode(command=command.command, nonce=nonce, mode=DoorMode(command.argument["mode"]))
        case unknown:
            raise AssertionError(f"a command of kind {unknown!r} was stored")
