# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does a door do whose disk takes five seconds for a sync, as a worn card does? The agent is its own process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from door_agent.journal import Journal
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.door_agent.test_disk import AGENT
from tests.system.disk_between import DiskBetween, why_not
from tests.system.pins import PinHistory
from tests.system.processes import Child, Processes, wait_for

SYNC_SECONDS, PULSE_SECONDS = 5.0, 3.0
ANSWER_SECONDS = 0.35
STRANGER = "04AABBCCDDEE80"


@contextmanager
def door_on(disk: DiskBetween, folder: Path) -> Iterator[tuple[Child, PinHistory]]:
    toml = write_door(folder)
    toml.write_text(toml.read_text(encoding="utf-8").replace("pulse_seconds = 0.3", f"pulse_seconds = {PULSE_SECONDS}"))
    pins = PinHistory()
    with Processes(folder / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"], environment=disk.environment)
        door.wait_until((folder / "control").exists)
        pins.follow(folder / "control")
        yield door, pins


def answered(folder: Path, pins: PinHistory, number: str, lamp: str) -> float:
    """Tap; return after how many seconds the lamp was lit."""
    since = time.monotonic()
    say(folder, do="tap", number=number)
    return wait_for(lambda: pins.rises(lamp, since), f"{lamp} after a tap", limit_seconds=5)[0].at - since


@pytest.mark.skipif(bool(why_not()), reason=why_not() or "")
def test_a_sync_of_five_seconds_lengthens_no_pulse_and_holds_up_no_tap(tmp_path: Path) -> None:
    """In the middle of it the pulse ends when it should, the next tag is answered at once, whoever it is, staff are told that
    the disk is slow, and nothing is missing afterwards."""
    disk = DiskBetween(tmp_path)
    with door_on(disk, tmp_path) as (door, pins):
        disk.be_slow(SYNC_SECONDS)
        since = time.monotonic()
        assert answered(tmp_path, pins, NUMBER, "granted") < ANSWER_SECONDS
        assert answered(tmp_path, pins, STRANGER, "refused") < ANSWER_SECONDS
        (fall,) = wait_for(lambda: pins.falls("relay", since), "the pulse ends", limit_seconds=PULSE_SECONDS + 2)
        (rise,) = pins.rises("relay", since)
        assert abs(fall.at - rise.at - PULSE_SECONDS) < 0.15
        assert time.monotonic() - since < SYNC_SECONDS
        assert answered(tmp_path, pins, NUMBER, "granted") < ANSWER_SECONDS
        disk.be_slow(0)
        assert door.stop(limit_seconds=20) == 0
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    kept = journal.unacknowledged(1000)
    assert journal.verify()
    assert [b'"granted":true' in event for event in kept if b'"kind":"tapped"' in event] == [True, False, True]
    assert any(b'"about":"journal_slow","raised":true' in event for event in kept)
