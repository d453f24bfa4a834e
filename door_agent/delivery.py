# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which events go to the server now: new ones at once, all that are not acknowledged again after a while, ever more rarely.

At most EVENTS_IN_FLIGHT_MAX are on their way. Nothing is forgotten here: only an acknowledgement takes an event away.
"""

from __future__ import annotations

from collections.abc import Callable

from access_contract.messages import EVENTS_IN_FLIGHT_MAX
from door_agent.journal import Journal

_REPEAT_SECONDS = 3.0
_REPEAT_SECONDS_MAX = 60.0
_BATCH_BYTES = 40_000
_BATCH_EVENTS = 50


class Delivery:
    """Used by the loop's thread only. Instants are monotonic seconds."""

    def __init__(self, journal: Journal, send: Callable[[list[bytes]], None]) -> None:
        self.repeat_at = 0.0
        self._journal, self._send = journal, send
        self._pause = _REPEAT_SECONDS
        self._sent: set[bytes] = set()
        self._new = True

    def connected(self) -> None:
        """What was on its way is gone: send all again."""
        self.repeat_at, self._pause = 0.0, _REPEAT_SECONDS
        self._sent.clear()

    def more(self) -> None:
        """There may be events that were not sent yet."""
        self._new = True

    def acknowledged(self, now: float, *, missing: bool) -> None:
        """The server answers: there is room for more, and what it misses is sent again."""
        self._new, self._pause = True, _REPEAT_SECONDS
        self.repeat_at = 0.0 if missing else now + _REPEAT_SECONDS

    def work(self, now: float, *, up_to: int) -> None:
        """Send what is due, of the current journal only up to the sequence `up_to`."""
        again = now >= self.repeat_at
        if not (self._new or again):
            return
        self._new = False
        waiting = self._journal.unacknowledged(EVENTS_IN_FLIGHT_MAX, up_to=up_to)
        sending = waiting if again else [content for content in waiting if content not in self._sent]
        if again or not self._sent:
            self.repeat_at = now + self._pause
        if again and self._sent:
            self._pause = min(2 * self._pause, _REPEAT_SECONDS_MAX)
        self._sent = set(waiting)
        for batch in _batches(sending):
            self._send(batch)


def _batches(contents: list[bytes]) -> list[list[bytes]]:
    """Cut into messages that stay well below what the broker takes."""
    batches: list[list[bytes]] = []
    size = 0
    for content in contents:
        if not batches or len(batches[-1]) == _BATCH_EVENTS or size + len(content) > _BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(content)
        size += len(content)
    return batches
