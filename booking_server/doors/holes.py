# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which doors tell of events that they hold, that the server has not acknowledged, and that do not come by themselves.

It asks for nothing itself, and forgets what it knew with the process: a door repeats what was not acknowledged anyway.
"""

from __future__ import annotations

from access_contract.messages import Status
from access_contract.vocabulary import DoorId

QUIET_SECONDS = 8.0
"""Less than from one status to the next: the second one that tells the same, with nothing in between, is a hole."""


class Holes:
    """Instants are monotonic seconds. Used by the wire's thread only."""

    def __init__(self) -> None:
        self._moved: dict[DoorId, tuple[str, int, float]] = {}

    def arrived(self, door: DoorId, at: float) -> None:
        """Hear that events came from this door."""
        if door in self._moved:
            self._moved[door] = (*self._moved[door][:2], at)

    def is_stuck(self, door: DoorId, status: Status, at: float) -> bool:
        """Return whether events that this door tells of have not come for a while; said again only after another while."""
        if not status.online or status.journal is None or status.acknowledged >= status.last_sequence:
            self._moved.pop(door, None)
            return False
        told = (status.journal, status.last_sequence)
        before = self._moved.get(door)
        if before is not None and before[:2] == told and at - before[2] < QUIET_SECONDS:
            return False
        self._moved[door] = (*told, at)
        return before is not None and before[:2] == told
