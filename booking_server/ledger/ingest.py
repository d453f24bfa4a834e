# SPDX-License-Identifier: AGPL-3.0-or-later
"""Takes in the doors' events: each counts exactly once, whatever order or how often it comes. Acknowledge after commit only.

Same identity and same bytes: nothing happens. Same identity and other bytes: kept aside as a fork. A kind not known is kept
and counted. Nothing a door sends makes this fail; only the database can. However many events come at once, the statements
stay the same few: what makes a flood after a blackout short.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from access_contract.messages import Acknowledgement, EventHeader, event_hash
from access_contract.vocabulary import ClockQuality
from booking_server.civil import can_be_reckoned_with
from booking_server.db import among_pairs
from booking_server.ledger.deriving import Lookups, Stored, Target, date_for_good, derive, event_of
from booking_server.ledger.rules import MISSING_MAX, up_to
from booking_server.ledger.tables import counters, event_bytes, events, forks, journals

__all__ = ["Lookups", "Sent", "Target", "count", "ingest", "ingest_all", "lost", "wanted"]

MONOTONIC_MAX_MS, SEQUENCE_MAX = 10**13, 2**31 - 1


@dataclass(frozen=True, slots=True)
class Sent:
    """What one message of a door carried: events as their exact bytes, and up to where it has those of a journal no more."""

    door_id: str
    contents: Sequence[bytes]
    gone: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Came:
    """One event that can be read, from the door that may write its journal."""

    door_id: str
    header: EventHeader
    content: bytes
    hash: str

    @property
    def identity(self) -> tuple[str, int]:
        return self.header.journal, self.header.sequence


@dataclass(slots=True)
class _Journal:
    """A journal as it was before this batch, and whether the batch forked it."""

    door_id: str
    up_to: int
    last_seen: int
    complete_until: datetime | None = None
    gone: int = 0
    forked: bool = False
    came: dict[int, EventHeader] = field(default_factory=dict)


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


class _Peek(msgspec.Struct, frozen=True):
    what: _Kind = _Kind()


def ingest(
    tx: Connection, lookups: Lookups, *, now: datetime, door_id: str, contents: Sequence[bytes]
) -> list[Acknowledgement]:
    """Store what is new in `contents` from one door; return what to say once it is committed."""
    return ingest_all(tx, lookups, now=now, sent=[Sent(door_id, contents)])[0]


def ingest_all(tx: Connection, lookups: Lookups, *, now: datetime, sent: Sequence[Sent]) -> list[list[Acknowledgement]]:
    """Store what is new in all these messages; return for each, in order, what to say once it is committed."""
    readable = [_readable(tx, message, now) for message in sent]
    known = _journals(tx, [came for message in readable for came in message], now)
    own = [[came for came in message if _own(tx, known, came, now)] for message in readable]
    _note_gone(tx, known, sent)
    fresh = _fresh(tx, known, [came for message in own for came in message], now)
    stored = _store(tx, fresh, now)
    derive(tx, lookups, now=now, stored=stored, last_seen={journal: found.last_seen for journal, found in known.items()})
    said = _acknowledge(tx, {journal: known[journal] for journal in {came.header.journal for m in own for came in m}})
    date_for_good(tx, {journal: one.up_to for journal, one in said.items()})
    return [[said[journal] for journal in dict.fromkeys(came.header.journal for came in message)] for message in own]


def count(tx: Connection, name: str, door_id: str, now: datetime) -> int:
    """Count one more `name` for a door ("" for none) and return how many there are."""
    here = (counters.c.name == name) & (counters.c.door_id == door_id)
    known = tx.execute(select(counters.c.count).where(here)).scalar()
    if known is None:
        tx.execute(insert(counters).values(name=name, door_id=door_id, count=1, last_at=now))
    else:
        tx.execute(update(counters).where(here).values(count=known + 1, last_at=now))
    return (known or 0) + 1


def _readable(tx: Connection, message: Sent, now: datetime) -> list[_Came]:
    found = []
    for content in message.contents:
        header = _header(content)
        if header is None:
            count(tx, "malformed_event", message.door_id, now)
        else:
            found.append(_Came(message.door_id, header, bytes(content), event_hash(content)))
    return found


def _header(content: bytes) -> EventHeader | None:
    try:
        header = msgspec.json.decode(content, type=EventHeader)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return header if _can_be_kept(header) else None


def _can_be_kept(header: EventHeader) -> bool:
    """Instants that can be reckoned with, and a word that PostgreSQL can hold."""
    return header.monotonic_ms <= MONOTONIC_MAX_MS and can_be_reckoned_with(header.at) and "\0" not in header.journal


def _journals(tx: Connection, came: Iterable[_Came], now: datetime) -> dict[str, _Journal]:
    """Return the journals that these events name. A new one belongs to the door that first sent it."""
    named = {one.header.journal: one.door_id for one in reversed(list(came))}
    kept = (journals.c.door_id, journals.c.up_to, journals.c.last_seen, journals.c.complete_until, journals.c.gone)
    found = select(journals.c.journal, *kept)
    known = {row[0]: _Journal(*row[1:]) for row in tx.execute(found.where(journals.c.journal.in_(named)))} if named else {}
    new = [journal for journal in named if journal not in known]
    for journal in new:
        known[journal] = _Journal(named[journal], 0, 0)
        row = {"journal": journal, "door_id": named[journal], "up_to": 0, "last_seen": 0, "first_at": now}
        tx.execute(insert(journals).values(row))
    return known


def _own(tx: Connection, known: dict[str, _Journal], came: _Came, now: datetime) -> bool:
    if known[came.header.journal].door_id == came.door_id:
        return True
    count(tx, "misaddressed_event", came.door_id, now)
    return False


def _note_gone(tx: Connection, known: dict[str, _Journal], sent: Iterable[Sent]) -> None:
    """Keep what a door itself has no more of its journals: what follows is acknowledged, though the hole before it stays."""
    for message in sent:
        for journal, up_to_here in message.gone.items():
            found = known.get(journal)
            if found is not None and found.door_id == message.door_id and found.gone < up_to_here <= SEQUENCE_MAX:
                found.gone = up_to_here
                tx.execute(update(journals).where(journals.c.journal == journal).values(gone=up_to_here))


def _fresh(tx: Connection, known: dict[str, _Journal], came: Sequence[_Came], now: datetime) -> list[_Came]:
    """Return the events that are not stored yet, each once; keep aside those that contradict what is stored."""
    hashes = {(row.journal, row.sequence): row.hash for row in _rows(tx, [one.identity for one in came], events.c.hash)}
    fresh = []
    for one in came:
        stored = hashes.setdefault(one.identity, "")
        if not stored:
            hashes[one.identity] = one.hash
            known[one.header.journal].came[one.header.sequence] = one.header
            fresh.append(one)
        elif stored != one.hash:
            known[one.header.journal].forked = True
            _keep_fork(tx, one, now)
    return fresh


def _rows(tx: Connection, identities: Sequence[tuple[str, int]], wanted: Any) -> Iterable[Any]:
    """Return journal, sequence and `wanted` of the stored events with these identities."""
    for these in among_pairs(events.c.journal, events.c.sequence, identities):
        yield from tx.execute(select(events.c.journal, events.c.sequence, wanted).where(these))


def _keep_fork(tx: Connection, one: _Came, now: datetime) -> None:
    identity = {"journal": one.header.journal, "sequence": one.header.sequence, "hash": one.hash}
    if tx.execute(select(forks.c.id).filter_by(**identity)).scalar() is None:
        tx.execute(insert(forks).values(**identity, door_id=one.door_id, content=one.content, received_at=now))
        count(tx, "forked_event", one.door_id, now)


def _store(tx: Connection, fresh: Sequence[_Came], now: datetime) -> list[Stored]:
    """Store identity, hash and bytes of each event; return those whose kind is known, in the order they came."""
    if not fresh:
        return []
    tx.execute(insert(events), [_row(one, now) for one in fresh])
    numbers = {(row.journal, row.sequence): row.id for row in _rows(tx, [one.identity for one in fresh], events.c.id)}
    tx.execute(insert(event_bytes), [{"event_id": numbers[one.identity], "content": one.content} for one in fresh])
    stored = []
    for one in fresh:
        event = event_of(one.content)
        if event is None:
            count(tx, "unknown_event", one.door_id, now)
        else:
            stored.append(Stored(numbers[one.identity], one.door_id, event, one.hash))
    return stored


def _row(one: _Came, now: datetime) -> dict[str, Any]:
    return {
        "journal": one.header.journal,
        "sequence": one.header.sequence,
        "door_id": one.door_id,
        "hash": one.hash,
        "previous": one.header.previous,
        "kind": _kind(one.content),
        "received_at": now,
    }


def _kind(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=_Peek).what.kind.replace("\0", "")[:30]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def _acknowledge(tx: Connection, journals_now: dict[str, _Journal]) -> dict[str, Acknowledgement]:
    """Write how far each journal is stored, and return what to tell its door."""
    said, rows = {}, []
    for journal, before in journals_now.items():
        known = _beyond(tx, journal, before)
        reached, last = up_to(known, before.up_to), max([before.last_seen, *known])
        if (reached, last) != (before.up_to, before.last_seen):
            rows.append(
                {"which": journal, "reached": reached, "last": last, "until": _complete_until(tx, journal, before, reached)}
            )
        told = _told(reached, before.gone, known)
        missing = _missing(told, last - 1, known)
        said[journal] = Acknowledgement(journal=journal, up_to=told, missing=missing, forked=before.forked)
    if rows:
        values: dict[str, Any] = {
            "up_to": bindparam("reached"),
            "last_seen": bindparam("last"),
            "complete_until": bindparam("until"),
        }
        tx.execute(update(journals).where(journals.c.journal == bindparam("which")).values(values), rows)
    return said


def wanted(tx: Connection, *, door_id: str, journal: str, last: int) -> Acknowledgement | None:
    """Return what to say to a door that holds `journal` up to `last` and does not send what is not here; None if all is."""
    row = tx.execute(select(journals).where(journals.c.journal == journal)).one_or_none()
    if row is not None and row.door_id != door_id:
        return None
    said = Acknowledgement(journal=journal, up_to=0) if row is None else _as_stored(tx, row)
    missing = _missing(said.up_to, last, _stored_after(tx, journal, said.up_to))
    return msgspec.structs.replace(said, missing=missing) if missing else None


def lost(tx: Connection, *, door_id: str, journal: str, acknowledged: int) -> list[Acknowledgement]:
    """Return how far the journals of a door are here, for it to see what was acknowledged once and is here no more.

    That is so after this server was put back from a backup. `journal`, which the door writes now, is named only where the door
    says that more of it was `acknowledged`; of the others only the door knows.
    """
    found = tx.execute(select(journals).where(journals.c.door_id == door_id).order_by(journals.c.first_at)).all()
    stored = {row.journal: _as_stored(tx, row) for row in found}
    now = stored.pop(journal, Acknowledgement(journal=journal, up_to=0))
    said = [*stored.values(), *([now] if now.up_to < acknowledged else [])]
    return [msgspec.structs.replace(one, again=True) for one in said]


def _as_stored(tx: Connection, row: Any) -> Acknowledgement:
    stored = _stored_after(tx, row.journal, row.up_to) if row.gone > row.up_to else []
    return Acknowledgement(journal=row.journal, up_to=_told(row.up_to, row.gone, stored))


def _told(reached: int, gone: int, known: Iterable[int]) -> int:
    """Return up to where a door need send nothing more: what is stored, and what it has no more."""
    return up_to(known, gone) if gone > reached else reached


def _missing(reached: int, last: int, known: Iterable[int]) -> list[int]:
    """Return the first sequences up to `last` that are not here, no more than a door may send at once and a message holds."""
    return sorted(set(range(reached + 1, min(last + 1, reached + 10 * MISSING_MAX))) - set(known))[:MISSING_MAX]


def _beyond(tx: Connection, journal: str, before: _Journal) -> list[int]:
    """Return the stored sequences after the unbroken run; without a gap before, that is what just came."""
    return list(before.came) if before.last_seen == before.up_to else _stored_after(tx, journal, before.up_to)


def _stored_after(tx: Connection, journal: str, reached: int) -> list[int]:
    after = select(events.c.sequence).where((events.c.journal == journal) & (events.c.sequence > reached))
    return list(tx.execute(after).scalars())


def _complete_until(tx: Connection, journal: str, before: _Journal, reached: int) -> datetime | None:
    """Return the instant of the last event of the unbroken run; one by a clock that nobody trusts tells nothing new."""
    if reached == before.up_to:
        return before.complete_until
    header = before.came.get(reached) or _header_of(tx, journal, reached)
    if header is None or header.clock is ClockQuality.UNTRUSTED:
        return before.complete_until
    return header.at


def _header_of(tx: Connection, journal: str, sequence: int) -> EventHeader | None:
    """Return what was stored, unless it is forgotten by now."""
    joined = event_bytes.join(events, events.c.id == event_bytes.c.event_id)
    here = (events.c.journal == journal) & (events.c.sequence == sequence)
    content = tx.execute(select(event_bytes.c.content).select_from(joined).where(here)).scalar()
    return None if content is None else _header(content)
