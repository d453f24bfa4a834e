# SPDX-License-Identifier: AGPL-3.0-or-later
"""The event stream of open pages: it says that something changed, never what. Pages fetch what they may see.

One look at the database serves all viewers of a process, and none is taken while nobody watches. A viewer costs a waiting
task, no thread. If the database cannot be read there is no beat, so that pages know they are stale.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from booking_server.clock import Clock
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.showing import is_online
from booking_server.errors import NotFound
from booking_server.ledger import service as ledger

log = structlog.get_logger()

LOOK_SECONDS = 0.15
BEAT_SECONDS = 15.0
LASTS_SECONDS = 600.0
"""How long one stream lasts: the browser comes back by itself, and is checked anew."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the last look saw: the newest event's id, and a mark of the doors and of each watched command."""

    newest: int = 0
    doors: str = ""
    commands: dict[str, str] = field(default_factory=dict)


class Watch:
    """Looks for all viewers of this process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._watched: Counter[str] = Counter()
        self._viewers = 0
        self._seen = Seen()
        self._beat = 0
        self._turned = asyncio.Event()
        self._came = asyncio.Event()
        self._closed = False

    @property
    def viewers(self) -> int:
        return self._viewers

    def close(self) -> None:
        """End all streams, and the looking."""
        self._closed = True
        self._came.set()
        self._turn()

    async def run(self) -> None:
        """Look until closed. Never raises for a database that cannot be read: it says so once, and tries again."""
        readable, beaten_at = True, 0.0
        while not self._closed:
            if not self._viewers:
                self._came.clear()
                await self._came.wait()
            try:
                seen = await asyncio.to_thread(self._look, list(self._watched))
            except SQLAlchemyError as error:
                if readable:
                    log.warning("stream_cannot_look", exc_info=error)
                readable = False
            else:
                readable = True
                beat = self._clock.monotonic() - beaten_at >= BEAT_SECONDS
                if beat:
                    self._beat, beaten_at = self._beat + 1, self._clock.monotonic()
                if beat or seen != self._seen:
                    self._seen = seen
                    self._turn()
            await asyncio.sleep(LOOK_SECONDS)

    async def messages(self, newest: int | None, command: str) -> AsyncGenerator[str, None]:
        """Yield one viewer's messages: what changed since it saw event `newest`, until it leaves or the stream has lasted."""
        self._viewers += 1
        self._watched[command] += 1 if command else 0
        self._came.set()
        try:
            yield "retry: 2000\nevent: beat\ndata: 0\n\n"
            known, until = (None if newest is None else Seen(newest)), self._clock.monotonic() + LASTS_SECONDS
            beat = self._beat
            while not self._closed and self._clock.monotonic() < until:
                turned, seen = self._turned, self._seen
                for message in _news(known, seen, command):
                    yield message
                if beat != self._beat:
                    beat = self._beat
                    yield f"event: beat\ndata: {beat}\n\n"
                known = seen
                await turned.wait()
        finally:
            self._viewers -= 1
            self._watched[command] -= 1 if command else 0
            self._watched += Counter()

    def _turn(self) -> None:
        turned, self._turned = self._turned, asyncio.Event()
        turned.set()

    def _look(self, watched: Iterable[str]) -> Seen:
        now = self._clock.now()
        with self._database.read() as tx:
            states = sorted(doors.door_states(tx).values(), key=lambda state: state.door_id)
            marks = [_door_mark(state, online=is_online(state, now)) for state in states]
            return Seen(ledger.newest_event(tx), "\n".join(marks), {one: _command_mark(tx, one) for one in watched})


def _door_mark(state: doors.DoorState, *, online: bool) -> str:
    status = state.status
    parts = (state.door_id, state.online, online, status.mode, status.contact_open, status.clock, status.reader)
    return repr((*parts, status.attention))


def _command_mark(tx: Connection, command: str) -> str:
    try:
        found = commands.command(tx, command)
    except NotFound:
        return ""
    return repr((found.sent_at, found.done_at, found.outcome, found.captured))


def _news(known: Seen | None, seen: Seen, command: str) -> Iterable[str]:
    if known is None or known.newest != seen.newest:
        yield f"event: taps\ndata: {seen.newest}\n\n"
    if known is not None and known.doors != seen.doors:
        yield "event: doors\ndata: \n\n"
    if command and known is not None and known.commands.get(command) != seen.commands.get(command):
        yield f"event: command\ndata: {command}\n\n"
