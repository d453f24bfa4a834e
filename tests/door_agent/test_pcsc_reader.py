# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the PC/SC reader see each tag once, through the real pcscd, whatever happens to card, reader and daemon?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system.pcsc import CardRoom, why_not
from tests.system.processes import Child, Processes, wait_for

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
UID = "04782E21801D80"
_READ = """
import sys
from door_agent.readers.pcsc import Heard, PcscReader
def say(*words): print(*words, flush=True)
heard = Heard(tapped=lambda n: say("tap", n), unreadable=lambda: say("unreadable"), moved=lambda n, why: say("reader", n, why))
reader = PcscReader(sys.argv[1], heard, virtual_allowed=sys.argv[2] == "demo")
sys.stdin.readline()
reader.close()
"""


@contextmanager
def card_room(*names: str) -> Iterator[CardRoom]:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="hubkey-") as folder, CardRoom(Path(folder), list(names)) as room:
        yield room


@contextmanager
def reader_on(room: CardRoom, name: str, *, demo: bool = True) -> Iterator[Child]:
    """A process that reads the readers whose names begin with `name` and says what it hears."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="hubkey-") as folder, Processes(Path(folder)) as processes:
        command = [sys.executable, "-c", _READ, name, "demo" if demo else "real"]
        reader = processes.start("reader", command, environment=room.environment, stdin=subprocess.PIPE)
        reader.wait_until(lambda: "reader " in reader.said())
        yield reader


def lines(reader: Child, kind: str) -> list[str]:
    return [line for line in reader.said().splitlines() if line.startswith(kind)]


def test_a_tag_laid_on_is_one_tap() -> None:
    """The number comes whole, in anticollision order, one line for one tap, and the next tag is another."""
    with card_room("Front") as room, reader_on(room, room.reader("Front")) as reader:
        room.tap("Front", bytes.fromhex(UID))
        room.tap("Front", bytes.fromhex("DE10BB77"))
        wait_for(lambda: len(lines(reader, "tap")) == 2, "two taps")
        assert lines(reader, "tap") == [f"tap {UID}", "tap DE10BB77"]
