# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one place of the server where time is read. Everything else is told what time it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What time it is: `now` aware and UTC, `monotonic` in seconds for deadlines."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class TurnedClock:
    """The machine's clock plus the seconds written in a file, so that a demo or a test can jump. Only with demo = true."""

    offset_file: Path

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset_seconds())

    def monotonic(self) -> float:
        return time.monotonic()

    def _offset_seconds(self) -> float:
        try:
            return float(self.offset_file.read_text(encoding="ascii") or 0)
        except FileNotFoundError:
            return 0.0
