# SPDX-License-Identifier: AGPL-3.0-or-later
"""A line whose packets come late or not at all: two network namespaces, joined by this process packet by packet.

The door runs in one of them, where the hub's address leads over the line; at the other end stands a plug that leads on to the
broker. So the TCP that has to cope is the door's own and the kernel's. Needs root and /dev/net/tun: `why_not()` says so.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import random
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from tests.system import parts
from tests.system.plug import Plug, Plugs

T = TypeVar("T")
_TUN = Path("/dev/net/tun")
_CLONE_NEWNET, _TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x40000000, 0x400454CA, 0x0001, 0x1000
_PACKET_BYTES_MAX = 65_535
_DOOR, _HUB = "10.77.0.1", "10.77.0.2"


def why_not() -> str | None:
    """Return None if there can be such a line here, else the reason in one line."""
    if os.geteuid() != 0 or not os.access(_TUN, os.R_OK | os.W_OK):
        return f"a line with delay and loss needs root and {_TUN}"
    tried = subprocess.run(["unshare", "-n", "ip", "link"], capture_output=True, check=False, env=parts.environment())
    return "network namespaces are not allowed here, or `ip` is missing" if tried.returncode else None


class _Namespace:
    """A network of its own. What is done in it is done on its one thread; what that starts lives in it, too."""

    def __init__(self, own: str, other: str, *commands: str) -> None:
        self._thread = ThreadPoolExecutor(1)
        self.packets = self.do(lambda: _end_of_line(own, other, commands))

    def do(self, work: Callable[[], T]) -> T:
        return self._thread.submit(work).result()

    def close(self) -> None:
        os.close(self.packets)
        self._thread.shutdown()


class BadLine:
    """Between a door and the broker. `plug.port` on 127.0.0.1 is where a program that is started `inside` finds the broker."""

    def __init__(self, broker_port: int, seed: int = 0) -> None:
        """It begins without delay and loss."""
        self._random = random.Random(seed)  # noqa: S311
        self.delay_seconds = self.loss = 0.0
        self._hub, self._plugs = _Namespace(_HUB, _DOOR), Plugs()
        self.plug = Plug(self._plugs.loop, broker_port, lambda port: self._hub.do(lambda: _listening(port)))
        self.plug.put_back()
        self._door = _Namespace(_DOOR, _HUB, *_leads_over_the_line(self.plug.port))
        self._plugs.loop.call_soon_threadsafe(self._join)

    def inside(self, work: Callable[[], T]) -> T:
        """Do `work` at the door's end of the line: what it starts has no other way to the hub."""
        return self._door.do(work)

    def worsen(self, *, delay_seconds: float, loss: float) -> None:
        """From now on each packet, in both directions, is so late, and this share of them is lost."""
        self.delay_seconds, self.loss = delay_seconds, loss

    def _join(self) -> None:
        for source, target in ((self._door.packets, self._hub.packets), (self._hub.packets, self._door.packets)):
            self._plugs.loop.add_reader(source, self._carry, source, target)

    def _carry(self, source: int, target: int) -> None:
        with suppress(BlockingIOError):
            while True:
                packet = os.read(source, _PACKET_BYTES_MAX)
                if self._random.random() >= self.loss:
                    self._plugs.loop.call_later(self.delay_seconds, _put, target, packet)

    def close(self) -> None:
        self.plug.pull()
        stopped = asyncio.run_coroutine_threadsafe(self._part(), self._plugs.loop)
        stopped.result(10)
        self._plugs.close()
        self._door.close()
        self._hub.close()

    async def _part(self) -> None:
        for end in (self._door, self._hub):
            self._plugs.loop.remove_reader(end.packets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def _leads_over_the_line(port: int) -> tuple[str, ...]:
    """The hub's certificate is good for 127.0.0.1, so that is its address here, too; all other ports of it stay here."""
    return (
        f"ip route add 127.0.0.1/32 dev line src {_DOOR} table 77",
        f"ip rule add pref 1 ipproto tcp dport {port} to 127.0.0.1 lookup 77",
        "ip rule add pref 2 lookup local",
        "ip rule del pref 0",
    )


def _end_of_line(own: str, other: str, commands: tuple[str, ...]) -> int:
    """Move this thread into a new network that has one device, and return where that device's packets go in and out."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    packets = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(packets, _TUNSETIFF, struct.pack("16sH", b"line", _IFF_TUN | _IFF_NO_PI))
    address = f"ip address add {own} peer {other} dev line"
    for command in ("ip link set lo up", address, "ip link set line up", *commands):
        subprocess.run(command.split(), check=True, env=parts.environment())
    for setting in ("route_localnet", "accept_local"):
        Path(f"/proc/sys/net/ipv4/conf/line/{setting}").write_text("1", encoding="ascii")
    return packets


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port))


def _put(target: int, packet: bytes) -> None:
    with suppress(OSError):  # a queue that is full, or a line that is taken down: one packet more is lost
        os.write(target, packet)
