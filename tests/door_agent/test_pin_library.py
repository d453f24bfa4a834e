# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the library of the pins find a place for its pipe, wherever the agent is started from? A library stands in for it
that does at its import what lgpio 0.2.2 does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_AS_LGPIO = """
import os
os.chdir(os.environ.get("LG_WD", "."))
os.mkfifo(".lgd-nfy0")
file = os.fdopen(os.open(".lgd-nfy0", os.O_RDWR), "rb")
class error(Exception): pass
def __getattr__(name):
    return 0
"""
_USE = """
import os, sys
from door_agent.errors import MissingPart
from door_agent.relays import use_pins
try:
    use_pins(mock=False)
except MissingPart as missing:
    print(missing)
print(os.getcwd(), os.environ.get("LG_WD"), os.listdir("."), "lgpio" in sys.modules)
"""


def used(tmp_path: Path, **environment: str) -> list[str]:
    """Return what is said when the pins are asked for in an empty folder, and how the process stands afterwards."""
    (tmp_path / "here").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "lgpio.py").write_text(_AS_LGPIO, encoding="ascii")
    variables = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path]), "TMPDIR": str(tmp_path / "tmp"), **environment}
    command = [sys.executable, "-c", _USE]
    done = subprocess.run(
        command, cwd=tmp_path / "here", env={**os.environ, **variables}, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_pipe_lies_neither_here_nor_anywhere_afterwards(tmp_path: Path) -> None:
    """From any directory the pins are asked for; the process stays where it was, and nothing is left behind."""
    assert used(tmp_path)[-1] == f"{tmp_path}/here None [] True"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_folder_that_is_named_is_used(tmp_path: Path) -> None:
    """As the unit does: LG_WD says where."""
    (tmp_path / "run").mkdir()
    assert used(tmp_path, LG_WD=str(tmp_path / "run"))[-1] == f"{tmp_path}/here {tmp_path}/run [] True"
    assert (tmp_path / "run" / ".lgd-nfy0").is_fifo()


def test_a_folder_that_takes_nothing_is_one_clear_line(tmp_path: Path) -> None:
    """It names the variable and its value, and the process has not moved."""
    said = used(tmp_path, LG_WD="/proc/nothing")
    assert said[0].startswith("the GPIO pins cannot be opened: LG_WD is '/proc/nothing', where nothing can be made")
    assert said[1] == f"{tmp_path}/here /proc/nothing [] False"
