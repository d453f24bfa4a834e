# SPDX-License-Identifier: AGPL-3.0-or-later
"""On real lgpio and a simulated GPIO chip: is the relay's line at rest whenever nobody was admitted, also after `kill -9`?"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.system import virtual_pi

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]
Scenes = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    """What happened in the virtual Pi, scene by scene."""
    if (reason := virtual_pi.why_not()) is not None:
        pytest.skip(reason)
    said = virtual_pi.run("pins.py", tmp_path_factory.mktemp("virtual-pi"))
    told = [json.loads(line[line.index("{") :]) for line in said.splitlines() if '{"scene"' in line]
    assert told, said[-4000:]
    assert told[-1]["scene"] == "end", said[-4000:]
    return {scene["scene"]: scene for scene in told}


@pytest.mark.parametrize("board", ["active high", "active low"])
def test_the_line_moves_for_a_tap_and_for_nothing_else(scenes: Scenes, board: str) -> None:
    """From before the agent's start on: at rest, one pulse as long as it was set, at rest, but for the scheduler's share."""
    tap = scenes[f"{board}: a tap"]
    rest = tap["rest"]
    assert tap["levels"] == [rest, 1 - rest, rest]
    assert 1.3 <= tap["pulse_seconds"] <= 2.5


@pytest.mark.parametrize("board", ["active high", "active low"])
def test_a_killed_agent_leaves_the_line_at_rest(scenes: Scenes, board: str) -> None:
    """SIGKILL in the middle of a pulse: the kernel lets the line go, the resistor holds it, within a second."""
    killed = scenes[f"{board}: kill -9"]
    assert killed["levels"] == [killed["rest"], 1 - killed["rest"], killed["rest"]]
    assert killed["off_after_seconds"] < 1.0


@pytest.mark.parametrize("board", ["active high", "active low"])
def test_start_and_stop_move_nothing(scenes: Scenes, board: str) -> None:
    """Started again after the kill, tapped and stopped within the pulse: one rise, one fall, at rest."""
    stopped = scenes[f"{board}: started again, stopped within a pulse"]
    assert stopped["levels"] == [stopped["rest"], 1 - stopped["rest"], stopped["rest"]]


def test_a_bouncing_contact_is_told_once(scenes: Scenes) -> None:
    """Closed, then three openings and closings, each with bounce: so many stand in the journal."""
    assert (scenes["bounces"]["opened"], scenes["bounces"]["closed"]) == (3, 4)
