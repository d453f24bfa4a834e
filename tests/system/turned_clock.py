# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hand that turns the building's clock: a file of seconds that every process of a demo adds to the machine's own time.

It turns only wall time. Deadlines and pulses are monotonic and stay real; so do certificates, which belong to TLS.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path

from booking_server.clock import SystemClock, TurnedClock


class ClockHand:
    """Turns the clock whose offset stands in `file`; the file is replaced whole, so no process reads half a number."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.clock = TurnedClock(file)
        self._write(0.0)

    def now(self) -> datetime:
        return self.clock.now()

    def turn_to(self, instant: datetime, *, in_step: bool = True) -> None:
        """Make it `instant` now (aware). Only forward, once a door has run: a door's time never goes back.

        A door that reads it doubts it where it is not `in_step`; for a door alone, a server cannot read that.
        """
        self._write((instant - SystemClock().now()).total_seconds(), "" if in_step else " untrusted")

    def turn_by(self, span: timedelta) -> None:
        """Jump forward by `span`."""
        self.turn_to(self.now() + span)

    def _write(self, seconds: float, and_what: str = "") -> None:
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{seconds:.6f}{and_what}", encoding="ascii")
        os.replace(beside, self.file)  # noqa: PTH105
