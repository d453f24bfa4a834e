# SPDX-License-Identifier: AGPL-3.0-or-later
"""Decides what each door is to be brought: when it asks, when its rights change, when it says that it holds another.

What a door holds is what it says that it holds, and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server.doors.courier import Courier
from booking_server.doors.index import Index
from booking_server.doors.sending import Sender
from booking_server.doors.statuses import Statuses


class Snapshots:
    """Any thread may call."""

    def __init__(self, index: Index, statuses: Statuses, sender: Sender, courier: Courier) -> None:
        self._index, self._statuses, self._sender, self._courier = index, statuses, sender, courier
        self._held: dict[DoorId, tuple[int, str | None]] = {}
        self._tried: dict[DoorId, str] = {}
        self._one_at_a_time = threading.Lock()

    def begin(self, said: Mapping[DoorId, Status]) -> None:
        """Take what each door said last before this process started: what it holds does not change while it is away."""
        for door, status in said.items():
            self._held.setdefault(door, (status.snapshot_number, status.snapshot_digest))

    def holders(self) -> tuple[int, list[DoorId]]:
        """Return the number of a rights change, and the doors that by their own word hold what is right up to it."""
        known, held = self._index.known.number, dict(self._held)
        return known, [door for door, (number, digest) in held.items() if self._index.is_current(door, number, digest)]

    def requested(self, door: DoorId, digest: str | None) -> bool:
        """Bring a door what it asks for, or say that it has it. False for a door that the server does not have."""
        if self._index.snapshot(door) is None:
            return False
        status = self._statuses.of(door)
        if digest is not None and self._index.is_current(door, 0 if status is None else status.snapshot_number, digest):
            self._sender.snapshot_current(door, digest)
        else:
            self._bring(door, digest)
        return True

    def changed(self, doors: Iterable[DoorId]) -> None:
        """Bring those of `doors` that are online what they do not have."""
        for door in doors:
            status = self._statuses.of(door)
            if status is not None and not self._index.is_current(door, status.snapshot_number, status.snapshot_digest):
                self._bring(door, status.snapshot_digest)

    def reported(self, door: DoorId, status: Status) -> None:
        """Bring a door what it says that it does not hold, unless that is on its way or the door is further than we are."""
        current = self._index.snapshot(door)
        if status.online:
            self._held[door] = status.snapshot_number, status.snapshot_digest
        if not status.online:
            self._courier.forget(door)
            self._tried.pop(door, None)
        if current is None or not status.online or self._index.is_current(door, status.snapshot_number, status.snapshot_digest):
            return
        if status.snapshot_number <= current.number:
            self._bring(door, status.snapshot_digest)

    def _bring(self, door: DoorId, held: str | None) -> None:
        """Have the door brought what it is to hold: after what is on its way, unless it is that already.

        A door that still holds what it was once told a change to could not take that on, and gets the whole.
        """
        with self._one_at_a_time:
            current = self._index.snapshot(door)
            coming = self._courier.on_its_way(door)
            if current is None or coming == current.digest:
                return
            if coming is None and held is not None and self._tried.get(door) == held:
                held = None
            holds = coming or held
            self._tried[door] = holds or ""
            self._courier.bring(door, None if holds is None else self._index.earlier(door, holds), current)
