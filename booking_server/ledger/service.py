# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff may read of the ledger: taps, entries, and which doors are complete. Reading a person's taps is recorded.

A tap carries a person's name only as its door's log setting allows. Nothing here writes to the ledger (ingest.py does), but
what a closing counted is marked as settled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from access_contract.vocabulary import ClockQuality
from booking_server import civil
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.db import one_at_a_time
from booking_server.doors import service as doors
from booking_server.ledger.gaps import Gap, close_gaps, doors_complete, gaps
from booking_server.ledger.tables import entries, entry_people, events, taps
from booking_server.people import service as people
from booking_server.tags import service as tags

__all__ = [
    "Entry",
    "Gap",
    "Priced",
    "Tap",
    "close_gaps",
    "disagreements",
    "doors_complete",
    "entries_of_month",
    "entries_of_person",
    "first_day",
    "gaps",
    "hold_still",
    "months_changed",
    "newest_entry",
    "newest_event",
    "newest_received_at",
    "nothing_is_priced",
    "recent_taps",
    "settle",
    "taps_of_person",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A tag read at a door; a refused one `again` so many more times right after.

    `person_id` and `person_name` are None where the door's log does not name it.
    """

    event_id: int
    door_id: str
    point: str
    at: datetime
    granted: bool
    reason: str | None
    cause: str | None
    decided_by: str
    disagreed: bool
    clock: str
    outcome: str | None
    simulated: bool
    again: int
    person_id: int | None
    person_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Granted and entered. `person_id` and `at` are None once the link to the person was dropped."""

    id: int
    tap_event_id: int
    space_id: int
    person_id: int | None
    at: datetime | None
    service_day: date
    vat_day: date
    merged_into: int | None
    booking_id: int | None
    doubtful: bool
    simulated: bool


Priced = Callable[[int, date], bool]
"""Whether using a space costs something on a day: billing knows, who stands above the ledger."""


def nothing_is_priced(_space_id: int, _day: date) -> bool:
    """Name nobody for the sake of a price."""
    return False


def recent_taps(tx: Connection, actor: Actor, limit: int = 50, *, priced: Priced = nothing_is_priced) -> list[Tap]:
    """Return the last taps at the actor's sites, newest first by when they fell, however late they came. Raise NotAllowed."""
    actor.must_be(Role.HOST)
    return _told(tx, actor, _with_names(tx, _newest(tx, limit, *_at_own_sites(tx, actor)), priced))


def newest_event(tx: Connection) -> int:
    """Return the id of the event that arrived last, 0 before the first: another one means that there is something to see."""
    return int(tx.execute(select(func.max(events.c.id))).scalar() or 0)


def newest_received_at(tx: Connection) -> datetime | None:
    """Return when the event arrived that arrived last, by this server's clock; None before the first."""
    return tx.execute(select(events.c.received_at).order_by(events.c.id.desc()).limit(1)).scalar()


def disagreements(tx: Connection, *, after: int, up_to: int) -> int:
    """Return at how many taps of the events after `after` up to `up_to` server and door would have decided differently."""
    these = (taps.c.event_id > after) & (taps.c.event_id <= up_to) & taps.c.disagreed
    return int(tx.execute(select(func.count()).select_from(taps).where(these)).scalar_one())


def taps_of_person(
    tx: Connection, actor: Actor, *, now: datetime, person_id: int, limit: int = 50, priced: Priced = nothing_is_priced
) -> list[Tap]:
    """Return one person's taps, newest first, and record who looked. Raise NotAllowed.

    Staff are told those at their own sites that the doors' logs name; the person, all.
    """
    actor.must_act_for(person_id, Role.HOST)
    audit.note(tx, actor, now=now, act="taps_read", subject=f"person:{person_id}")
    own = actor.person_id == person_id
    where = () if own else _at_own_sites(tx, actor)
    found = _with_names(tx, _newest(tx, limit, taps.c.person_id == person_id, *where), priced)
    return _told(tx, actor, [(row, True) for row, named in found if named or own])


def entries_of_month(tx: Connection, actor: Actor, month: str) -> list[Entry]:
    """Return the entries whose service day is in `month` ("2026-11"), in order. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST, Role.BILLING)
    return [_entry(row) for row in tx.execute(_entries(month))]


def entries_of_person(tx: Connection, actor: Actor, *, person_id: int, month: str) -> list[Entry]:
    """Return one person's entries of a month, in order. Raise NotAllowed."""
    actor.must_act_for(person_id, Role.HOST, Role.BILLING)
    return [_entry(row) for row in tx.execute(_entries(month).where(entry_people.c.person_id == person_id))]


def first_day(tx: Connection) -> date | None:
    """Return the first service day with an entry; None before the first."""
    return tx.execute(select(func.min(entries.c.service_day))).scalar()


def hold_still(tx: Connection) -> None:
    """Let no other transaction take in events until this one ends."""
    one_at_a_time(tx, "writer")  # whoever writes what doors sent takes this turn, too


def settle(tx: Connection, before: date) -> None:
    """Keep the entries of service days before `before` as they are for good: they were counted. Those in doubt were not.

    What comes later is merged into them, never they into it. The caller holds the ledger still since it counted.
    """
    counted = (entries.c.service_day < before) & ~entries.c.settled & ~entries.c.doubtful
    tx.execute(update(entries).where(counted).values(settled=True))


def newest_entry(tx: Connection) -> int:
    """Return the id of the entry made last, 0 before the first."""
    return int(tx.execute(select(func.max(entries.c.id))).scalar() or 0)


def months_changed(tx: Connection, *, since_entry: int, before: date) -> set[str]:
    """Return the months of service days before `before` whose entries may be others than when `since_entry` was the newest:
    one was made since, or was dated by a clock that was set late."""
    late = entries.c.id > since_entry
    undated = entries.c.tap_event_id.in_(select(taps.c.event_id).where(taps.c.clock == ClockQuality.UNTRUSTED.value))
    days = select(entries.c.service_day).where((late | undated) & (entries.c.service_day < before)).distinct()
    return {civil.month_of(day) for day in tx.execute(days).scalars()}


def _newest(tx: Connection, limit: int, *which: ColumnElement[bool]) -> list[dict[str, Any]]:
    found = select(taps).where(*which).order_by(taps.c.at.desc(), taps.c.event_id.desc()).limit(limit)
    return [dict(row._mapping) for row in tx.execute(found)]


def _at_own_sites(tx: Connection, actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Return the condition that a tap fell at a site where the actor is a host; none for a host of the whole hub."""
    where = actor.sites(Role.HOST)
    if where is None:
        return ()
    return (taps.c.door_id.in_([door.id for door in doors.doors(tx) if door.site_id in where]),)


def _entries(month: str) -> Any:
    first, after = civil.days_of_month(month)
    joined = entries.outerjoin(entry_people, entry_people.c.entry_id == entries.c.id)
    wanted = (*(c for c in entries.c if c.name not in ("event_hash", "settled")), entry_people.c.person_id, entry_people.c.at)
    inside = (entries.c.service_day >= first) & (entries.c.service_day < after)
    return select(*wanted).select_from(joined).where(inside).order_by(entries.c.id)


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def _with_names(tx: Connection, rows: list[dict[str, Any]], priced: Priced) -> Iterator[tuple[dict[str, Any], bool]]:
    """Say of each tap whether its door's log names who tapped: always, never, or where it is an entry that has a price."""
    settings = {door.id: door.log_named for door in doors.doors(tx)}
    entered = _entered(tx, [row["event_id"] for row in rows])
    for row in rows:
        setting, entry = settings.get(row["door_id"], "never"), entered.get(row["event_id"])
        yield row, setting == "always" or (setting == "priced" and entry is not None and priced(*entry))


def _told(tx: Connection, actor: Actor, found: Iterable[tuple[dict[str, Any], bool]]) -> list[Tap]:
    """Make of each row what may be told of it: with the person where it is named, else without."""
    names: dict[int, str] = {}
    told = []
    for row, named in found:
        who = row["person_id"] if named else None
        if who is not None and who not in names:
            names[who] = people.person(tx, actor, who).name
        shown = {name: value for name, value in row.items() if name != "keytag_id"}
        shown |= {"reason": _told_reason(tx, row), "person_id": who}
        told.append(Tap(**shown, person_name=None if who is None else names[who]))
    return told


def _told_reason(tx: Connection, row: dict[str, Any]) -> str | None:
    """A door alone knows only the tags that it may admit; of any other that the hub has, the hub knows better."""
    if row["reason"] != "tag_unknown" or row["keytag_id"] is None:
        reason: str | None = row["reason"]
        return reason
    blocked_at = tags.tag(tx, row["keytag_id"]).blocked_at
    if blocked_at is not None and blocked_at <= row["at"]:
        return "tag_blocked"
    return "no_grant" if row["person_id"] is not None else "tag_unknown"


def _entered(tx: Connection, event_ids: list[int]) -> dict[int, tuple[int, date]]:
    """Return the space and day of the entry that each of these taps made, if it did."""
    made = select(entries.c.tap_event_id, entries.c.space_id, entries.c.vat_day).where(entries.c.tap_event_id.in_(event_ids))
    return {row.tap_event_id: (row.space_id, row.vat_day) for row in tx.execute(made)}
