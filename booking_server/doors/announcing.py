# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells each door the server's keys where it holds others, signed by a key that it holds. It changes no key."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from access_contract.messages import ServerKeys, Status
from access_contract.vocabulary import DoorId
from booking_server.doors.sending import Sender
from booking_server.keys import Keys
from booking_server.rotating import Keyring

AGAIN_SECONDS = 20.0
"""A door needs a moment to put them on its disk; until then its status still names the others."""


class Announcer:
    """Any thread may call. Instants are monotonic seconds."""

    def __init__(self, keyring: Keyring, sender: Sender) -> None:
        self._keyring, self._sender = keyring, sender
        self._told: dict[DoorId, tuple[int, float]] = {}

    def reported(self, door: DoorId, status: Status, at: float) -> None:
        """Tell a door whose status names other keys than it should hold. One that names none is of an older version."""
        keys = self._keyring.keys
        if not status.online or not status.known_keys or keys.known_keys == set(status.known_keys):
            return
        number, told_at = self._told.get(door, (-1, 0.0))
        if number != keys.number or at - told_at >= AGAIN_SECONDS:
            self._told[door] = (keys.number, at)
            self._sender.keys(door, announcement(keys))


def announcement(keys: Keys) -> ServerKeys:
    """Return what doors are told of these keys."""
    return ServerKeys(
        number=keys.number,
        signing={key_id: _raw(public) for key_id, public in keys.public.items()},
        sealing_id=keys.current.sealing_id,
        sealing=keys.current.sealing.public_key().public_bytes_raw(),
    )


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()
