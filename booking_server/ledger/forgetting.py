# SPDX-License-Identifier: AGPL-3.0-or-later
"""Drops what identifies from old taps: who, which keytag, and the event's bytes. The event's identity and hash stay.

A door says for how many days its log may know names. What a bill rests on, the link from an entry to its person, stands in a
table of its own and is not touched here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, select, update

from booking_server.doors import service as doors
from booking_server.ledger.tables import event_bytes, taps


def forget_old_taps(tx: Connection, *, now: datetime) -> int:
    """Drop names, keytags and bytes from the taps that are older than their door's `log_days`; return how many."""
    forgotten = 0
    for door in doors.doors(tx):
        old = (taps.c.door_id == door.id) & (taps.c.at < now - timedelta(days=door.log_days))
        named = old & (taps.c.person_id.is_not(None) | taps.c.keytag_id.is_not(None))
        tx.execute(delete(event_bytes).where(event_bytes.c.event_id.in_(select(taps.c.event_id).where(named))))
        forgotten += tx.execute(update(taps).where(named).values(person_id=None, keytag_id=None)).rowcount
    return forgotten
