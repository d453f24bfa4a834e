# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each door last said of itself, in memory: who is online, under which nonce, and what is worth storing.

A door that was not heard for a while is offline, whatever the broker kept of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from access_contract.messages import Status
from access_contract.vocabulary import DoorId

STORE_SECONDS = 9.0
SILENT_SECONDS = 35.0
"""A door says how it is every ten seconds: three are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    status: Status
    heard: float
    stored: float


class Statuses:
    """Instants are monotonic seconds. Any thread may call."""

    def __init__(self) -> None:
        self._said: dict[DoorId, _Said] = {}
        self._lock = threading.Lock()

    def begin(self, known: Iterable[DoorId], at: float) -> None:
        """Expect doors that were online before this process started: they fall silent unless they are heard."""
        with self._lock:
            for door in known:
                self._said.setdefault(door, _Said(status=Status(online=True), heard=at, stored=at))

    def heard(self, door: DoorId, status: Status, at: float) -> bool:
        """Take on a status; return whether to store it: on a change, else every STORE_SECONDS."""
        with self._lock:
            before = self._said.get(door)
            store = before is None or at - before.stored >= STORE_SECONDS or _tells(before.status) != _tells(status)
            self._said[door] = _Said(status=status, heard=at, stored=at if before is None or store else before.stored)
        return store

    def of(self, door: DoorId) -> Status | None:
        """Return what an online door last said; None for one that is offline or was never heard."""
        said = self._said.get(door)
        return said.status if said is not None and said.status.online else None

    def online(self) -> list[tuple[DoorId, Status]]:
        """Return the doors that are online, and what each last said."""
        with self._lock:
            return [(door, said.status) for door, said in self._said.items() if said.status.online]

    def fallen_silent(self, at: float) -> list[DoorId]:
        """Return the doors that were online and not heard for SILENT_SECONDS; they are offline from here on."""
        with self._lock:
            silent = [d for d, said in self._said.items() if said.status.online and at - said.heard > SILENT_SECONDS]
            for door in silent:
                self._said[door] = replace(self._said[door], status=Status(online=False))
        return silent


def _tells(status: Status) -> Status:
    """What changes at every event or by the mere passing of time is not worth a row each."""
    return msgspec.structs.replace(status, at=None, last_sequence=0, acknowledged=0)
