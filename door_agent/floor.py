# SPDX-License-Identifier: AGPL-3.0-or-later
"""The last instant that a door knows to have come, kept in a file: a Pi has no battery, and a door must not live a day twice.

Only what was known is kept, never what an untrusted clock said. A file that cannot be read or written is done without.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from door_agent.clock import Clock
from door_agent.durable import write_durably


def floor_of(file: Path, others: Iterable[datetime | None]) -> datetime | None:
    """Return the latest instant of what the file holds and of what else is known to have come; None if nothing is."""
    return max((at for at in (_kept(file), *others) if at is not None), default=None)


def keep_floor(file: Path, clock: Clock) -> None:
    """Write down what is known now. It waits for the disk: not for the loop."""
    known = clock.known()
    if known is not None:
        with suppress(OSError):
            write_durably(file, known.isoformat().encode())


def _kept(file: Path) -> datetime | None:
    try:
        at = datetime.fromisoformat(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None
