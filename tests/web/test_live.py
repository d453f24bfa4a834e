# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do open pages learn of what happens, without holding up anybody, and without keeping the server from stopping?"""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest

from access_contract.vocabulary import TagNumber
from booking_server.clock import SystemClock
from booking_server.db import Database
from booking_server.doors import commands
from booking_server.web.asgi import _listen
from booking_server.web.stream import Watch
from tests.system.desk import Desk
from tests.system.processes import free_port
from tests.system.visitor import Visitor
from tests.web.conftest import SERVER, Served, write_server
from tests.web.playing import PlayedDoor

NUMBER = TagNumber.parse("04782E21801D80")


class Viewer:
    """One open event stream, read by hand."""

    def __init__(self, served: Served, cookie: str, query: str = "") -> None:
        host, port = served.address.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)
        self._socket.sendall(f"GET /stream{query} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode())
        self.read = b""

    def wait_for(self, text: str) -> str:
        """Read until `text` came, and return all that was read."""
        while text.encode() not in self.read:
            more = self._socket.recv(4096)
            if not more:
                raise AssertionError(f"the stream ended before {text!r}: {self.read!r}")
            self.read += more
        return self.read.decode()

    def ends(self) -> bool:
        """True once the server ended the stream."""
        while more := self._socket.recv(4096):
            self.read += more
        return True

    def close(self) -> None:
        self._socket.close()


def _cookie(visitor: Visitor) -> str:
    for handler in visitor._opener.handlers:  # type: ignore[attr-defined]
        for one in getattr(handler, "cookiejar", ()):
            return f"{one.name}={one.value}"
    raise AssertionError("nobody is signed in")


@pytest.fixture
def door(running: Served) -> PlayedDoor:
    desk = running.desk
    space = desk.space(desk.site("Omnia"), "Studio", "co-creation")
    desk.price(space, "entry", 420, from_day=desk.clock.now().date().replace(day=1))
    desk.tag(desk.person("Aino Virtanen"), NUMBER)
    return PlayedDoor(desk, desk.door("studio", "Studio door", leads_into=space))


def test_a_viewer_is_told_of_taps_doors_and_its_command(running: Served, door: PlayedDoor) -> None:
    """A tap, a door's state and the asked-for command each come as an event; the stream carries no name and no number."""
    staff = running.visitor()
    page = staff.post(staff.see("/doors/studio"), "/openings", reason="parcel")
    command = page.path.rpartition("/")[2]
    with closing(Viewer(running, _cookie(staff), f"?after=0&command={command}")) as viewer:
        viewer.wait_for("event: beat")
        door.status()
        viewer.wait_for("event: doors")
        with running.desk.database.write() as tx:
            commands.sent(tx, now=running.desk.clock.now(), command_id=command)
        viewer.wait_for(f"event: command\ndata: {command}")
        door.tap(NUMBER)
        said = viewer.wait_for("event: taps\ndata: 2")
    assert "text/event-stream" in said
    assert "no-store" in said
    assert "Aino" not in said
    assert "1D80" not in said


def test_who_missed_something_is_told_at_once(running: Served, door: PlayedDoor) -> None:
    """A page that shows less than there is learns so as soon as it is connected."""
    door.tap(NUMBER)
    with closing(Viewer(running, _cookie(running.visitor()), "?after=0")) as viewer:
        viewer.wait_for("event: taps\ndata: 2")


def test_nobody_watches_without_a_session(running: Served) -> None:
    """Without a session, with a forged one, or as a member there is no stream."""
    member = Visitor(running.address)
    page = member.see("/sign-in")
    member.post(page, "/sign-in", sign_in_name="mikko", password="correct horse battery")
    for cookie in ("", "hubkey=", "hubkey=forged", _cookie(member)):
        with closing(Viewer(running, cookie)) as viewer:
            assert viewer.wait_for("\r\n\r\n").startswith("HTTP/1.1 401"), cookie


def test_many_viewers_hold_up_nobody_and_the_server_still_stops(running: Served, door: PlayedDoor) -> None:
    """With 300 open streams pages are answered as before, each viewer learns of a tap, and SIGTERM ends it all promptly."""
    staff = running.visitor()
    cookie = _cookie(staff)
    with ExitStack() as open_streams:
        viewers = [open_streams.enter_context(closing(Viewer(running, cookie, "?after=0"))) for _ in range(300)]
        for viewer in viewers:
            viewer.wait_for("event: beat")
        door.tap(NUMBER)
        for viewer in viewers:
            viewer.wait_for("event: taps")
        for _ in range(10):
            staff.see("/").must_say("Aino Virtanen")
        assert running.child is not None
        asked_at = time.monotonic()
        assert running.child.stop(limit_seconds=8) == 0
        assert time.monotonic() - asked_at < 4
        assert all(viewer.ends() for viewer in viewers)


def test_a_taken_port_is_one_line(running: Served, tmp_path: Path, empty_database: Path) -> None:
    """A second server at the same port says which setting to change, without a traceback."""
    url = f"sqlite:///{shutil.copy(empty_database, tmp_path / 'second.sqlite')}"
    settings = write_server(tmp_path, url, int(running.address.rpartition(":")[2]))
    told = subprocess.run([SERVER, "--config", settings, "web"], capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: web.host and web.port: 127.0.0.1 port")
    assert len(told.stderr.splitlines()) == 1


def test_a_page_does_not_wait_for_the_network_s_own_timers() -> None:
    """An accepted connection sends at once (TCP_NODELAY): otherwise each page takes 40 ms more."""

    async def nodelay() -> int:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def came(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            accepted.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(came, sock=_listen("127.0.0.1", free_port())) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            found = await accepted
            writer.close()
            await writer.wait_closed()
        return found

    assert asyncio.run(nodelay()) == 1


def test_nobody_looks_while_nobody_watches(desk: Desk) -> None:
    """The database is read only while a viewer is there, and a viewer that left is forgotten."""
    counted = _Counted(desk.database)
    watch = Watch(counted, SystemClock())  # type: ignore[arg-type]

    async def watched() -> tuple[int, int, int]:
        looking = asyncio.create_task(watch.run())
        await asyncio.wait({looking}, timeout=0.5)
        alone = counted.reads
        messages = watch.messages(0, "")
        await anext(messages)
        await asyncio.wait({looking}, timeout=0.5)
        together = counted.reads
        await messages.aclose()
        await asyncio.wait({looking}, timeout=0.4)
        left = counted.reads
        await asyncio.wait({looking}, timeout=0.6)
        after = counted.reads - left
        watch.close()
        await looking
        return alone, together, after

    alone, together, after = asyncio.run(watched())
    assert (alone, after, watch.viewers) == (0, 0, 0)
    assert together > 0


class _Counted:
    """A database that counts how often it is read."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = 0

    def read(self) -> object:
        self.reads += 1
        return self._database.read()


def test_a_door_that_falls_silent_is_told_without_a_word_from_it(running: Served, door: PlayedDoor) -> None:
    """A door last heard 34 seconds ago is shown offline moments later, though nothing was written in between."""
    staff = running.visitor()
    door.status(running.desk.clock.now() - timedelta(seconds=33))
    staff.see("/today/doors").must_say("online")
    with closing(Viewer(running, _cookie(staff), "?after=0")) as viewer:
        viewer.wait_for("event: doors")
        viewer.read = b""
        viewer.wait_for("event: doors")
    staff.see("/today/doors").must_say("offline", "Nothing is heard from any door.")
