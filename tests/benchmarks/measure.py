# SPDX-License-Identifier: AGPL-3.0-or-later
"""Takes two samples in alternation (A B B A ...) and says how one stands to the other. The only place that times anything."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measured thing beside its floor. `better` says whether the figures are times (lower) or rates (higher)."""

    name: str
    floor_name: str
    unit: str
    floor_p50: float
    floor_p99: float
    p50: float
    p99: float
    goal: float
    higher_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.p50 / self.floor_p50

    @property
    def ratio_p99(self) -> float:
        return self.p99 / self.floor_p99

    @property
    def met(self) -> bool:
        return self.ratio >= self.goal if self.higher_is_better else self.ratio <= self.goal


def percentile(sample: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the sample lies."""
    ordered = sorted(sample)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def timed(call: Callable[[], object]) -> float:
    """Return how many seconds one call took."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def paced(call: Callable[[], float], *, count: int, every_seconds: float) -> list[float]:
    """Return `count` of what `call` returned, one call each `every_seconds`: an idle machine is the normal case."""
    taken = []
    due = time.perf_counter()
    for _ in range(count):
        due += every_seconds
        taken.append(call())
        time.sleep(max(0.0, due - time.perf_counter()))
    return taken


def alternate(
    floor: Callable[[], list[float]], product: Callable[[], list[float]], *, rounds: int = 3
) -> tuple[list[list[float]], list[list[float]]]:
    """Return the rounds of floor and product, taken A B B A so that neither always goes first."""
    floors: list[list[float]] = []
    products: list[list[float]] = []
    for number in range(rounds):
        for first in (True, False) if number % 2 == 0 else (False, True):
            (floors if first else products).append((floor if first else product)())
    return floors, products


def compared(
    name: str,
    floor_name: str,
    floors: list[list[float]],
    products: list[list[float]],
    *,
    goal: float,
    unit: str = "µs",
    scale: float = 1e6,
) -> Result:
    """Return the median of the rounds' p50 and the best round's p99, of both."""
    return Result(
        name=name,
        floor_name=floor_name,
        unit=unit,
        floor_p50=statistics.median(percentile(r, 0.5) for r in floors) * scale,
        floor_p99=min(percentile(r, 0.99) for r in floors) * scale,
        p50=statistics.median(percentile(r, 0.5) for r in products) * scale,
        p99=min(percentile(r, 0.99) for r in products) * scale,
        goal=goal,
    )
