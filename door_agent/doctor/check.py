# SPDX-License-Identifier: AGPL-3.0-or-later
"""One check of a door's box: its name, how it went, and a sentence that says what is wrong and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """UNKNOWN: it cannot be told on this machine, or not yet. That is not good, and there is nothing to do for it alone."""

    GOOD = "good"
    TO_DO = "to do"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """`lines` are to be copied as they are."""

    name: str
    verdict: Verdict
    sentence: str = ""
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        said = f"{self.name:<12} {self.verdict}" + (f": {self.sentence}" if self.sentence else "")
        return "\n".join((said, *(f"    {line}" for line in self.lines)))


def good(name: str, sentence: str = "") -> Check:
    return Check(name, Verdict.GOOD, sentence)


def to_do(name: str, sentence: str, lines: Iterable[str] = ()) -> Check:
    return Check(name, Verdict.TO_DO, sentence, tuple(lines))


def unknown(name: str, sentence: str) -> Check:
    return Check(name, Verdict.UNKNOWN, sentence)


def one(name: str, troubles: Iterable[str], otherwise: str = "") -> Check:
    """Return what is to be done as one check, or that it is good."""
    said = "; ".join(troubles)
    return to_do(name, said) if said else good(name, otherwise)
