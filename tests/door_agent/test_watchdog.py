# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does systemd hear of a door only while its loop turns and its readers look for tags? Else it is killed and started anew.

Here the whole loop runs with a socket in systemd's place; tests/system/test_package.py has a real systemd restart a hung one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest

from access_contract.vocabulary import AccessPointId
from door_agent.config import load
from door_agent.loop import Loop
from door_agent.main import made
from door_agent.readers.port import Shown
from door_agent.relays import use_pins
from tests.door_agent.test_agent import write_door

LIMIT_SECONDS = 0.4


class Reader:
    """A reader whose thread can be seen to hang."""

    def __init__(self) -> None:
        self.looks = True

    def is_alive(self) -> bool:
        return self.looks

    def show(self, shown: Shown) -> None:
        """Nothing to show it on."""

    def close(self) -> None:
        """Nothing to close."""


class Systemd:
    """What the door tells systemd."""

    def __init__(self, file: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(file))
        self._socket.settimeout(10)

    def hears(self) -> str:
        return self._socket.recv(100).decode()

    def hears_nothing(self, *, for_seconds: float) -> bool:
        """True if nothing is said for so long, after what was already under way."""
        self._socket.settimeout(LIMIT_SECONDS)
        with suppress(TimeoutError):
            self._socket.recv(100)
        self._socket.settimeout(for_seconds)
        try:
            self._socket.recv(100)
        except TimeoutError:
            return True
        finally:
            self._socket.settimeout(10)
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    listening = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(LIMIT_SECONDS * 1_000_000)))
    yield listening
    listening.close()


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def loop(tmp_path: Path, systemd: Systemd, reader: Reader) -> Iterator[Loop]:
    """A door's loop at work, with this one reader."""
    file = write_door(tmp_path)
    use_pins(mock=True)
    with ExitStack() as ends:
        working = made(file, load(file), ends)
        working.parts = replace(working.parts, readers={AccessPointId("in"): reader})
        thread = Thread(target=working.run)
        thread.start()
        yield working
        working.put(None)
        thread.join(10)


def test_a_door_at_work_is_ready_and_then_says_so_again_and_again(loop: Loop, systemd: Systemd) -> None:
    """READY once, then WATCHDOG over and over."""
    assert [systemd.hears() for _ in range(4)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_a_reader_that_does_not_look_is_not_covered_up(loop: Loop, systemd: Systemd, reader: Reader) -> None:
    """While a reader's thread hangs nothing is said, however well the loop turns; once it looks again, it is."""
    assert [systemd.hears() for _ in range(2)] == ["READY=1", "WATCHDOG=1"]
    reader.looks = False
    assert systemd.hears_nothing(for_seconds=3 * LIMIT_SECONDS)
    reader.looks = True
    assert systemd.hears() == "WATCHDOG=1"


def test_a_loop_that_hangs_says_nothing(loop: Loop, systemd: Systemd) -> None:
    """While one turn does not end nothing is said: no other thread speaks for the loop."""
    goes_on = Event()
    assert [systemd.hears() for _ in range(2)] == ["READY=1", "WATCHDOG=1"]

    def hangs() -> None:
        goes_on.wait(10)

    loop.put(hangs)
    try:
        assert systemd.hears_nothing(for_seconds=3 * LIMIT_SECONDS)
    finally:
        goes_on.set()
    assert systemd.hears() == "WATCHDOG=1"
