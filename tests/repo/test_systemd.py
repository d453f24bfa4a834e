# SPDX-License-Identifier: AGPL-3.0-or-later
"""Would systemd take the units as they are, and how much of the machine do they leave to the programs?"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from door_agent.cli import main as door_agent

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="systemd-analyze is not on this machine; it is in Debian's package systemd"
)
INSTALLED = {"door-agent": "/opt/hubkey/bin/door-agent", "booking-server": "/usr/bin/booking-server"}
EXPOSURE_MAX = 19  # tenths


def analyze(*arguments: str | Path) -> tuple[int, str]:
    done = subprocess.run([str(ANALYZE), *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_is_taken_without_a_word(unit: Path, tmp_path: Path) -> None:
    """Every key and value is known and the program exists; programs stand in for the installed ones."""
    text = unit.read_text(encoding="utf-8")
    for name, installed in INSTALLED.items():
        program = tmp_path / name
        program.write_text("#!/bin/sh\n", encoding="ascii")
        program.chmod(0o755)
        text = text.replace(f"={installed} ", f"={program} ")
    there = tmp_path / unit.name
    there.write_text(text, encoding="utf-8")
    code, said = analyze("verify", "--man=no", there)
    assert (code, [line for line in said.splitlines() if unit.stem in line]) == (0, [])


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_each_unit_leaves_little_of_the_machine(unit: Path) -> None:
    """The exposure that systemd reckons is below 2.0 of 10."""
    code, said = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    assert code == 0, said.splitlines()[-1]


@needs_systemd
@pytest.mark.parametrize("reader", ["evdev", "osdp"])
def test_what_another_reader_needs_leaves_as_little(reader: str, tmp_path: Path) -> None:
    """With the devices of a reader that is not PC/SC the door is below 2.0 too, and systemd knows every key."""
    unit = tmp_path / "door-agent.service"
    more = (FOLDER.parent / "firmware_config" / f"reader-{reader}.conf").read_text(encoding="utf-8").partition("[Service]\n")[2]
    text = (FOLDER / "door-agent.service").read_text(encoding="utf-8").replace(INSTALLED["door-agent"], "/bin/true")
    unit.write_text(text.replace("[Install]", f"{more}[Install]"), encoding="utf-8")
    assert more.count("DeviceAllow=") > 0
    assert analyze("verify", "--man=no", unit)[1].count(str(unit)) == 0
    code, said = analyze("security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", "--no-pager", unit)
    assert code == 0, said.splitlines()[-1]


@needs_systemd
def test_the_door_may_ask_whether_its_clock_is_kept_in_step() -> None:
    """adjtimex is in systemd's clock group, which our other rules take away; without it no door would ever trust its time."""
    unit = (FOLDER / "door-agent.service").read_text(encoding="utf-8")
    rules = [line.partition("=")[2] for line in unit.splitlines() if line.startswith("SystemCallFilter=")]
    allowed: set[str] = set()
    for rule in rules:
        words = {call for word in rule.removeprefix("~").split() for call in calls(word)}
        allowed = allowed - words if rule.startswith("~") else allowed | words
    assert {"adjtimex", "clock_adjtime"} <= allowed
    assert "clock_settime" not in allowed
    assert not any(line.startswith(("ProtectClock=", "ProcSubset=", "PrivateDevices=")) for line in unit.splitlines())


def test_the_library_of_the_pins_finds_a_folder_of_its_own() -> None:
    """lgpio makes a pipe at its import, and cannot in the unit's current directory: it is sent to the unit's own folder."""
    unit = (FOLDER / "door-agent.service").read_text(encoding="utf-8")
    settings = dict(line.partition("=")[::2] for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Environment"] == f"LG_WD=/run/{settings['RuntimeDirectory']}"
    assert settings["RuntimeDirectoryMode"] == "0700"


def calls(word: str) -> set[str]:
    """Return the system calls of a group of systemd's, or the call itself."""
    if not word.startswith("@"):
        return {word}
    listed = analyze("syscall-filter", word)[1].splitlines()[1:]
    named = {line.split()[0] for line in listed if line.strip() and not line.strip().startswith("#")}
    return {call for name in named for call in calls(name)}


def test_what_the_units_run_are_commands_that_exist() -> None:
    """Each ExecStart is one of our two programs with a command that it knows."""
    from booking_server.cli import COMMANDS

    for unit in UNITS:
        line = next(line for line in unit.read_text(encoding="utf-8").splitlines() if line.startswith("ExecStart="))
        program, command, *_ = line.removeprefix("ExecStart=").split()
        assert program in INSTALLED.values()
        assert command in (door_agent.commands if program.endswith("door-agent") else COMMANDS)
