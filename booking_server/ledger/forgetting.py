# SPDX-License-Identifier: AGPL-3.0-or-later
"""Drops what identifies from old taps: who, which keytag, and the event's bytes. The event's identity and hash stay.

A door says for how many days its log may know names. What a bill rests on, the link from an entry to its person, stands in a
table of its own and is not touched here. A tap whose time or outcome may still come is not forgotten before it could have: it
would be an entry of nobody.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, select, update

from access_contract.vocabulary import ClockQuality
from booking_server.doors import service as doors
from booking_server.ledger.tables import event_bytes, events, forks, taps


def forget_old_taps(tx: Connection, *, now: datetime) -> int:
    """Drop names, keytags and bytes from the taps that are older than their door's `log_days`; return how many had a name."""
    forgotten = 0
    for door in doors.doors(tx):
        before = now - timedelta(days=door.log_days)
        old = (taps.c.door_id == door.id) & (taps.c.at < before) & _settled(before)
        tx.execute(delete(event_bytes).where(event_bytes.c.event_id.in_(select(taps.c.event_id).where(old))))
        tx.execute(delete(event_bytes).where(event_bytes.c.event_id.in_(_naming_a_tag(door.id, before))))
        tx.execute(update(forks).where((forks.c.door_id == door.id) & (forks.c.received_at < before)).values(content=b""))
        named = old & (taps.c.person_id.is_not(None) | taps.c.keytag_id.is_not(None))
        forgotten += tx.execute(update(taps).where(named).values(person_id=None, keytag_id=None)).rowcount
    return forgotten


def _naming_a_tag(door_id: str, before: datetime) -> Select[tuple[int]]:
    """Select the events, other than taps, that name a tag and that the server has had since `before`."""
    kinds = events.c.kind.in_(("refused_again", "disarm_requested"))
    return select(events.c.id).where((events.c.door_id == door_id) & kinds & (events.c.received_at < before))


def _settled(before: datetime) -> ColumnElement[bool]:
    """True of a tap whose time and outcome are known, or that the server has had since `before`."""
    timed = taps.c.clock != str(ClockQuality.UNTRUSTED)
    ended = ~taps.c.granted | taps.c.outcome.is_not(None)
    return (timed & ended) | exists().where((events.c.id == taps.c.event_id) & (events.c.received_at < before))
