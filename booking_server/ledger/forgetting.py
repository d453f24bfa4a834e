# SPDX-License-Identifier: AGPL-3.0-or-later
"""Drops what identifies from old taps and entries: who, which keytag, the event's bytes. The event's identity and hash stay.

A door says for how many days its log may know names. What a bill rests on, the link from an entry to its person, stands in a
table of its own and goes once nobody can contest the bill any more. A tap whose time or outcome may still come is not forgotten
before it could have: it would be an entry of nobody. What staff froze is left alone.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, false, or_, select, update

from access_contract.vocabulary import ClockQuality
from booking_server.doors import service as doors
from booking_server.ledger.deriving import MERGE_SPAN
from booking_server.ledger.service import Priced
from booking_server.ledger.tables import entries, entry_people, event_bytes, events, forks, taps


class Frozen(NamedTuple):
    """What a door's log keeps for now, whatever its days: from an instant until before another."""

    door_id: str
    from_at: datetime
    until_at: datetime


def forget_old_taps(tx: Connection, *, now: datetime, frozen: Collection[Frozen] = ()) -> int:
    """Drop names, keytags and bytes from the taps that are older than their door's `log_days`; return how many had a name."""
    forgotten = 0
    for door in doors.doors(tx):
        before = now - timedelta(days=door.log_days)
        spans = [span for span in frozen if span.door_id == door.id]
        old = (taps.c.door_id == door.id) & (taps.c.at < before) & _settled(before) & ~_in(taps.c.at, spans)
        forgotten += _forget(tx, old)
        received = (events.c.received_at < before) & ~_in(events.c.received_at, spans)
        tx.execute(delete(event_bytes).where(event_bytes.c.event_id.in_(_naming_a_tag(door.id).where(received))))
        forked = (forks.c.door_id == door.id) & (forks.c.received_at < before) & ~_in(forks.c.received_at, spans)
        tx.execute(update(forks).where(forked).values(content=b""))
    return forgotten


def forget_person(tx: Connection, *, now: datetime, person_id: int, frozen: Collection[Frozen] = ()) -> int:
    """Drop a person's name, keytag and bytes from their taps whatever the doors' days; return from how many.

    The last day's stay, on which entries may still be merged, and so do those that may yet become entries.
    """
    before = now - MERGE_SPAN
    held = or_(false(), *(_in(taps.c.at, [span]) & (taps.c.door_id == span.door_id) for span in frozen))
    return _forget(tx, (taps.c.person_id == person_id) & (taps.c.at < before) & is_known() & ~held)


def forget_links(
    tx: Connection,
    *,
    counted_before: date,
    newest_entry: int,
    unpriced_before: date,
    priced: Priced,
    person_id: int | None = None,
) -> int:
    """Drop who entered where a closing counted it long ago: entries up to `newest_entry` of days before `counted_before`.

    Where use costs nothing no closing is waited for: there the links of days before `unpriced_before` go. Of one person, or of
    all. Return how many links went. What is in doubt stays.
    """
    whose = [] if person_id is None else [entry_people.c.person_id == person_id]
    known = and_(~entries.c.doubtful, *whose)
    joined = entries.join(entry_people, entry_people.c.entry_id == entries.c.id)
    settled = entries.c.settled & (entries.c.service_day < counted_before) & (entries.c.id <= newest_entry)
    mine = select(entries.c.id).select_from(joined).where(known)
    gone = int(tx.execute(delete(entry_people).where(entry_people.c.entry_id.in_(mine.where(settled)))).rowcount)
    unpriced = entries.c.service_day < unpriced_before
    places = select(entries.c.space_id, entries.c.vat_day).select_from(joined).where(known, unpriced).distinct()
    for space_id, day in tx.execute(places).all():
        if not priced(space_id, day):
            here = mine.where(unpriced, entries.c.space_id == space_id, entries.c.vat_day == day)
            gone += int(tx.execute(delete(entry_people).where(entry_people.c.entry_id.in_(here))).rowcount)
    return gone


def _forget(tx: Connection, these: ColumnElement[bool]) -> int:
    tx.execute(delete(event_bytes).where(event_bytes.c.event_id.in_(select(taps.c.event_id).where(these))))
    named = these & (taps.c.person_id.is_not(None) | taps.c.keytag_id.is_not(None))
    return int(tx.execute(update(taps).where(named).values(person_id=None, keytag_id=None)).rowcount)


def _in(at: ColumnElement[datetime], spans: Collection[Frozen]) -> ColumnElement[bool]:
    return or_(false(), *((at >= span.from_at) & (at < span.until_at) for span in spans))


def _naming_a_tag(door_id: str) -> Select[tuple[int]]:
    """Select the events of a door, other than taps, that name a tag."""
    return select(events.c.id).where((events.c.door_id == door_id) & events.c.kind.in_(("refused_again", "disarm_requested")))


def _settled(before: datetime) -> ColumnElement[bool]:
    """True of a tap whose time and outcome are known, or that the server has had since `before`."""
    return is_known() | exists().where((events.c.id == taps.c.event_id) & (events.c.received_at < before))


def is_known() -> ColumnElement[bool]:
    """True of a tap whose time and outcome are known."""
    return (taps.c.clock != str(ClockQuality.UNTRUSTED)) & (~taps.c.granted | taps.c.outcome.is_not(None))
