# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which events go to the server now: new ones at once, exactly those that it says it misses, all that are not acknowledged
again after a while, ever more rarely.

At most EVENTS_IN_FLIGHT_MAX are on their way. Nothing is forgotten here: only an acknowledgement takes an event away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from access_contract.messages import EVENTS_IN_FLIGHT_MAX
from door_agent.journal import Journal

_REPEAT_SECONDS = 3.0
_REPEAT_SECONDS_MAX = 60.0
_MISSING_SECONDS = 0.5
"""Several acknowledgements in a row name what is missing until it has arrived: it is sent once for all of them."""
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
        self._missing: tuple[str, Sequence[int]] | None = None
        self._missing_at = float("-inf")

    def connected(self) -> None:
        """What was on its way is gone: send all again."""
        self.repeat_at, self._pause, self._missing = 0.0, _REPEAT_SECONDS, None
        self._sent.clear()

    def more(self) -> None:
        """There may be events that were not sent yet."""
        self._new = True

    def acknowledged(self, now: float, *, journal: str = "", missing: Sequence[int] = ()) -> None:
        """The server answers: there is room for more, and what it misses of `journal` is sent again."""
        self._new, self._pause, self.repeat_at = True, _REPEAT_SECONDS, now + _REPEAT_SECONDS
        if missing and now - self._missing_at >= _MISSING_SECONDS:
            self._missing, self._missing_at = (journal, missing[:EVENTS_IN_FLIGHT_MAX]), now

    def work(self, now: float, *, up_to: int) -> None:
        """Send what is due, of the current journal only up to the sequence `up_to`. Raise JournalDamaged."""
        if self._missing is not None:
            journal, missing = self._missing
            self._missing = None
            self._send_all(self._journal.named(journal, missing, up_to=up_to))
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
        self._send_all(sending)

    def _send_all(self, contents: list[bytes]) -> None:
        for batch in _batches(contents):
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
