# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which doors are to be told how far their journals are here: each once after the start of this process, and again while a
door speaks of more acknowledged events than there are.

That tells a server which was put back from a backup. It asks for nothing itself, and forgets what it knew with the process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from access_contract.messages import Status
from access_contract.vocabulary import DoorId

TRIES = 6
"""A door of an older version does not understand; it says the same for ever."""


@dataclass(frozen=True, slots=True)
class _Told:
    journal: str
    up_to: int
    tries: int


class Recalls:
    """The wire's thread asks `is_due`, the writer's says what was `told`."""

    def __init__(self) -> None:
        self._told: dict[DoorId, _Told] = {}
        self._lock = threading.Lock()

    def is_due(self, door: DoorId, status: Status) -> bool:
        """Return whether to tell this door now how far its journals are here."""
        if not status.online or not status.journal:
            return False
        with self._lock:
            before = self._told.get(door)
            if before is None:
                self._told[door] = _Told(status.journal, 2**63, 1)
                return True
            if before.journal != status.journal or status.acknowledged <= before.up_to or before.tries >= TRIES:
                return False
            self._told[door] = _Told(before.journal, before.up_to, before.tries + 1)
            return True

    def told(self, door: DoorId, journal: str, up_to: int) -> None:
        """Remember how far the journal that the door writes now was when it was told."""
        with self._lock:
            before = self._told.get(door)
            if before is not None and before.journal == journal:
                self._told[door] = _Told(journal, up_to, before.tries)
