# SPDX-License-Identifier: AGPL-3.0-or-later
"""Runs in the virtual Pi: the real agent on real lgpio, a keyboard reader made in the kernel, and an eye on each line.

Writes one line of JSON for each scene: what the relay's line did from before the agent's start until after its end.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec

from access_contract.messages import Event
from access_contract.snapshot import DoorRules
from door_agent.journal_file import kept
from door_agent.readers.evdev import grabbed
from tests.door_agent.test_agent import NUMBER, write_door
from tests.door_agent.test_evdev_reader import keyboard
from tests.system.processes import NotReady, wait_for

CHIP = next(Path("/sys/devices/platform/gpio-sim.0").glob("gpiochip*"))
RELAY, CONTACT = 17, 22
PULSE_SECONDS = 1.5


class Eye:
    """Looks at a line all the time and keeps every change: (monotonic seconds, level)."""

    def __init__(self, line: int) -> None:
        self._value, self.moves = CHIP / f"sim_gpio{line}" / "value", [(time.monotonic(), self.level(line))]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    @staticmethod
    def level(line: int) -> int:
        return int((CHIP / f"sim_gpio{line}" / "value").read_text())

    def close(self) -> list[int]:
        """Return the levels that the line had, in order."""
        self._ended.set()
        self._thread.join()
        return [level for _, level in self.moves]

    def _look(self) -> None:
        descriptor = os.open(self._value, os.O_RDONLY)
        while not self._ended.is_set():
            level = int(os.pread(descriptor, 4, 0))
            if level != self.moves[-1][1]:
                self.moves.append((time.monotonic(), level))
        os.close(descriptor)


def pull(line: int, *, up: bool) -> None:
    """Solder a resistor to the line."""
    (CHIP / f"sim_gpio{line}" / "pull").write_text("pull-up" if up else "pull-down")


@contextmanager
def agent(folder: Path, device: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the door, from when it holds its reader on."""
    command = [sys.executable, "-c", "from door_agent.cli import main; main()", "--config", str(folder / "door.toml"), "run"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: process.poll() is not None or is_held(device), "the door holds its reader", limit_seconds=90)
        yield process
    except BaseException:
        print((folder / "log").read_text(), flush=True)
        raise
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()


def is_held(device: Path) -> bool:
    try:
        os.close(grabbed(device))
    except OSError:
        return True
    return False


def settle(folder: Path, device: Path, *, active_high: bool) -> None:
    """Make a door with real pins, the keyboard as its reader, and a member whose tag opens though the clock is in doubt."""
    folder.mkdir()
    toml = write_door(folder, rules=DoorRules(untrusted_clock_admits=True))
    text = toml.read_text().replace("demo = true\n", "").replace('simulated = { control = "control" }\n', "")
    text = text.replace('kind = "simulated"', f'kind = "evdev", device = "{device}"')
    text = text.replace("pulse_seconds = 0.3", f"pulse_seconds = {PULSE_SECONDS}, active_high = {str(active_high).lower()}")
    toml.write_text(text)


def tap(types: Callable[[str], None], eye: Eye, on: int) -> float:
    """Tap as a person does, once more if nothing happens, until the relay is energised; return when the last tap began."""
    for _ in range(10):
        since = time.monotonic()
        types(f"{NUMBER}\n")
        with suppress(NotReady):
            wait_for(lambda: any(level == on for _, level in eye.moves), "the relay moves", limit_seconds=6)
            return since
    raise NotReady("ten taps, and the relay was never energised")


def a_day(folder: Path, types: Callable[[str], None], device: Path, *, active_high: bool) -> None:
    """Start, tap and let the pulse end; tap and be killed; start, tap and be stopped: told scene by scene."""
    rest, on = (0, 1) if active_high else (1, 0)
    pull(RELAY, up=not active_high)  # the resistor that holds the relay off while nobody drives the line
    settle(folder, device, active_high=active_high)
    name = "active high" if active_high else "active low"
    eye = Eye(RELAY)
    with agent(folder, device) as process:
        since = tap(types, eye, on)
        wait_for(lambda: eye.moves[-1][1] == rest and len(eye.moves) >= 3, "the pulse ends", limit_seconds=30)
        pulse = eye.moves[-1][0] - eye.moves[-2][0]
        tell(f"{name}: a tap", eye, rest=rest, pulse_seconds=round(pulse, 3), after_seconds=round(eye.moves[1][0] - since, 3))
        eye = Eye(RELAY)
        time.sleep(2.5)  # the same tag is a new tap once it is off the reader
        tap(types, eye, on)
        killed = time.monotonic()
        process.kill()
        process.wait()
        wait_for(lambda: eye.moves[-1][1] == rest, "the line is at rest", limit_seconds=30)
        tell(f"{name}: kill -9", eye, rest=rest, off_after_seconds=round(eye.moves[-1][0] - killed, 3))
    eye = Eye(RELAY)
    with agent(folder, device) as process:
        tap(types, eye, on)
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        wait_for(lambda: eye.moves[-1][1] == rest, "the line is at rest", limit_seconds=30)
    tell(f"{name}: started again, stopped within a pulse", eye, rest=rest)


def bounces(folder: Path, device: Path) -> None:
    """A contact that bounces as it opens and closes, three times.

    The agent's pull-up opens it at the start, as nothing here outweighs it as a real switch does: it is closed first.
    """
    with agent(folder, device):
        pull(CONTACT, up=False)
        wait_for(partial(is_told, folder, "closed", 1), "the contact is closed", limit_seconds=60)
        for number in range(1, 4):
            for up in (True, False, True, False, True):
                pull(CONTACT, up=up)
            wait_for(partial(is_told, folder, "opened", number), "the opening is told", limit_seconds=60)
            for up in (False, True, False, True, False):
                pull(CONTACT, up=up)
            wait_for(partial(is_told, folder, "closed", number + 1), "the closing is told", limit_seconds=60)
    counted = told(folder)
    print(json.dumps({"scene": "bounces", "opened": counted["opened"], "closed": counted["closed"]}), flush=True)


def is_told(folder: Path, kind: str, count: int) -> bool:
    return told(folder)[kind] >= count


def told(folder: Path) -> Counter[str]:
    """Return how many events of each kind stand in the door's journal."""
    kinds = [msgspec.json.decode(content, type=Event).what for _, _, content in kept_in(folder / "state" / "journal.sqlite")]
    return Counter(str(type(what).__struct_config__.tag) for what in kinds)


def kept_in(file: Path) -> list[tuple[str, int, bytes]]:
    with closing(sqlite3.connect(file)) as database:
        return list(kept(database))


def tell(name: str, eye: Eye, **more: object) -> None:
    print(json.dumps({"scene": name, "levels": eye.close(), **more}), flush=True)


if __name__ == "__main__":
    with keyboard() as (types, device):
        pull(CONTACT, up=False)
        a_day(Path("/run/high"), types, device, active_high=True)
        bounces(Path("/run/high"), device)
        a_day(Path("/run/low"), types, device, active_high=False)
    print(json.dumps({"scene": "end"}), flush=True)
