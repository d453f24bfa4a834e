# SPDX-License-Identifier: AGPL-3.0-or-later
"""What systemd is told (sd_notify): that the door is ready, and that it is alive. Says nothing where nobody asked."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Watchdog:
    """`every_seconds` is how often systemd wants to hear of us: twice in its limit; None if it does not care."""

    def __init__(self, environment: dict[str, str] | None = None) -> None:
        told = dict(os.environ) if environment is None else environment
        self._address = told.get("NOTIFY_SOCKET", "")
        limit = told.get("WATCHDOG_USEC", "") if told.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid()) else ""
        self.every_seconds = int(limit) / 2_000_000 if limit.isdigit() and int(limit) else None

    def ready(self) -> None:
        self._say("READY=1")

    def alive(self) -> None:
        self._say("WATCHDOG=1")

    def ending(self) -> None:
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
            to_systemd.sendto(text.encode("ascii"), socket.MSG_DONTWAIT, address)
