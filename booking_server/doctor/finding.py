# SPDX-License-Identifier: AGPL-3.0-or-later
"""One thing that was looked at: how it is, in a sentence, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """WARNING: it works, and will not for long, or something is missing. FAULT: it does not work, or is not safe.

    UNKNOWN: it cannot be told here or not yet. That is not well, and there is nothing to do for it alone.
    """

    OK = "ok"
    UNKNOWN = "unknown"
    WARNING = "warning"
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`about` names what was looked at, `says` how it is, `to_do` what to do: a sentence or a line to copy, "" for nothing."""

    level: Level
    about: str
    says: str
    to_do: str = ""

    def __str__(self) -> str:
        line = f"{self.about:<13} {self.level:<8} {self.says}"
        return f"{line}\n{'':<13} -> {self.to_do}" if self.to_do else line


def ok(about: str, says: str) -> Finding:
    return Finding(level=Level.OK, about=about, says=says)


def unknown(about: str, says: str) -> Finding:
    return Finding(level=Level.UNKNOWN, about=about, says=says)


def warning(about: str, says: str, to_do: str) -> Finding:
    return Finding(level=Level.WARNING, about=about, says=says, to_do=to_do)


def fault(about: str, says: str, to_do: str) -> Finding:
    return Finding(level=Level.FAULT, about=about, says=says, to_do=to_do)


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 where nothing is to be done, 1 for warnings, 2 where something does not work or is not safe."""
    levels = {finding.level for finding in findings}
    return 2 if Level.FAULT in levels else 1 if Level.WARNING in levels else 0
