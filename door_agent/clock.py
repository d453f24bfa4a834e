# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one place of the agent where time is read, and where it is said how far the wall clock is trusted.

"Now" never goes back behind the last instant it gave. It never sets the machine's clock. Any thread may ask.
"""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from access_contract.vocabulary import ClockQuality

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
_SET_BACK = timedelta(seconds=5)
"""What a correction may take back without doubt; a leap second and a first rough setting are smaller."""


class Clock(Protocol):
    """`now` aware and UTC, never going back; `monotonic` in seconds for every timer; `quality` of the wall time."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def quality(self) -> ClockQuality: ...


class SystemClock:
    """The machine's clock, trusted once the kernel says that something keeps it in step.

    Set back while we run, it stands still until it has caught up, and is not trusted: one of its two times was wrong.
    """

    def __init__(
        self,
        not_before: datetime | None = None,
        *,
        read: Callable[[], datetime] = lambda: datetime.now(UTC),
        is_synced: Callable[[], bool] = lambda: _kernel_is_synced(),
    ) -> None:
        self._last = not_before or datetime(2026, 1, 1, tzinfo=UTC)
        self._seen = datetime(1970, 1, 1, tzinfo=UTC)
        self._read, self._is_synced = read, is_synced
        self._was_synced = False
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            wall = self._read()
            self._seen = max(self._seen, wall)
            self._last = max(self._last, wall)
            return self._last

    def monotonic(self) -> float:
        return time.monotonic()

    def quality(self) -> ClockQuality:
        if self._read() < self._seen - _SET_BACK:
            return ClockQuality.UNTRUSTED
        if self._is_synced():
            self._was_synced = True
            return ClockQuality.SYNCED
        return ClockQuality.HOLDOVER if self._was_synced else ClockQuality.UNTRUSTED


class TurnedClock:
    """The machine's clock plus the seconds written in a file. Only with demo = true; counts as synced."""

    def __init__(self, offset_file: Path | None) -> None:
        self._file = offset_file
        self._last = datetime(2000, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self._last = max(self._last, datetime.now(UTC) + timedelta(seconds=self._offset_seconds()))
        return self._last

    def monotonic(self) -> float:
        return time.monotonic()

    def quality(self) -> ClockQuality:
        return ClockQuality.SYNCED

    def _offset_seconds(self) -> float:
        if self._file is None:
            return 0.0
        try:
            return float(self._file.read_text(encoding="ascii") or 0)
        except FileNotFoundError:
            return 0.0


def _kernel_is_synced() -> bool:
    """Ask adjtimex(2), which needs no service and no rights: unsynchronised is TIME_ERROR or STA_UNSYNC."""
    timex = (ctypes.c_long * 64)()  # modes = 0 reads only; larger than any struct timex
    state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    status = ctypes.cast(timex, ctypes.POINTER(ctypes.c_int))[5 * ctypes.sizeof(ctypes.c_long) // ctypes.sizeof(ctypes.c_int)]
    return state not in (-1, _TIME_ERROR) and not status & _STA_UNSYNC
