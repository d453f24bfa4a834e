# SPDX-License-Identifier: AGPL-3.0-or-later
"""`make bench`: runs every benchmark, prints each beside its floor, and fails if a ratio misses its goal."""

from __future__ import annotations

import sys
from importlib import import_module

from tests.benchmarks.measure import Result

ALL = ("decision", "tap", "ingest", "resend", "rights", "agent")


def row(result: Result) -> str:
    sign = "≥" if result.higher_is_better else "≤"
    figures = f"{result.p50:9.1f} / {result.p99:9.1f}   {result.floor_p50:9.1f} / {result.floor_p99:9.1f}"
    verdict = "met" if result.met else "MISSED"
    return (
        f"{result.name:<44} {figures}  {result.unit:<8} {result.ratio:6.2f}x  p99 {result.ratio_p99:5.2f}x  "
        f"{sign} {result.goal:g}x {verdict}   (floor: {result.floor_name})"
    )


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all. Return 1 if any goal was missed."""
    print(f"{'what':<44} {'p50 /  p99':>21}   {'floor p50 /  p99':>21}")
    results: list[Result] = []
    for name in names or ALL:
        for result in import_module(f"tests.benchmarks.{name}").run():
            print(row(result), flush=True)
            results.append(result)
    return 0 if all(result.met for result in results) else 1


sys.exit(main(sys.argv[1:]))
