# SPDX-License-Identifier: AGPL-3.0-or-later
"""Brings each door the snapshot it is to hold: when it asks, when its rights change, when it says that it holds another."""

from __future__ import annotations

from collections.abc import Iterable

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server.access.snapshots import snapshot_of
from booking_server.doors.index import Index
from booking_server.doors.sending import Sender
from booking_server.doors.statuses import Statuses

AGAIN_SECONDS = 5.0
"""A door needs a moment to take a snapshot on; until then its status still names the old one."""


class Snapshots:
    """Any thread may call. Instants are monotonic seconds."""

    def __init__(self, index: Index, statuses: Statuses, sender: Sender) -> None:
        self._index, self._statuses, self._sender = index, statuses, sender
        self._sent: dict[DoorId, tuple[str, float]] = {}

    def requested(self, door: DoorId, digest: str | None, at: float) -> bool:
        """Send all parts, or that the door's is current. False for a door that the server does not have."""
        current = self._index.snapshot(door)
        if current is None:
            return False
        status = self._statuses.of(door)
        if digest is not None and self._index.is_current(door, 0 if status is None else status.snapshot_number, digest):
            self._sender.snapshot_current(door, digest)
        else:
            self._push(door, at)
        return True

    def changed(self, doors: Iterable[DoorId], at: float) -> None:
        """Send to those of `doors` that are online and do not have it."""
        for door in doors:
            status = self._statuses.of(door)
            if status is not None and not self._index.is_current(door, status.snapshot_number, status.snapshot_digest):
                self._push(door, at)

    def reported(self, door: DoorId, status: Status, at: float) -> None:
        """Send to a door that says it holds another, unless that was sent a moment ago or the door is further than we are."""
        current = self._index.snapshot(door)
        if current is None or not status.online or self._index.is_current(door, status.snapshot_number, status.snapshot_digest):
            return
        digest, sent_at = self._sent.get(door, ("", 0.0))
        recently = digest == current.digest and at - sent_at < AGAIN_SECONDS
        if not recently and status.snapshot_number <= current.number:
            self._push(door, at)

    def _push(self, door: DoorId, at: float) -> None:
        current = self._index.snapshot(door)
        if current is not None:
            self._sent[door] = (current.digest, at)
            self._sender.snapshot(door, snapshot_of(current))
