# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door's next certificate, given on its own word over the wire and written down.

A door out of use gets none, nor one whose box is to be put out: it could stay in with it.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection

from access_contract.messages import Renew, Renewed
from access_contract.renewing import NotProven
from access_contract.vocabulary import DoorId
from booking_server.actors import SYSTEM
from booking_server.audit import service as audit
from booking_server.broker.renewing import renewed
from booking_server.config import BadConfiguration
from booking_server.doors import boxes
from booking_server.doors import service as doors


def give_next(tx: Connection, *, now: datetime, state_folder: Path, door: DoorId, asked: Renew) -> Renewed | None:
    """Return what to send to the door; None if it may not have it, or the authority cannot be used. Raise NotFound."""
    known = doors.door(tx, door)
    if known.retired_at is not None or known.stolen_at is not None or boxes.is_being_put_out(tx, door):
        return None
    try:
        made = renewed(state_folder, door, asked, now=now)
    except (NotProven, BadConfiguration, OSError):
        return None
    about = {"serial": f"{made.serial_number:x}", "ends": made.not_valid_after_utc.isoformat()}
    audit.note(tx, SYSTEM, now=now, act="certificate_renewed", subject=f"door:{door}", **about)
    return Renewed(certificate=made.public_bytes(Encoding.DER))
