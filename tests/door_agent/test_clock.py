# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the door's time never go back behind what was known, and is it doubted when it should be?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from access_contract.vocabulary import ClockQuality
from door_agent.clock import SystemClock, turned_clock
from door_agent.floor import floor_of, keep_floor

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Wall:
    """The machine's clock, the kernel's word on it, and the time that really passes."""

    def __init__(self, at: datetime = T0, *, synced: bool = True) -> None:
        self.at, self.synced, self.seconds = at, synced, 0.0

    def clock(self, not_before: datetime | None = None) -> SystemClock:
        return SystemClock(not_before, read=lambda: self.at, is_synced=lambda: self.synced, monotonic=lambda: self.seconds)

    def passes(self, span: timedelta) -> None:
        self.at, self.seconds = self.at + span, self.seconds + span.total_seconds()


def test_a_clock_set_back_stands_still_and_is_not_trusted() -> None:
    """Until it has caught up: one of its two times was wrong, and which one nobody here can say."""
    wall = Wall()
    clock = wall.clock()
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.SYNCED)
    wall.at = T0 - HOUR
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.UNTRUSTED)
    wall.passes(HOUR + timedelta(seconds=1))
    assert (clock.now(), clock.quality()) == (wall.at, ClockQuality.SYNCED)


def test_a_small_correction_is_no_reason_for_doubt() -> None:
    """A second back is held, and trusted."""
    wall = Wall()
    clock = wall.clock()
    clock.now()
    wall.at -= timedelta(seconds=1)
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.SYNCED)


def test_a_pi_without_a_battery_goes_on_from_what_was_known() -> None:
    """At 1970 time goes on from the last known instant; trusted once the kernel says so, and held over after."""
    wall = Wall(YEAR_1970, synced=False)
    clock = wall.clock(T0)
    assert (clock.now(), clock.quality()) == (T0, ClockQuality.UNTRUSTED)
    wall.passes(3 * DAY)
    assert (clock.now(), clock.known(), clock.quality()) == (T0 + 3 * DAY, T0 + 3 * DAY, ClockQuality.UNTRUSTED)
    wall.at, wall.synced = T0 + 4 * DAY, True
    assert (clock.now(), clock.quality()) == (wall.at, ClockQuality.SYNCED)
    wall.synced = False
    assert clock.quality() is ClockQuality.HOLDOVER


def test_a_server_whose_clock_is_ahead_does_not_take_away_trust() -> None:
    """A snapshot made two minutes in our future holds our time, and no more."""
    clock = Wall().clock(T0 + timedelta(minutes=2))
    assert (clock.now(), clock.quality()) == (T0 + timedelta(minutes=2), ClockQuality.SYNCED)


def test_a_clock_in_step_but_a_day_behind_what_was_known_is_doubted() -> None:
    """Whoever turns the network's time back does not bring back a right that has ended."""
    clock = Wall(T0 - DAY).clock(T0)
    assert (clock.now(), clock.quality(), clock.known()) == (T0, ClockQuality.UNTRUSTED, None)


def test_what_an_untrusted_clock_said_binds_nothing() -> None:
    """A battery clock that is years ahead until the network sets it right costs no trust and is not kept."""
    wall = Wall(T0 + 3650 * DAY, synced=False)
    clock = wall.clock(T0)
    assert (clock.now(), clock.known(), clock.quality()) == (wall.at, T0, ClockQuality.UNTRUSTED)
    wall.at, wall.synced = T0 + HOUR, True
    assert (clock.now(), clock.known(), clock.quality()) == (T0 + HOUR, T0 + HOUR, ClockQuality.SYNCED)


def test_the_night_in_which_an_hour_comes_twice_is_one_night() -> None:
    """Summer time ends and begins: the door's clock runs on in UTC and is trusted throughout."""
    zone = ZoneInfo("Europe/Helsinki")
    for night in (datetime(2026, 10, 25, 2, 30, tzinfo=zone), datetime(2026, 3, 29, 2, 30, tzinfo=zone)):
        wall = Wall(night.astimezone(UTC))
        clock = wall.clock()
        seen = []
        for _ in range(16):
            seen.append(clock.now())
            assert clock.quality() is ClockQuality.SYNCED
            wall.passes(timedelta(minutes=15))
        assert {later - earlier for earlier, later in pairwise(seen)} == {timedelta(minutes=15)}


@given(st.lists(st.tuples(st.sampled_from(["passes", "jumps", "synced", "lost", "boots"]), st.integers(-40, 40)), max_size=40))
def test_now_never_goes_back_behind_what_was_known(moves: list[tuple[str, int]]) -> None:
    """Stepped both ways, in step or not, over many starts: now is never before what was kept, nor before a trusted now."""
    wall, trusted, kept = Wall(synced=False), T0, T0
    clock = wall.clock(T0)
    for move, hours in moves:
        if move == "passes":
            wall.passes(abs(hours) * HOUR)
        elif move == "jumps":
            wall.at += hours * HOUR
        elif move == "boots":
            wall.at, wall.synced = YEAR_1970, False
            clock = wall.clock(kept)
        else:
            wall.synced = move == "synced"
        kept = clock.known() or kept
        assert clock.now() >= kept >= trusted
        if clock.quality() is not ClockQuality.UNTRUSTED:
            trusted = clock.now()


def test_what_is_known_outlasts_a_power_cut(tmp_path: Path) -> None:
    """The floor is kept in a file; the newest of file, last event and snapshot is the floor of the next start."""
    wall = Wall()
    keep_floor(tmp_path / "floor", wall.clock())
    assert floor_of(tmp_path / "floor", (None, T0 - DAY)) == T0
    assert floor_of(tmp_path / "floor", (T0 + DAY, T0 - DAY)) == T0 + DAY
    assert floor_of(tmp_path / "none", (None,)) is None


def test_a_floor_that_cannot_be_read_or_written_is_done_without(tmp_path: Path) -> None:
    """Nonsense in the file, or a disk that takes nothing, keeps no door from coming up."""
    for nonsense in (b"\xff\xfe", b"", b"soon", b"2026-03-01T12:00:00"):
        (tmp_path / "floor").write_bytes(nonsense)
        assert floor_of(tmp_path / "floor", (T0,)) == T0
    keep_floor(tmp_path / "away" / "floor", Wall().clock())
    assert not (tmp_path / "away").exists()


def test_a_turned_clock_follows_its_file_by_the_rules_of_every_clock(tmp_path: Path) -> None:
    """For tests and the demo: seconds, and after them whether anything keeps the clock in step; back it does not go."""
    file = tmp_path / "clock"
    file.write_text("3600 untrusted")
    clock, before = turned_clock(file), turned_clock(None).now()
    assert clock.quality() is ClockQuality.UNTRUSTED
    assert clock.now() > before + timedelta(minutes=59)
    file.write_text("3600")
    assert (clock.quality(), clock.now() > before + timedelta(minutes=59)) == (ClockQuality.SYNCED, True)
    file.write_text("0")
    assert (clock.quality(), clock.now() > before + timedelta(minutes=59)) == (ClockQuality.UNTRUSTED, True)
