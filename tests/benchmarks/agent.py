# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the door's process costs: from its start to the first decision, its memory, and what it takes while nothing happens.

The door holds its snapshot already, as after a power cut. The start happens alone, without a broker; memory and idleness are
those of a door connected over mutual TLS. It runs as its unit runs it, and without what only the tests bring along: libraries
that are not in requirements-door.lock are hidden from it, and from its floor.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from access_contract.vocabulary import TagNumber, tag_hash
from tests.benchmarks.measure import Result, alternate, compared, timed
from tests.door_agent.snapshot_files import AT, keep, snapshot, tag
from tests.system import parts
from tests.system.building import Building
from tests.system.door import AGENT, Door
from tests.system.processes import wait_for

NUMBER = TagNumber.parse("04 78 2E 21 80 1D 80")
SIZES = (10_000, 100_000)
STARTS = 5
GOAL_START, GOAL_MEMORY, GOAL_IDLE = 5.0, 5.0, 0.01
IDLE_SECONDS = float(os.environ.get("BENCH_IDLE_SECONDS", "20"))
_NOT_AT_A_DOOR = ("rich", "typing_extensions", "greenlet", "better_exceptions")
"""Libraries which a door's own use where they find them."""
_UNIT = parts.CHECKOUT / "systemd" / "door-agent.service"
_FIRST_MOVES_SECONDS = 10.0
_TAPS = 20


def run() -> list[Result]:
    """Return the start and the memory with 10 000 and 100 000 tags, then the idle door."""
    found = []
    for tags in SIZES:
        with Building(at=AT + timedelta(hours=6)) as building:
            door = _door(building, tags)
            size = f"{tags:,} tags".replace(",", " ")
            found += [_start(door, building, size), _memory(door, building, size)]
    return [*found, _idle()]


@contextmanager
def _as_at_a_door(building: Building) -> Iterator[None]:
    """Let processes that start in here have the environment of a door's."""
    hidden = building.folder / "hidden"
    hidden.mkdir(exist_ok=True)
    for name in _NOT_AT_A_DOOR:
        (hidden / f"{name}.py").write_text(f'raise ImportError("{name} is not at a door")\n', encoding="utf-8")
    set_by_unit = re.findall(r"^Environment=(\w+)=(\S+)$", _UNIT.read_text(encoding="utf-8"), re.MULTILINE)
    before = dict(os.environ)
    os.environ.update({"PYTHONPATH": str(hidden), **dict(set_by_unit)})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _door(building: Building, tags: int) -> Door:
    """A door that holds a snapshot of so many tags, with one of them at hand; not started, and no broker yet."""
    building.command("init")
    desk = building.desk()
    desk.door("front", "Front", leads_into=desk.space(desk.site("Bench"), "Bench", "co-creation"))
    door = building.door("front", start=False, contact={})
    held = snapshot(5, tags=tags)
    key = (door.folder / "tag.key").read_bytes()
    held.tags[tag_hash(key, NUMBER)] = held.tags.pop(tag(1))
    (door.folder / "state").mkdir(exist_ok=True)
    keep(door.folder / "state" / "snapshot.sqlite", held)
    return door


# --- from start to relay ---


def _start(door: Door, building: Building, size: str) -> Result:
    with _as_at_a_door(building):
        floors, products = alternate(
            lambda: [timed(_import_sqlite) for _ in range(STARTS)],
            lambda: [_first_decision(door) for _ in range(STARTS)],
        )
    name = f"process start to relay, {size}"
    return compared(name, 'python -c "import sqlite3"', floors, products, goal=GOAL_START, unit="ms", scale=1e3)


def _import_sqlite() -> None:
    subprocess.run([sys.executable, "-c", "import sqlite3"], check=True)


def _first_decision(door: Door) -> float:
    """Return the seconds from the process' start to the move of its relay for a tag that lies on the reader already."""
    door.control.unlink(missing_ok=True)
    began = time.monotonic()
    with subprocess.Popen(
        [AGENT, "--config", door.folder / "door.toml", "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            with closing(_connected(door.control)) as pins, closing(_connected(door.control)) as hand:
                pins.sendall(b'{"do":"watch"}\n')
                hand.sendall(json.dumps({"do": "tap", "number": NUMBER.uid.hex()}).encode() + b"\n")
                return _relay_on(pins) - began
        finally:
            process.kill()


def _connected(control: Path) -> socket.socket:
    until = time.monotonic() + _FIRST_MOVES_SECONDS
    while time.monotonic() < until:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_FIRST_MOVES_SECONDS)
        with suppress(OSError):
            connection.connect(str(control))
            return connection
        connection.close()
        time.sleep(0.001)
    raise RuntimeError(f"{control}: nobody listens")


def _relay_on(pins: socket.socket) -> float:
    with pins.makefile("rb") as lines:
        for line in lines:
            said = json.loads(line)
            if said.get("pin") == "relay" and said["on"]:
                return float(said["at_ms"]) / 1000
    raise RuntimeError("the door ended before its relay moved")


# --- memory ---


def _memory(door: Door, building: Building, size: str) -> Result:
    building.start_broker()
    with _as_at_a_door(building):
        floors, products = alternate(lambda: [_bare_python()], lambda: [_connected_door(door)])
    name = f"memory, connected, {size}"
    return compared(name, "bare Python", floors, products, goal=GOAL_MEMORY, unit="MiB", scale=1.0)


def _bare_python() -> float:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident = resident_mib(process.pid)
        process.kill()
    return resident


def _connected_door(door: Door) -> float:
    heard = len(door.said())
    door.start()
    wait_for(lambda: "online" in door.said()[heard:], "the door is online")
    for _ in range(_TAPS):
        door.tap(NUMBER)
    wait_for(lambda: door.pins.rises("relay"), "the door opens")
    resident = resident_mib(pid_of(door))
    door.kill()
    return resident


def pid_of(door: Door) -> int:
    """Return the process that runs this door's settings."""
    wanted = str(door.folder / "door.toml")
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in entry.read_text().split("\0"):
                return int(entry.parent.name)
    raise RuntimeError(f"no door runs from {wanted}")


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


# --- idle ---


def _idle() -> Result:
    real = parts.pcscd() is not None and parts.vpcd_driver() is not None and parts.pyscard()
    with Building(at=AT + timedelta(hours=6), readers=("front",) if real else ()) as building:
        door = _door(building, SIZES[0])
        building.start_broker()
        with _as_at_a_door(building):
            door.start()
        wait_for(lambda: "online" in door.said(), "the door is online")
        time.sleep(_FIRST_MOVES_SECONDS)  # the file is proven, the request for a snapshot stays unanswered
        pid = pid_of(door)
        rounds = [[_busy_seconds(pid)] for _ in range(3)]
    name = f"idle door, {'pcsc' if real else 'simulated'} reader, a minute"
    return compared(name, "a minute of one core", [[60.0]] * 3, rounds, goal=GOAL_IDLE, unit="s", scale=1.0)


def _busy_seconds(pid: int) -> float:
    """Return for how long any of its threads ran, in seconds a minute."""
    before = _ran_seconds(pid)
    began = time.monotonic()
    time.sleep(IDLE_SECONDS)
    return (_ran_seconds(pid) - before) / (time.monotonic() - began) * 60


def _ran_seconds(pid: int) -> float:
    return sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
