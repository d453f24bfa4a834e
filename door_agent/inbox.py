# SPDX-License-Identifier: AGPL-3.0-or-later
"""The one way into the loop from any other thread, from a signal too. Bounded, and nobody who puts something in ever waits.

When the loop is behind, taps and messages are dropped and counted: a person taps again, the server repeats. What the door
itself saw or heard of its parts (contact, link, disk, the wish to end) has room of its own.
"""

from __future__ import annotations

import queue
from typing import Generic, TypeVar

T = TypeVar("T")


class Inbox(Generic[T]):
    """First in, first out. `dropped` counts what found no room."""

    def __init__(self, places: int = 1000, reserve: int = 9000) -> None:
        self.dropped = 0
        self._queue: queue.SimpleQueue[T] = queue.SimpleQueue()
        self._places, self._reserve = places, reserve

    def offer(self, item: T) -> bool:
        """Put in what may be lost. Return False if it was."""
        return self._put(item, self._places)

    def put(self, item: T) -> bool:
        """Put in what must not be lost. Return False only if the loop must have died long ago."""
        return self._put(item, self._places + self._reserve)

    def take(self, wait_seconds: float) -> T:
        """Return the oldest. Raise queue.Empty after `wait_seconds`."""
        return self._queue.get(timeout=wait_seconds)

    def _put(self, item: T, places: int) -> bool:
        if self._queue.qsize() >= places:
            self.dropped += 1
            return False
        self._queue.put(item)
        return True
