# SPDX-License-Identifier: AGPL-3.0-or-later
"""The server's word to a door: signed, addressed, expiring in seconds. What cannot be sent now is not kept."""

from __future__ import annotations

from datetime import datetime, timedelta

from access_contract.envelope import seal
from access_contract.messages import (
    Acknowledgement,
    Answer,
    Command,
    Renewed,
    ServerKeys,
    SnapshotCurrent,
    SnapshotDelta,
    SnapshotPart,
    ToDoor,
)
from access_contract.topics import Down
from access_contract.vocabulary import DoorId
from booking_server.clock import Clock
from booking_server.doors.statuses import Statuses
from booking_server.doors.wire import Wire
from booking_server.rotating import Keyring

ANSWER_SECONDS, ACKNOWLEDGEMENT_SECONDS, SNAPSHOT_SECONDS, COMMAND_SECONDS, KEYS_SECONDS = 10, 30, 180, 10, 30
CERTIFICATE_SECONDS = 60


class Sender:
    """Any thread may send. An open, a capture or a mode goes out as `command`, and so on: each kind has its channel.

    To the doors in `silenced`, whose boxes were stolen, nothing is sent at all.
    """

    def __init__(self, wire: Wire, keyring: Keyring, statuses: Statuses, clock: Clock) -> None:
        self.silenced: frozenset[str] = frozenset()
        self._wire, self._keyring, self._statuses, self._clock = wire, keyring, statuses, clock

    @property
    def connected(self) -> bool:
        return self._wire.connected

    def answer(self, door: DoorId, body: Answer) -> None:
        self._send(door, "answer", body, ANSWER_SECONDS)

    def acknowledge(self, door: DoorId, body: Acknowledgement) -> None:
        self._send(door, "acknowledgement", body, ACKNOWLEDGEMENT_SECONDS)

    def command(self, door: DoorId, body: Command, *, until: datetime) -> None:
        """Send what is to be obeyed before `until`, and within COMMAND_SECONDS."""
        self._send(door, "command", body, COMMAND_SECONDS, until=until)

    def snapshot(self, door: DoorId, body: SnapshotPart | SnapshotDelta, *, in_flight_max: int, seconds: float) -> bool:
        """Send once fewer than `in_flight_max` such are on their way to the broker; False if that is not within `seconds`."""
        if not self._wire.has_room(in_flight_max, seconds):
            return False
        self._send(door, "snapshot", body, SNAPSHOT_SECONDS)
        return True

    def snapshot_current(self, door: DoorId, digest: str) -> None:
        self._send(door, "snapshot", SnapshotCurrent(digest=digest), SNAPSHOT_SECONDS)

    def keys(self, door: DoorId, body: ServerKeys) -> None:
        self._send(door, "keys", body, KEYS_SECONDS)

    def certificate(self, door: DoorId, body: Renewed) -> None:
        self._send(door, "certificate", body, CERTIFICATE_SECONDS)

    def _send(self, door: DoorId, channel: Down, body: ToDoor, seconds: int, *, until: datetime | None = None) -> None:
        if door in self.silenced:
            return
        status = self._statuses.of(door)
        pair = self._keyring.keys.speaking_to(() if status is None else status.known_keys)
        expires_at = self._clock.now() + timedelta(seconds=seconds)
        if until is not None:
            expires_at = min(expires_at, until)
        envelope = seal(body, door=door, key_id=pair.id, key=pair.signing, expires_at=expires_at)
        self._wire.send(door, channel, envelope, expiry_seconds=seconds)
