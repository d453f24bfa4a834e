# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the PC/SC reader see each tag once, through the real pcscd, whatever happens to card, reader and daemon?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from door_agent.readers.pcsc import _SETTLES_SECONDS
from tests.system import parts
from tests.system.pcsc import CardRoom, why_not
from tests.system.processes import Child, Processes, wait_for

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
UID = "04782E21801D80"
ACR122 = "ACS ACR122U"
_READ = """
import sys
from door_agent.readers.pcsc import PcscReader
from door_agent.readers.port import Heard
def say(*words): print(*words, flush=True)
heard = Heard(
    tapped=lambda number, assurance: say("tap", number),
    unreadable=lambda: say("unreadable"),
    moved=lambda name, why: say("reader", name, why),
    noticed=lambda about, raised, detail: say("noticed", about, raised, detail),
)
reader = PcscReader(sys.argv[1], heard, virtual_allowed=sys.argv[2] == "demo")
sys.stdin.readline()
reader.close()
"""


@contextmanager
def card_room(*names: str, takes_commands: bool = False) -> Iterator[CardRoom]:
    with (
        tempfile.TemporaryDirectory(dir="/tmp", prefix="hubkey-") as folder,
        CardRoom(Path(folder), names, takes_commands=takes_commands) as room,
    ):
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


def test_a_tag_left_on_the_reader_is_one_tap_also_when_pcscd_dies_and_comes_back() -> None:
    """The reader is away and back by itself within seconds; what lay there all the time opens nothing again."""
    with card_room("Front") as room, reader_on(room, "Front") as reader:
        room.lay("Front", bytes.fromhex(UID))
        wait_for(lambda: lines(reader, "tap"), "the tap")
        room.kill_daemon()
        wait_for(lambda: lines(reader, "reader None pcscd:"), "the reader is away")
        room.start_daemon()
        wait_for(lambda: len(lines(reader, "reader Front")) == 2, "the reader is back")
        let_pass(1.5)
        room.take_away("Front")
        room.tap("Front", bytes.fromhex("DE10BB77"))
        wait_for(lambda: len(lines(reader, "tap")) == 2, "the next tap")
        assert lines(reader, "tap") == [f"tap {UID}", "tap DE10BB77"]


def test_a_tag_that_gives_no_number_is_told_as_unreadable() -> None:
    """A card torn off while it is read, one without a number and one with a number of a wrong length are no taps."""
    with card_room("Front") as room, reader_on(room, "Front") as reader:
        for count, (uid, torn) in enumerate([(b"", False), (bytes(5), False), (bytes.fromhex(UID), True)], 1):
            room.lay("Front", uid, torn=torn)
            room.take_away("Front")
            wait_for(lambda count=count: len(lines(reader, "unreadable")) == count, "unreadable")  # type: ignore[misc]
            let_pass(2.0)
        room.tap("Front", bytes.fromhex(UID))
        wait_for(lambda: lines(reader, "tap"), "the tap after them")
        assert lines(reader, "tap") == [f"tap {UID}"]


def test_a_reader_that_is_not_there_is_said_with_what_is() -> None:
    """A wrong name in the settings is told together with the names to choose from."""
    with card_room("Front") as room, reader_on(room, "Back") as reader:
        assert lines(reader, "reader") == [
            "reader None no reader's name begins with 'Back'; there are: Front 00 00, Front 00 01"
        ]


def test_a_real_door_takes_no_virtual_reader() -> None:
    """Only a demo reads what anybody can write."""
    with card_room("Virtual PCD") as room, reader_on(room, "", demo=False) as reader:
        assert lines(reader, "reader")[0].startswith("reader None no reader's name may be used")


def test_two_doors_on_one_daemon_read_only_their_own_and_idle_quietly() -> None:
    """Each takes its own reader's tags, and neither turns in circles because of the other's: under 10 % of a core."""
    with card_room("Front", "Shop") as room, reader_on(room, "Front") as front, reader_on(room, "Shop") as shop:
        before = cpu_seconds(front.process.pid) + cpu_seconds(shop.process.pid)
        for _ in range(2):
            room.tap("Front", bytes.fromhex(UID))
            room.tap("Shop", bytes.fromhex("DE10BB77"))
        wait_for(lambda: len(lines(shop, "tap")) == 2, "the taps")
        assert cpu_seconds(front.process.pid) + cpu_seconds(shop.process.pid) - before < 0.5
        assert set(lines(front, "tap")) == {f"tap {UID}"}
        assert set(lines(shop, "tap")) == {"tap DE10BB77"}


@pytest.mark.skipif(shutil.which("cc", path=parts.search_path()) is None, reason="no C compiler (cc) for the reader's driver")
@pytest.mark.parametrize(
    ("cycles", "every"),
    [pytest.param(15, 5, id="15"), pytest.param(1000, 20, id="1000", marks=[pytest.mark.soak, pytest.mark.timeout(3600)])],
)
def test_no_tap_is_lost_and_memory_stays_flat(cycles: int, every: int) -> None:
    """Each tag laid on is one tap, over many tags, deaths of pcscd and a reader that comes and goes; nothing grows."""
    with card_room(ACR122, takes_commands=True) as room, reader_on(room, ACR122) as reader:
        room.tap(ACR122, bytes.fromhex(UID))
        before = resident_kib(reader.process.pid)
        for cycle in range(1, cycles + 1):
            if cycle % every == 0:
                come_back(room, reader, pulled=cycle // every % 2 == 0)
            room.tap(ACR122, bytes.fromhex(UID))
        wait_for(lambda: len(lines(reader, "tap")) + len(lines(reader, "unreadable")) > cycles, "every tap")
        assert (len(lines(reader, "tap")), len(lines(reader, "unreadable"))) == (cycles + 1, 0)
        assert lines(reader, "noticed") == []
        assert resident_kib(reader.process.pid) - before < 2048


def come_back(room: CardRoom, reader: Child, *, pulled: bool) -> None:
    """Kill pcscd, or take the reader away from it, and wait until all is as before."""
    backs, aways = len(lines(reader, f"reader {ACR122}")), len(lines(reader, "reader None no reader"))
    if pulled:
        room.pull(ACR122)
        wait_for(lambda: len(lines(reader, "reader None no reader")) > aways, "the reader is away")
        room.plug_in(ACR122)
    else:
        room.kill_daemon()
        room.start_daemon()
    wait_for(lambda: len(lines(reader, f"reader {ACR122}")) > backs, "the reader is back")
    let_pass(_SETTLES_SECONDS)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    said = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in said.splitlines() if line.startswith("VmRSS")))


def let_pass(seconds: float) -> None:
    """Let the time pass within which a reader settles, or says unreadable only once."""
    until = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > until, "time passes")
