# SPDX-License-Identifier: AGPL-3.0-or-later
"""Takes in the doors' events: each counts exactly once, whatever order or how often it comes. Acknowledge after commit only.

Same identity and same bytes: nothing happens. Same identity and other bytes: kept aside as a fork. A kind not known is kept
and counted. Nothing a door sends makes this fail; only the database can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from access_contract.messages import Acknowledgement, ClockSynced, CommandDone, Event, EventHeader, Passed, Tapped, event_hash
from booking_server import civil
from booking_server.ledger.rules import MISSING_MAX, Made, booking_of, dated, merged, up_to
from booking_server.ledger.tables import counters, entries, entry_people, event_bytes, events, forks, journals, taps

SEQUENCE_MAX = 2**31 - 1
MONOTONIC_MAX_MS = 10**13
YEARS = range(1970, 2200)
_NUL = b"\\u0000"
MERGE_SPAN = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The space an access point leads into, and its site's zone."""

    space_id: int
    zone: ZoneInfo


class Lookups(Protocol):
    """What the ledger asks of other nouns, inside the writing transaction."""

    def keytag(self, tx: Connection, door_id: str, tag_hash: str) -> int | None: ...
    def holder(self, tx: Connection, keytag_id: int, at: datetime) -> int | None: ...
    def target(self, tx: Connection, door_id: str, point: str) -> Target | None: ...
    def booking_exists(self, tx: Connection, booking_id: int) -> bool: ...
    def command_done(self, tx: Connection, now: datetime, door_id: str, done: CommandDone) -> None: ...


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


class _Peek(msgspec.Struct, frozen=True):
    what: _Kind = _Kind()


def ingest(
    tx: Connection, lookups: Lookups, *, now: datetime, door_id: str, contents: Sequence[bytes]
) -> list[Acknowledgement]:
    """Store what is new in `contents` (events as exact bytes from `door_id`); return what to say once it is committed."""
    touched: dict[str, bool] = {}
    for content in contents:
        header = _header(content)
        if header is None or not _own_journal(tx, header, door_id, now):
            count(tx, "malformed_event" if header is None else "misaddressed_event", door_id, now)
            continue
        forked = not _store(tx, lookups, header, bytes(content), door_id, now)
        touched[header.journal] = touched.get(header.journal, False) or forked
    return [_acknowledge(tx, journal, forked=forked) for journal, forked in touched.items()]


def count(tx: Connection, name: str, door_id: str, now: datetime) -> int:
    """Count one more `name` for a door ("" for none) and return how many there are."""
    here = (counters.c.name == name) & (counters.c.door_id == door_id)
    known = tx.execute(select(counters.c.count).where(here)).scalar()
    if known is None:
        tx.execute(insert(counters).values(name=name, door_id=door_id, count=1, last_at=now))
    else:
        tx.execute(update(counters).where(here).values(count=known + 1, last_at=now))
    return (known or 0) + 1


def _header(content: bytes) -> EventHeader | None:
    try:
        header = msgspec.json.decode(content, type=EventHeader)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return header if _can_be_kept(header) else None


def _can_be_kept(header: EventHeader) -> bool:
    """Numbers and instants that fit a row and can be reckoned with; a word that PostgreSQL can hold."""
    fits = header.sequence <= SEQUENCE_MAX and header.monotonic_ms <= MONOTONIC_MAX_MS
    return fits and header.at.year in YEARS and "\0" not in header.journal


def _own_journal(tx: Connection, header: EventHeader, door_id: str, now: datetime) -> bool:
    owner = tx.execute(select(journals.c.door_id).where(journals.c.journal == header.journal)).scalar()
    if owner is None:
        new = {"journal": header.journal, "door_id": door_id, "up_to": 0, "last_seen": 0, "first_at": now}
        tx.execute(insert(journals).values(new))
    return owner is None or owner == door_id


def _store(tx: Connection, lookups: Lookups, header: EventHeader, content: bytes, door_id: str, now: datetime) -> bool:
    digest = event_hash(content)
    identity = {"journal": header.journal, "sequence": header.sequence}
    known = tx.execute(select(events.c.hash).filter_by(**identity)).scalar()
    if known is not None:
        return known == digest or _keep_fork(tx, {**identity, "hash": digest}, content, door_id, now)
    event = _event(content)
    kind = _kind(content)
    row = {**identity, "door_id": door_id, "hash": digest, "previous": header.previous, "kind": kind, "received_at": now}
    number = int(tx.execute(insert(events).values(row).returning(events.c.id)).scalar_one())
    tx.execute(insert(event_bytes).values(event_id=number, content=content))
    if event is None:
        count(tx, "unknown_event", door_id, now)
    else:
        _apply(tx, lookups, event, number, door_id, now)
    return True


def _keep_fork(tx: Connection, identity: dict[str, Any], content: bytes, door_id: str, now: datetime) -> bool:
    if tx.execute(select(forks.c.id).filter_by(**identity)).scalar() is None:
        tx.execute(insert(forks).values(**identity, door_id=door_id, content=content, received_at=now))
        count(tx, "forked_event", door_id, now)
    return False


def _event(content: bytes) -> Event | None:
    if _NUL in content:
        return None
    try:
        return msgspec.json.decode(content, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _kind(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Peek).what.kind.replace("\0", "")[:30]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _apply(tx: Connection, lookups: Lookups, event: Event, number: int, door_id: str, now: datetime) -> None:
    match event.what:
        case Tapped():
            _tapped(tx, lookups, event, event.what, number, door_id)
        case Passed():
            _passed(tx, lookups, event, event.what)
        case ClockSynced():
            _synced(tx, lookups, event)
        case CommandDone():
            lookups.command_done(tx, now, door_id, event.what)
        case _:
            pass


def _tapped(tx: Connection, lookups: Lookups, event: Event, what: Tapped, number: int, door_id: str) -> None:
    later = _others(tx, event.journal, "clock_synced", event.sequence)
    at = dated(event, min((e for e in later if e.boot == event.boot), key=lambda e: e.sequence, default=None))
    keytag = None if what.tag is None else lookups.keytag(tx, door_id, what.tag)
    contrary = what.server_granted is not None and what.server_granted != what.own_granted
    tx.execute(
        insert(taps).values(
            event_id=number,
            door_id=door_id,
            point=what.access_point[:16],
            at=at,
            granted=what.granted,
            reason=None if what.reason is None else what.reason[:40],
            cause=None if what.cause is None else what.cause[:60],
            decided_by=what.decided_by,
            disagreed=contrary,
            clock=str(event.clock),
            simulated=what.simulated,
            keytag_id=keytag,
            person_id=None if keytag is None else lookups.holder(tx, keytag, at),
        )
    )
    for passed in _others(tx, event.journal, "passed", event.sequence):
        if isinstance(passed.what, Passed) and passed.what.tap == event.sequence:
            _passed(tx, lookups, passed, passed.what)


def _others(tx: Connection, journal: str, kind: str, after: int) -> list[Event]:
    joined = event_bytes.join(events, events.c.id == event_bytes.c.event_id)
    wanted = (events.c.journal == journal) & (events.c.kind == kind) & (events.c.sequence > after)
    found = tx.execute(select(event_bytes.c.content).select_from(joined).where(wanted).order_by(events.c.sequence))
    return [event for content in found.scalars() if (event := _event(content)) is not None]


def _passed(tx: Connection, lookups: Lookups, event: Event, what: Passed) -> None:
    joined = taps.join(events, events.c.id == taps.c.event_id)
    where = (events.c.journal == event.journal) & (events.c.sequence == what.tap)
    tap = tx.execute(select(taps, events.c.hash).select_from(joined).where(where)).one_or_none()
    if tap is None or tap.outcome is not None:
        return
    tx.execute(update(taps).where(taps.c.event_id == tap.event_id).values(outcome=str(what.outcome)))
    target = lookups.target(tx, tap.door_id, tap.point)
    if what.outcome.counts and tap.granted and target is not None:
        _enter(tx, lookups, tap, target)


def _enter(tx: Connection, lookups: Lookups, tap: Row[Any], target: Target) -> None:
    booking = booking_of(tap.cause)
    row = {
        "tap_event_id": tap.event_id,
        "space_id": target.space_id,
        "service_day": civil.service_day(tap.at, target.zone),
        "vat_day": civil.vat_day(tap.at, target.zone),
        "event_hash": tap.hash,
        "booking_id": booking if booking is not None and lookups.booking_exists(tx, booking) else None,
        "doubtful": False,
        "simulated": tap.simulated,
    }
    number = int(tx.execute(insert(entries).values(row).returning(entries.c.id)).scalar_one())
    if tap.person_id is not None:
        tx.execute(insert(entry_people).values(entry_id=number, person_id=tap.person_id, at=tap.at))
    _merge_around(tx, tap, tap.at)


def _merge_around(tx: Connection, tap: Row[Any], at: datetime) -> None:
    if tap.keytag_id is None:
        return
    joined = entries.join(taps, taps.c.event_id == entries.c.tap_event_id)
    same = (taps.c.keytag_id == tap.keytag_id) & (taps.c.door_id == tap.door_id) & (taps.c.point == tap.point)
    near = taps.c.at.between(at - MERGE_SPAN, at + MERGE_SPAN)
    found = tx.execute(select(entries.c.id, entries.c.merged_into, taps.c.at).select_from(joined).where(same & near)).all()
    wanted = merged(Made(entry_id=row.id, at=row.at) for row in found)
    for row in found:
        if wanted[row.id] != row.merged_into:
            tx.execute(update(entries).where(entries.c.id == row.id).values(merged_into=wanted[row.id]))


def _synced(tx: Connection, lookups: Lookups, synced: Event) -> None:
    joined = taps.join(events, events.c.id == taps.c.event_id).join(event_bytes, event_bytes.c.event_id == events.c.id)
    earlier = (events.c.journal == synced.journal) & (events.c.sequence < synced.sequence) & (taps.c.clock == "untrusted")
    for tap in tx.execute(select(taps, event_bytes.c.content).select_from(joined).where(earlier)).all():
        event = _event(tap.content)
        if event is not None and event.boot == synced.boot:
            _redate(tx, lookups, tap, dated(event, synced))


def _redate(tx: Connection, lookups: Lookups, tap: Row[Any], at: datetime) -> None:
    holder = None if tap.keytag_id is None else lookups.holder(tx, tap.keytag_id, at)
    tx.execute(update(taps).where(taps.c.event_id == tap.event_id).values(at=at, person_id=holder))
    entry = tx.execute(select(entries.c.id).where(entries.c.tap_event_id == tap.event_id)).scalar()
    target = lookups.target(tx, tap.door_id, tap.point)
    if entry is None or target is None:
        return
    days = {"service_day": civil.service_day(at, target.zone), "vat_day": civil.vat_day(at, target.zone)}
    tx.execute(update(entries).where(entries.c.id == entry).values(**days))
    tx.execute(delete(entry_people).where(entry_people.c.entry_id == entry))
    if holder is not None:
        tx.execute(insert(entry_people).values(entry_id=entry, person_id=holder, at=at))
    _merge_around(tx, tap, tap.at)
    _merge_around(tx, tap, at)


def _acknowledge(tx: Connection, journal: str, *, forked: bool) -> Acknowledgement:
    start = int(tx.execute(select(journals.c.up_to).where(journals.c.journal == journal)).scalar_one())
    after = select(events.c.sequence).where((events.c.journal == journal) & (events.c.sequence > start))
    known = list(tx.execute(after).scalars())
    reached = up_to(known, start)
    last = max([start, *known])
    values: dict[str, Any] = {"up_to": reached, "last_seen": last}
    if reached > start:
        values["complete_until"] = _instant_of(tx, journal, reached)
    tx.execute(update(journals).where(journals.c.journal == journal).values(values))
    gaps = sorted(set(range(reached + 1, min(last, reached + 10 * MISSING_MAX))) - set(known))[:MISSING_MAX]
    return Acknowledgement(journal=journal, up_to=reached, missing=gaps, forked=forked)


def _instant_of(tx: Connection, journal: str, sequence: int) -> datetime | None:
    joined = event_bytes.join(events, events.c.id == event_bytes.c.event_id)
    here = (events.c.journal == journal) & (events.c.sequence == sequence)
    content = tx.execute(select(event_bytes.c.content).select_from(joined).where(here)).scalar()
    header = None if content is None else _header(content)
    return None if header is None else header.at
