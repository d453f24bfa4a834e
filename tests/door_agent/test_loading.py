# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door load only what it needs to decide, before it decides? On a small machine each library takes its time."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("library", ["paho", "structlog", "libosdp", "smartcard"])
def test_a_door_is_made_without_what_it_needs_later(library: str) -> None:
    """The line, the log and readers that it does not have are loaded beside the loop or never."""
    program = f"import sys, door_agent.cli, door_agent.main; print({library!r} in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"
