# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one place of the agent where time is read, and where it is said how far the wall clock is trusted.

"Now" never goes back behind the last instant that was known. It never sets the machine's clock. Any thread may ask.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from access_contract.vocabulary import ClockQuality

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_SET_BACK = timedelta(seconds=5)
"""What a correction may take back without doubt; a leap second and a first rough setting are smaller."""
_BEHIND = timedelta(minutes=10)
"""How far a clock that is in step may be behind what was known at the start: the server's clock may be ahead of it."""
SOFTWARE_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
"""It is later than that, whatever a clock says."""


class Clock(Protocol):
    """`now` aware and UTC, not before any instant that was known; `monotonic` in seconds for every timer; `quality` of the
    wall time; `known` the last instant that has certainly come, None if it is not to be kept."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def quality(self) -> ClockQuality: ...
    def known(self) -> datetime | None: ...


class SystemClock:
    """The machine's clock, trusted once the kernel says that something keeps it in step.

    What is known: what was when we started, an instant of the wall clock while it is trusted, and that time goes on from there
    while nothing keeps the clock in step. A time that nobody vouched for binds nothing: set right, it may go back. Set back
    behind what was known, the clock is not trusted and stands still until it has caught up: one of its two times was wrong.
    """

    def __init__(
        self,
        not_before: datetime | None = None,
        *,
        read: Callable[[], datetime] = lambda: datetime.now(UTC),
        is_synced: Callable[[], bool] = lambda: kernel_is_synced(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._known = max(not_before or SOFTWARE_BUILT, SOFTWARE_BUILT)
        self._trusted = datetime(1970, 1, 1, tzinfo=UTC)
        self._read, self._is_synced, self._monotonic = read, is_synced, monotonic
        self._looked_at = monotonic()
        self._was_synced = False
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._look()[0]

    def monotonic(self) -> float:
        return self._monotonic()

    def quality(self) -> ClockQuality:
        return self._look()[1]

    def known(self) -> datetime | None:
        doubted = self._look()[1] is ClockQuality.UNTRUSTED and (self._was_synced or self._is_synced())
        return None if doubted else self._known

    def _look(self) -> tuple[datetime, ClockQuality]:
        with self._lock:
            wall, synced, at = self._read(), self._is_synced(), self._monotonic()
            passed, self._looked_at = timedelta(seconds=at - self._looked_at), at
            in_step = synced or self._was_synced
            if not in_step:
                self._known += passed
                return max(self._known, wall), ClockQuality.UNTRUSTED
            if wall < self._trusted - _SET_BACK or wall < self._known - _BEHIND:
                return self._known, ClockQuality.UNTRUSTED
            self._was_synced, self._trusted = True, max(self._trusted, wall)
            self._known = max(self._known, wall)
            return self._known, ClockQuality.SYNCED if synced else ClockQuality.HOLDOVER


def turned_clock(file: Path | None, not_before: datetime | None = None) -> SystemClock:
    """Return a clock by the same rules, of the machine's time plus the seconds written in `file`; None: the machine's time.

    Only with demo = true. It counts as kept in step, unless `untrusted` follows the seconds.
    """

    said = ["0"]

    def read() -> datetime:
        if file is not None:
            with suppress(FileNotFoundError):
                said[:] = file.read_text(encoding="ascii").split() or ["0"]
        return datetime.now(UTC) + timedelta(seconds=float(said[0]))

    # How far it is trusted is asked right after what it says: of the same reading of the file.
    return SystemClock(not_before, read=read, is_synced=lambda: "untrusted" not in said)


def wall_clock() -> datetime:
    """Return what the machine's clock says, for whoever asks about the machine and decides nothing by it."""
    return datetime.now(UTC)


def kernel_is_synced() -> bool:
    """Ask adjtimex(2), which needs no service and no rights: unsynchronised is TIME_ERROR or STA_UNSYNC."""
    timex = (ctypes.c_long * 64)()  # modes = 0 reads only; larger than any struct timex
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    status = ctypes.cast(timex, ctypes.POINTER(ctypes.c_int))[5 * ctypes.sizeof(ctypes.c_long) // ctypes.sizeof(ctypes.c_int)]
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC
