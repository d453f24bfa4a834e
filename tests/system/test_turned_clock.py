# SPDX-License-Identifier: AGPL-3.0-or-later
"""The building's clock: every process that reads the file lives in the turned time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from booking_server.clock import TurnedClock
from tests.system.turned_clock import ClockHand

AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)


def test_another_reader_of_the_file_sees_the_turned_time(tmp_path: Path) -> None:
    """A clock of another process is at the instant the hand was turned to, goes on from there, and follows the next turn."""
    hand = ClockHand(tmp_path / "clock")
    elsewhere = TurnedClock(tmp_path / "clock")
    hand.turn_to(AT)
    assert AT <= elsewhere.now() < AT + timedelta(seconds=5)
    hand.turn_by(timedelta(days=22))
    assert timedelta(days=22) <= elsewhere.now() - AT < timedelta(days=22, seconds=5)


def test_turning_leaves_deadlines_alone(tmp_path: Path) -> None:
    """Monotonic time does not jump when the clock is turned, so no deadline or relay pulse is cut or stretched."""
    hand = ClockHand(tmp_path / "clock")
    before = hand.clock.monotonic()
    hand.turn_to(AT)
    assert 0 <= hand.clock.monotonic() - before < 5
