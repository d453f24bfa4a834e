# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the door's time never go back, and is it doubted when it should be?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from access_contract.vocabulary import ClockQuality
from door_agent.clock import SystemClock

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Wall:
    """The machine's clock and the kernel's word on it."""

    def __init__(self) -> None:
        self.at, self.synced = T0, True

    def clock(self, not_before: datetime | None = None) -> SystemClock:
        return SystemClock(not_before, read=lambda: self.at, is_synced=lambda: self.synced)


def test_a_clock_set_back_stands_still_and_is_not_trusted() -> None:
    """Until it has caught up: one of its two times was wrong, and which one nobody here can say."""
    wall = Wall()
    clock = wall.clock()
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.SYNCED)
    wall.at = T0 - timedelta(hours=1)
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.UNTRUSTED)
    wall.at = T0 + timedelta(seconds=1)
    assert (clock.now(), clock.quality()) == (wall.at, ClockQuality.SYNCED)


def test_a_small_correction_is_no_reason_for_doubt() -> None:
    """A second back is held, and trusted."""
    wall = Wall()
    clock = wall.clock()
    clock.now()
    wall.at -= timedelta(seconds=1)
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.SYNCED)


def test_a_pi_without_a_battery_starts_no_earlier_than_its_snapshot() -> None:
    """It is not trusted until the kernel says that it is kept in step, and holds over when that is lost."""
    wall = Wall()
    wall.at, wall.synced = datetime(1970, 1, 1, tzinfo=UTC), False
    clock = wall.clock(T0)
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.UNTRUSTED)
    wall.at, wall.synced = T0 + timedelta(days=1), True
    assert (clock.now(), clock.quality()) == (wall.at, ClockQuality.SYNCED)
    wall.synced = False
    assert clock.quality() is ClockQuality.HOLDOVER


def test_a_server_whose_clock_is_ahead_does_not_take_away_trust() -> None:
    """A snapshot made two minutes in our future holds our time, and no more."""
    clock = Wall().clock(T0 + timedelta(minutes=2))
    assert (clock.now(), clock.quality()) == (T0 + timedelta(minutes=2), ClockQuality.SYNCED)
