# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's network plug: a loopback TCP relay between the door and the broker that can be pulled, and put back.

Pulled, every connection is cut and a new one is refused. Silent, connections stay and carry nothing, as behind a dead switch.
It passes bytes as they come and looks at none: TLS stays end to end.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from threading import Thread

from tests.system.processes import free_port

_CHUNK = 65_536


class Plugs:
    """The thread that all plugs of a building run on."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, name="plugs", daemon=True)
        self._thread.start()
        self._plugs: list[Plug] = []

    def plug(self, broker_port: int) -> Plug:
        """Return a new plug, put in, that leads to `broker_port`."""
        plug = Plug(self.loop, broker_port)
        plug.put_back()
        self._plugs.append(plug)
        return plug

    def close(self) -> None:
        for plug in self._plugs:
            plug.pull()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


class Plug:
    """One door's way to the broker. `port` is what the door connects to, and stays the same."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, broker_port: int, listen: Callable[[int], socket.socket] | None = None
    ) -> None:
        """`listen` makes the socket for the port it is told; without it that is on the loopback of this machine."""
        self.port = free_port()
        self._listen = listen or _on_loopback
        self._loop = loop
        self._broker_port = broker_port
        self._server: asyncio.Server | None = None
        self._passing = asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()

    @property
    def is_in(self) -> bool:
        return self._server is not None and self._passing.is_set()

    def pull(self) -> None:
        """Cut every connection and refuse new ones. Returns when it is so."""
        self._run(self._pull())

    def put_back(self) -> None:
        """Accept again."""
        self._run(self._put_back())

    def silence(self) -> None:
        """Keep connections, carry nothing until `put_back`."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def _run(self, work: object) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)  # type: ignore[arg-type]
        future.result(10)

    async def _pull(self) -> None:
        self._passing.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _put_back(self) -> None:
        self._passing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self._listen(self.port))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = asyncio.current_task()
        if line is None:
            return
        self._lines.add(line)
        try:
            with suppress(OSError, asyncio.CancelledError):
                await self._join(reader, writer)
        finally:
            self._lines.discard(line)
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._broker_port)
        for end in (writer, onward):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [asyncio.create_task(self._carry(reader, onward)), asyncio.create_task(self._carry(onward_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            onward.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._passing.wait()
            writer.write(data)
            await writer.drain()


def _on_loopback(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))
