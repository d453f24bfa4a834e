# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gives a door its next certificate. Only to who holds one of that door's in force; the same request gets the same one.

A certificate that this authority gave and has no record of, since it was put back from a backup, is put on record again.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.x509 import Certificate

from access_contract.messages import Renew
from access_contract.renewing import NotProven, proven_key
from access_contract.vocabulary import DoorId
from booking_server.broker import pki
from booking_server.broker.writing import alone

IN_FORCE_MAX = 8
"""More are in force at once only where somebody asks without need; what is over counts no more."""


def renewed(state_folder: Path, door: DoorId, body: Renew, *, now: datetime) -> Certificate:
    """Return the certificate for the request of `door`, new or as it was given before. Raise NotProven."""
    with alone(pki.authority_folder(state_folder)):  # against a revocation at the same moment
        if body.certificate:
            pki.take_back(state_folder, door, body.certificate)
        in_force = pki.certificates(state_folder, door)
        has = next((one for one in in_force if f"{one.serial_number:x}" == body.serial), None)
        if has is None:
            raise NotProven("names a certificate that is not in force")
        key = proven_key(body, door, has)
        known = next((one for one in in_force if one.public_key() == key), None)
        if known is None and len(in_force) >= IN_FORCE_MAX:
            raise NotProven("has too many certificates")
        return known or pki.issue_for(state_folder, door, key, now=now)
