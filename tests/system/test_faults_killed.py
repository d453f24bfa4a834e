# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is every tap answered and counted once while agents, broker, pcscd and server are killed at random moments?

A round that fails is run again alone, with the same seed, by its number: `pytest -m soak -k seed-7 <this file>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system import parts, pcsc
from tests.system.hard_day import Hand, HardDay, hard_day, unaccounted
from tests.system.one_door import unacknowledged
from tests.system.processes import wait_for

ROUNDS, TAPS, DEATHS = 20, 100, 10
_SOAKS = [
    pytest.param(seed, TAPS, DEATHS, marks=[pytest.mark.soak, pytest.mark.timeout(600)], id=f"seed-{seed}")
    for seed in range(1, ROUNDS + 1)
]

_WITH_HOLES = "select count(*) from (select 1 from events group by journal having count(*) <> max(sequence))"


@pytest.fixture(scope="module")
def day() -> Iterator[HardDay]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    if reason := pcsc.why_not():
        pytest.skip(reason)
    with hard_day() as made:
        yield made


@pytest.mark.parametrize(("seed", "taps", "deaths"), [pytest.param(0, 30, 5, id="seed-0"), *_SOAKS])
def test_law_1_kills_at_random_moments_lose_no_tap_and_count_none_twice(
    day: HardDay, seed: int, taps: int, deaths: int
) -> None:
    """Every tap that no kill cut off is answered; the server holds exactly what was answered, in order, each once; no relay
    went on without a tap, none stayed on, and each door's journal is whole."""
    before = [len(day.stored(hand.door)) for hand in day.hands]
    for hand in day.hands:
        hand.begin()
    with ThreadPoolExecutor(1 + len(day.hands)) as pool:
        killed = pool.submit(day.killer.work, deaths, seed)
        tapped = [
            pool.submit(hand.work, share, lambda: not killed.done(), seed + place)
            for hand, share, place in zip(day.hands, (taps // 5, taps - taps // 5), (1000, 2000), strict=True)
        ]
        for done in (killed, *tapped):
            done.result()
    for hand, had in zip(day.hands, before, strict=True):
        settle(hand)
        assert unaccounted(hand.tapped, day.stored(hand.door)[had:]) is None
        assert hand.relay_faults() == []
        assert sum(tap.cut for tap in hand.tapped) <= sum(day.killer.dead.values())
    assert day.number("select count(*) from forks") == 0
    assert day.number("select count(*) from journals") == len(day.hands)
    assert day.number(_WITH_HOLES) == 0
    assert day.building.fault() is None


def settle(hand: Hand) -> None:
    """Wait until the server has all that the door wrote, and the door is locked."""
    wait_for(lambda: not unacknowledged(hand.door), "everything is acknowledged", limit_seconds=40)
    wait_for(lambda: not hand.door.pins.is_on("relay"), "the relay is off")
