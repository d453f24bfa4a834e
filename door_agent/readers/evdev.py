# SPDX-License-Identifier: AGPL-3.0-or-later
"""A reader that types numbers like a keyboard, read from the kernel's input device and from nowhere else.

The device is grabbed, so that no number reaches a console or another program; without the grab nothing is read. A number
that is typed is never more than a bare one: assurance A0. What is typed is in no log.
"""

from __future__ import annotations

import fcntl
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

from access_contract.vocabulary import Assurance, InvalidTagNumber, TagNumber
from door_agent.readers.keys import EVENT, Lines
from door_agent.readers.numbers import typed
from door_agent.readers.port import Heard, Shown
from door_agent.readers.settings import Evdev

_POLL_SECONDS = 1.0
_AGAIN_SECONDS = 0.5
_DEAF_SECONDS = 15.0
_LIES_SECONDS = 2.0
"""Some readers type a tag again and again while it lies there: within this after the last time it is the same tap."""
_EVIOCGRAB, _EVIOCSCLOCKID = 0x40044590, 0x400445A0


class _Gone(Exception):
    """The device went away, or could not be had; the message says why."""


def grabbed(device: Path) -> int:
    """Return a descriptor of the input device that only we read, with monotonic instants. Raise OSError."""
    descriptor = os.open(device, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _EVIOCGRAB, 1)
        fcntl.ioctl(descriptor, _EVIOCSCLOCKID, time.CLOCK_MONOTONIC.to_bytes(4, "little"))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class EvdevReader:
    """Tells from its own thread of each number that the device types, and finds the device again after it was unplugged."""

    def __init__(self, settings: Evdev, heard: Heard, *, opened: Callable[[Path], int] = grabbed) -> None:
        """`opened` makes the descriptor to read input events from, and raises OSError."""
        self._settings, self._heard, self._opened = settings, heard, opened
        self._ended, self._ends = os.pipe2(os.O_CLOEXEC)
        self._polled_at = time.monotonic()
        self._said: tuple[str | None, str] | None = None
        self._last: tuple[TagNumber | None, float] = (None, 0.0)
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        return time.monotonic() - self._polled_at < _DEAF_SECONDS

    def show(self, shown: Shown) -> None:
        """A keyboard has no lamp that we know of."""

    def close(self) -> None:
        """Let the device go, so that it may be a keyboard again."""
        os.write(self._ends, b"!")
        self._thread.join(2 * _POLL_SECONDS)
        if not self._thread.is_alive():
            os.close(self._ends)
            os.close(self._ended)

    def _run(self) -> None:
        ended = False
        while not ended:
            self._polled_at = time.monotonic()
            try:
                ended = self._listen()
            except (_Gone, OSError) as gone:
                self._moved(None, f"{self._settings.device}: {gone.strerror if isinstance(gone, OSError) else gone}")
                ended = bool(select.select([self._ended], [], [], _AGAIN_SECONDS)[0])

    def _listen(self) -> bool:
        """Read until told to end, which is True. Raise OSError or _Gone when the device goes."""
        descriptor = self._opened(Path(self._settings.device))
        try:
            self._moved(Path(self._settings.device).name, "")
            lines = Lines()
            while True:
                self._polled_at = time.monotonic()
                ready, _, _ = select.select([descriptor, self._ended], [], [], _POLL_SECONDS)
                if self._ended in ready:
                    return True
                if descriptor in ready:
                    self._take(lines, os.read(descriptor, EVENT.size * 64))
        finally:
            os.close(descriptor)

    def _take(self, lines: Lines, events: bytes) -> None:
        if not events or len(events) % EVENT.size:
            raise _Gone("is no input device any more")
        for at, line in lines.take(events):
            try:
                number = typed(line, self._settings.format, reversed_bytes=self._settings.reversed_bytes)
            except InvalidTagNumber:
                self._heard.unreadable()
                continue
            before, self._last = self._last, (number, at)
            if before[0] != number or at - before[1] > _LIES_SECONDS:
                self._heard.tapped(number, Assurance.A0)

    def _moved(self, name: str | None, why: str) -> None:
        if (name, why) != self._said:
            self._said = (name, why)
            self._heard.moved(name, why)
