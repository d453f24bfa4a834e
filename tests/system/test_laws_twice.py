# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every part started twice: the second says in one line what is in its way, and the first goes on as if nothing was."""

from __future__ import annotations

import subprocess

import pytest

from tests.system import parts
from tests.system.building import SERVER
from tests.system.door import AGENT
from tests.system.one_door import OneDoor


@pytest.mark.parametrize("part", ["broker", "doors", "door-agent"])
def test_a_second_one_says_what_is_in_its_way(hub: OneDoor, part: str) -> None:
    """It ends at once with one clear line and no traceback, and the first still answers a tap."""
    told = subprocess.run(_command(hub, part), capture_output=True, text=True, check=False, env=parts.environment(), timeout=20)
    assert told.returncode == 1
    assert len(told.stderr.strip().splitlines()) == 1, told.stderr
    assert "in use" in told.stderr or "another" in told.stderr
    assert hub.building.fault() is None
    before = len(hub.desk.taps())
    hub.opens(hub.tap())
    assert hub.arrived(before, 1)[0].decided_by == "server"


def _command(hub: OneDoor, part: str) -> list[str]:
    server = [str(SERVER), "--config", str(hub.building.settings)]
    return {
        "broker": [*server, "broker", "run"],
        "doors": [*server, "doors"],
        "door-agent": [str(AGENT), "--config", str(hub.door.folder / "door.toml"), "run"],
    }[part]
