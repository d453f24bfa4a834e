# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the PC/SC reader see each tag once, through the real pcscd?"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.system.pcsc import CardRoom, why_not

_READ = """
import sys, threading
from door_agent.readers.pcsc import PcscReader
reader = PcscReader(sys.argv[1], lambda number: print(number, flush=True))
sys.stdin.readline()
"""


@pytest.mark.skipif(why_not() is not None, reason=why_not() or "")
def test_a_tag_laid_on_is_read_once() -> None:
    """The number comes whole, in anticollision order, one line for one tap."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, CardRoom(Path(folder), ["Front"]) as room:
        command = [sys.executable, "-c", _READ, room.reader("Front")]
        reader = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **room.environment}
        )
        room.tap("Front", bytes.fromhex("04782E21801D80"))
        said, _ = reader.communicate("\n", timeout=10)
        assert said.split() == ["04782E21801D80"]
