# SPDX-License-Identifier: AGPL-3.0-or-later
"""What one entry rests on: the tap at a door, who decided, and the event's hash. What a line of an invoice opens to.

Who entered is told only while the entry is still linked to a person, and that somebody looked is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, select

from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import NotFound
from booking_server.ledger.tables import entries, entry_people, events, taps
from booking_server.places import service as places


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One entry with its tap. `person_id` and `at` are None once the link to the person was dropped, and for a tag that
    nobody held."""

    entry_id: int
    space_id: int
    service_day: date
    vat_day: date
    merged_into: int | None
    booking_id: int | None
    doubtful: bool
    simulated: bool
    door_id: str
    point: str
    cause: str | None
    decided_by: str
    clock: str
    outcome: str | None
    journal: str
    sequence: int
    event_hash: str
    received_at: datetime
    at: datetime | None
    person_id: int | None


def trace(tx: Connection, actor: Actor, *, now: datetime, entry_id: int) -> Trace:
    """Return what an entry rests on; where it still names a person, record who looked. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST, Role.BILLING)
    joined = (
        entries.join(taps, taps.c.event_id == entries.c.tap_event_id)
        .join(events, events.c.id == entries.c.tap_event_id)
        .outerjoin(entry_people, entry_people.c.entry_id == entries.c.id)
    )
    own = ("space_id", "service_day", "vat_day", "merged_into", "booking_id", "doubtful", "simulated", "event_hash")
    tapped = (taps.c[name] for name in ("door_id", "point", "cause", "decided_by", "clock", "outcome"))
    wanted = (entries.c.id.label("entry_id"), *(entries.c[name] for name in own), *tapped)
    event = (events.c.journal, events.c.sequence, events.c.received_at)
    found = select(*wanted, *event, entry_people.c.person_id, entry_people.c.at).select_from(joined)
    row = tx.execute(found.where(entries.c.id == entry_id)).one_or_none()
    if row is None:
        raise NotFound("There is no entry {entry_id}.", entry_id=entry_id)
    actor.must_be_at(places.space(tx, row.space_id).site_id, Role.HOST, Role.BILLING)
    if row.person_id is not None:
        audit.note(tx, actor, now=now, act="taps_read", subject=f"person:{row.person_id}", entry_id=entry_id)
    return Trace(**row._mapping)
