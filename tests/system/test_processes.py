# SPDX-License-Identifier: AGPL-3.0-or-later
"""Children: none is left, however we end, and one that does not come up says so in its own words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.system.processes import NotReady, Processes, wait_for

PARENT = """
import sys
from pathlib import Path
from tests.system.processes import Processes
children = Processes(Path(sys.argv[1]))
child = children.start("sleeper", ["sh", "-c", "trap '' TERM INT HUP; sleep 300 & echo $!; wait"])
child.wait_until(lambda: child.said().strip())
print(child.process.pid, child.said().strip(), flush=True)
sys.stdin.read()
"""


def _gone(pid: int) -> bool:
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    return True


def test_a_killed_parent_leaves_no_process(tmp_path: Path) -> None:
    """When the parent is killed outright, its children and theirs are gone, even those that ignore being asked to end."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(_gone(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: all(_gone(pid) for pid in pids), "every child gone")


def test_closing_stops_grandchildren_too(tmp_path: Path) -> None:
    """After closing, nothing that a child started is still running."""
    with Processes(tmp_path) as children:
        child = children.start("parent", ["sh", "-c", "sleep 300 & echo $!; wait"])
        child.wait_until(lambda: child.said().strip())
        grandchild = int(child.said())
    assert _gone(child.process.pid)
    wait_for(lambda: _gone(grandchild), "the grandchild gone")


def test_a_part_that_ends_early_is_quoted(tmp_path: Path) -> None:
    """A part that ends before it is ready is reported at once, with its name, exit code and last words."""
    with Processes(tmp_path) as children:
        child = children.start("broker", ["sh", "-c", "echo port 8883 is taken; exit 3"])
        with pytest.raises(NotReady, match=r"(?s)broker ended with 3.*port 8883 is taken"):
            child.wait_until(lambda: False)
