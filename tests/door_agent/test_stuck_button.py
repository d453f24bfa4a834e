# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does a door do whose exit button is stuck, as a wire that was pinched or a chair at the wall makes it?"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from door_agent.journal import Journal
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.door_agent.test_disk import AGENT
from tests.system.pins import PinHistory
from tests.system.processes import Processes, wait_for

STUCK_SECONDS = 5
"""No setting is shorter."""


def told(folder: Path, words: bytes) -> list[bytes]:
    """The events in the door's journal that have these words in them."""
    journal = Journal(folder / "state" / "journal.sqlite")
    try:
        return [event for event in journal.unacknowledged(1000) if words in event]
    finally:
        journal.close()


@pytest.mark.soak
def test_a_stuck_exit_button_is_told_moves_no_relay_and_excuses_no_opening(tmp_path: Path) -> None:
    """Tags open as ever, for one pulse each. After a while staff are told, and an opening counts as forced again; once the
    button is free, that is told too."""
    toml = write_door(tmp_path)
    toml.write_text(f"{toml.read_text(encoding='utf-8')}exit_button = {{ pin = 27, stuck_seconds = {STUCK_SECONDS} }}\n")
    pins, since = PinHistory(), time.monotonic()
    with Processes(tmp_path / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"])
        door.wait_until((tmp_path / "control").exists)
        pins.follow(tmp_path / "control")
        say(tmp_path, do="exit", on=True)
        say(tmp_path, do="contact", open=True)
        say(tmp_path, do="contact", open=False)
        say(tmp_path, do="tap", number=NUMBER)
        (fall,) = wait_for(lambda: pins.falls("relay", since), "the pulse of the tap ends")
        wait_for(lambda: told(tmp_path, b'"about":"exit_stuck","raised":true'), "it is told", limit_seconds=STUCK_SECONDS + 3)
        assert told(tmp_path, b'"forced":true') == []
        say(tmp_path, do="contact", open=True)
        wait_for(lambda: told(tmp_path, b'"forced":true'), "the opening is forced")
        say(tmp_path, do="exit", on=False)
        wait_for(lambda: told(tmp_path, b'"about":"exit_stuck","raised":false'), "that it is free is told")
        (rise,) = pins.rises("relay", since)
        assert fall.at - rise.at == pytest.approx(0.3, abs=0.15)
        assert door.stop() == 0
