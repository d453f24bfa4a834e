# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes taps and entries of stored events, whatever order they came in: the tap before its outcome or after, the time set late.

An entry is made once for a granted tap whose outcome counts, at an access point that leads into a space. While something may
still come that dates it anew, it is in doubt and nothing else rests on it. Nothing here changes an event's identity, or an
entry that is settled: counted when its month closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from access_contract.entries import Outcome, outcome_in_mode_unlocked
from access_contract.messages import ClockSynced, CommandDone, Event, Passed, Tapped
from access_contract.vocabulary import ClockQuality, DoorMode
from booking_server import civil
from booking_server.db import among_pairs
from booking_server.ledger.repeating import add_again, times_again
from booking_server.ledger.rules import Holding, Made, booking_of, dated, holder_at, merged
from booking_server.ledger.tables import entries, entry_people, event_bytes, events, taps

MERGE_SPAN = timedelta(days=1)
NEWS_SPAN = timedelta(minutes=10)
"""How long a refusal is worth telling of: what a door delivers after a blackout is not."""
BOOKED_LATER = timedelta(hours=1)
"""More than clocks differ: a booking made so long after the tap did not admit it. A hub that was put back from a backup gives
numbers of bookings once more, and its doors still tell of those that had them before."""
_NUL = b"\\u0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Somebody who was refused at an access point, and why."""

    person_id: int
    door_id: str
    point: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The space an access point leads into, its site's zone, and whether a tap there counts while the door stands unlocked."""

    space_id: int
    zone: ZoneInfo
    tap_is_entry_when_unlocked: bool = False


class Lookups(Protocol):
    """What the ledger asks of other nouns, inside the writing transaction. Each is asked once for a whole batch."""

    def keytags(self, tx: Connection, named: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int]:
        """Return the keytag behind each (door, tag hash) that is known."""

    def holdings(self, tx: Connection, keytag_ids: Collection[int]) -> Mapping[int, Sequence[Holding]]:
        """Return who held each of these keytags, and when."""

    def targets(self, tx: Connection, points: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Target]:
        """Return where each of these (door, access point) leads; those that lead into no space are left out."""

    def bookings(self, tx: Connection, booking_ids: Collection[int]) -> Mapping[int, tuple[int, datetime]]:
        """Return which space each of these bookings holds, and when it was made; those that there are not are left out."""

    def command_done(self, tx: Connection, now: datetime, door_id: str, done: CommandDone) -> None: ...

    def denied(self, tx: Connection, now: datetime, taps: Sequence[Denied]) -> None:
        """Hear which people were just refused at a door; taps from before the last minutes are left out."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An event of a known kind, as it was just stored."""

    number: int
    door_id: str
    event: Event
    hash: str


@dataclass(slots=True, kw_only=True)
class _Tap:
    """A tap as entering needs it; fields are those of the taps table and the event's hash."""

    event_id: int
    door_id: str
    point: str
    at: datetime
    granted: bool
    cause: str | None
    simulated: bool
    keytag_id: int | None
    person_id: int | None
    clock: str
    hash: str


def event_of(content: bytes) -> Event | None:
    """Return the event in these bytes; None for a kind of a later version, or words that PostgreSQL cannot hold."""
    if _NUL in content:
        return None
    try:
        return msgspec.json.decode(content, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def derive(tx: Connection, lookups: Lookups, *, now: datetime, stored: Sequence[Stored], last_seen: Mapping[str, int]) -> None:
    """Make what follows from the events just stored. `last_seen` is each journal's highest sequence before them."""
    late = {one.event.journal for one in stored if one.event.sequence <= last_seen[one.event.journal]}
    entered = _tapped(tx, lookups, now, stored, _earlier(tx, late))
    entered += _passed(tx, stored)
    add_again(tx, [one.event for one in stored])
    _enter(tx, lookups, entered)
    for one in stored:
        if isinstance(one.event.what, CommandDone):
            lookups.command_done(tx, now, one.door_id, one.event.what)
        elif isinstance(one.event.what, ClockSynced):
            _redate_boot(tx, lookups, one.event)


def _earlier(tx: Connection, journals: Collection[str]) -> list[Event]:
    """Return what was stored of these journals that speaks of other events: it may overtake the taps it speaks of."""
    if not journals:
        return []
    joined = event_bytes.join(events, events.c.id == event_bytes.c.event_id)
    wanted = events.c.journal.in_(journals) & events.c.kind.in_(("passed", "refused_again", "clock_synced"))
    found = tx.execute(select(event_bytes.c.content).select_from(joined).where(wanted).order_by(events.c.id))
    return [event for content in found.scalars() if (event := event_of(content)) is not None]


# --- taps ------------------------------------------------------------------------------------------------------------


def _tapped(tx: Connection, lookups: Lookups, now: datetime, stored: Sequence[Stored], earlier: Sequence[Event]) -> list[_Tap]:
    """Store the taps among these events; return those that are known to have been entered."""
    new = [one for one in stored if isinstance(one.event.what, Tapped)]
    if not new:
        return []
    around = [*earlier, *(one.event for one in stored)]
    outcomes: dict[tuple[str, int], Passed] = {}
    for event in around:
        if isinstance(event.what, Passed):
            outcomes.setdefault((event.journal, event.what.tap), event.what)
    keytags = lookups.keytags(tx, {(one.door_id, tag) for one in new if (tag := _tag(one.event)) is not None})
    holdings = lookups.holdings(tx, set(keytags.values()))
    unlocked = {point for one in new if (point := _unlocked_point(one)) is not None}
    targets = lookups.targets(tx, unlocked) if unlocked else {}
    again = times_again(around)
    rows = [_tap_row(one, around, keytags, holdings, _outcome(one, outcomes, targets)) for one in new]
    for one, row in zip(new, rows, strict=True):
        row["again"] = 0 if row["granted"] else again.get((one.event.journal, one.event.sequence), 0)
    tx.execute(insert(taps), rows)
    if denied := [_denied(row) for row in rows if _is_news(row, now)]:
        lookups.denied(tx, now, denied)
    counted = [(one, row) for one, row in zip(new, rows, strict=True) if row["outcome"] and Outcome(row["outcome"]).counts]
    return [_Tap(hash=one.hash, **{name: row[name] for name in _NAMES}) for one, row in counted]


def _is_news(row: Mapping[str, Any], now: datetime) -> bool:
    refused = not row["granted"] and row["person_id"] is not None and row["clock"] != ClockQuality.UNTRUSTED
    return refused and abs(now - row["at"]) <= NEWS_SPAN


def _denied(row: Mapping[str, Any]) -> Denied:
    where = {name: row[name] for name in ("person_id", "door_id", "point", "at")}
    return Denied(**where, reason=row["reason"] or "")


_NAMES = ("event_id", "door_id", "point", "at", "granted", "cause", "simulated", "keytag_id", "person_id", "clock")


def _tag(event: Event) -> str | None:
    return event.what.tag if isinstance(event.what, Tapped) else None


def _unlocked_point(one: Stored) -> tuple[str, str] | None:
    """Return where a granted tap fell at a door that stood unlocked, if this is one."""
    what = one.event.what
    if not isinstance(what, Tapped) or not what.granted or not (what.unlocked or what.mode == DoorMode.UNLOCKED):
        return None
    return one.door_id, what.access_point


def _outcome(
    one: Stored, outcomes: Mapping[tuple[str, int], Passed], targets: Mapping[tuple[str, str], Target]
) -> Outcome | None:
    """Return what the door says became of a tap, if it did yet; where it stood unlocked, what the space's setting says."""
    point = _unlocked_point(one)
    if point is not None:
        target = targets.get(point)
        return outcome_in_mode_unlocked(tap_is_entry=target is not None and target.tap_is_entry_when_unlocked)
    passed = outcomes.get((one.event.journal, one.event.sequence))
    return None if passed is None else passed.outcome


def _tap_row(
    one: Stored,
    around: Iterable[Event],
    keytags: Mapping[tuple[str, str], int],
    holdings: Mapping[int, Sequence[Holding]],
    outcome: Outcome | None,
) -> dict[str, Any]:
    what: Any = one.event.what
    at = dated(one.event, _synced(one.event, around))
    keytag = keytags.get((one.door_id, what.tag))
    return {
        "event_id": one.number,
        "door_id": one.door_id,
        "point": what.access_point[:16],
        "at": at,
        "granted": what.granted,
        "reason": None if what.reason is None else what.reason[:40],
        "cause": None if what.cause is None else what.cause[:60],
        "decided_by": what.decided_by,
        "disagreed": what.server_granted is not None and what.server_granted != what.own_granted,
        "clock": str(one.event.clock),
        "outcome": None if outcome is None else str(outcome),
        "simulated": what.simulated,
        "keytag_id": keytag,
        "person_id": None if keytag is None else holder_at(holdings.get(keytag, ()), at),
    }


def _synced(event: Event, around: Iterable[Event]) -> Event | None:
    """Return the first trusted instant of the boot in which `event` was written with an untrusted clock."""
    if event.clock is not ClockQuality.UNTRUSTED:
        return None
    same = (e for e in around if e.journal == event.journal and e.boot == event.boot and e.sequence > event.sequence)
    return min((e for e in same if isinstance(e.what, ClockSynced)), key=lambda e: e.sequence, default=None)


def _passed(tx: Connection, stored: Sequence[Stored]) -> list[_Tap]:
    """Give the outcomes among these events to taps stored before; return those that were entered."""
    said = {(o.event.journal, o.event.what.tap): o.event.what for o in reversed(stored) if isinstance(o.event.what, Passed)}
    if not said:
        return []
    wanted = (events.c.journal, events.c.sequence, events.c.hash, *(taps.c[name] for name in _NAMES))
    joined = select(*wanted).join(events, events.c.id == taps.c.event_id).where(taps.c.outcome.is_(None))
    shares = among_pairs(events.c.journal, events.c.sequence, said)
    found = [row for these in shares for row in tx.execute(joined.where(these))]
    for row in found:
        outcome = said[row.journal, row.sequence].outcome
        tx.execute(update(taps).where(taps.c.event_id == row.event_id).values(outcome=str(outcome)))
    counted = [row for row in found if said[row.journal, row.sequence].outcome.counts]
    return [_Tap(hash=row.hash, **{name: getattr(row, name) for name in _NAMES}) for row in counted]


# --- entries ---------------------------------------------------------------------------------------------------------


def _enter(tx: Connection, lookups: Lookups, entered: Sequence[_Tap]) -> None:
    targets = lookups.targets(tx, {(tap.door_id, tap.point) for tap in entered})
    inside = [(tap, target) for tap in entered if tap.granted and (target := targets.get((tap.door_id, tap.point))) is not None]
    if not inside:
        return
    named = {booking for tap, _ in inside if (booking := booking_of(tap.cause)) is not None}
    booked = lookups.bookings(tx, named) if named else {}
    tx.execute(insert(entries), [_entry_row(tap, target, booked) for tap, target in inside])
    made = select(entries.c.tap_event_id, entries.c.id).where(entries.c.tap_event_id.in_([tap.event_id for tap, _ in inside]))
    number = {row.tap_event_id: row.id for row in tx.execute(made)}
    people = [(number[tap.event_id], tap.person_id, tap.at) for tap, _ in inside if tap.person_id is not None]
    if people:
        tx.execute(insert(entry_people), [dict(zip(("entry_id", "person_id", "at"), row, strict=True)) for row in people])
    _merge_around(tx, [tap for tap, _ in inside])


def _entry_row(tap: _Tap, target: Target, booked: Mapping[int, tuple[int, datetime]]) -> dict[str, Any]:
    """An entry belongs to the booking that admitted only in the booked space itself: a booking opens the way there, too."""
    booking = booking_of(tap.cause)
    space, made_at = booked.get(booking or 0, (0, tap.at))
    is_its = space == target.space_id and (made_at < tap.at + BOOKED_LATER or tap.clock == ClockQuality.UNTRUSTED)
    return {
        "tap_event_id": tap.event_id,
        "space_id": target.space_id,
        "service_day": civil.service_day(tap.at, target.zone),
        "vat_day": civil.vat_day(tap.at, target.zone),
        "event_hash": tap.hash,
        "booking_id": booking if is_its else None,
        "doubtful": tap.clock == ClockQuality.UNTRUSTED,
        "simulated": tap.simulated,
    }


def _merge_around(tx: Connection, made: Sequence[_Tap]) -> None:
    """Say anew which entries of these tags, near these instants, are re-taps of another; one in doubt is not."""
    keytags = {tap.keytag_id for tap in made if tap.keytag_id is not None}
    if not keytags:
        return
    joined = entries.join(taps, taps.c.event_id == entries.c.tap_event_id)
    first, last = min(tap.at for tap in made) - MERGE_SPAN, max(tap.at for tap in made) + MERGE_SPAN
    near = taps.c.keytag_id.in_(keytags) & taps.c.at.between(first, last) & ~entries.c.doubtful
    wanted = (entries.c.id, entries.c.merged_into, entries.c.settled, taps.c.at, taps.c.keytag_id, taps.c.door_id, taps.c.point)
    runs: dict[tuple[int, str, str], list[Any]] = {}
    for row in tx.execute(select(*wanted).select_from(joined).where(near)):
        runs.setdefault((row.keytag_id, row.door_id, row.point), []).append(row)
    for run in runs.values():
        firsts = merged(Made(entry_id=row.id, at=row.at, settled=row.settled, merged_into=row.merged_into) for row in run)
        for row in run:
            if firsts[row.id] != row.merged_into:
                tx.execute(update(entries).where(entries.c.id == row.id).values(merged_into=firsts[row.id]))


# --- a clock set late ------------------------------------------------------------------------------------------------


def date_for_good(tx: Connection, journals_stored: Mapping[str, int]) -> None:
    """Take out of doubt the entries that nothing can date anew: `journals_stored` says up to where each journal is whole, and
    before that the door set its clock, or started anew without having set it."""
    if not journals_stored:
        return
    undated = select(events.c.journal, events.c.sequence, events.c.hash, entries.c.id, *(taps.c[name] for name in _NAMES))
    joined = entries.join(events, events.c.id == entries.c.tap_event_id).join(taps, taps.c.event_id == events.c.id)
    # coalesce keeps the few entries in doubt the first to be looked up, and not all events of a long journal
    mine = entries.c.doubtful & func.coalesce(events.c.journal, "").in_(journals_stored)
    found = tx.execute(undated.select_from(joined).where(mine)).all()
    dated_up_to = {journal: _dated_up_to(tx, journal, journals_stored[journal]) for journal in {row.journal for row in found}}
    settled = [row for row in found if row.sequence < dated_up_to[row.journal]]
    for row in settled:
        tx.execute(update(entries).where(entries.c.id == row.id).values(doubtful=False))
    for row in settled:
        _merge_around(tx, [_Tap(hash=row.hash, **{name: getattr(row, name) for name in _NAMES})])


def _dated_up_to(tx: Connection, journal: str, stored: int) -> int:
    """Return the last event of the unbroken run at which the clock was set or the door started."""
    told = (events.c.journal == journal) & (events.c.sequence <= stored) & events.c.kind.in_(("clock_synced", "booted"))
    return int(tx.execute(select(func.max(events.c.sequence)).where(told)).scalar() or 0)


def _redate_boot(tx: Connection, lookups: Lookups, synced: Event) -> None:
    """Date anew the taps of this boot before `synced`. Those before an earlier setting of the clock are dated by that one."""
    earlier = [e.sequence for e in _earlier(tx, [synced.journal]) if isinstance(e.what, ClockSynced) and e.boot == synced.boot]
    since = max((sequence for sequence in earlier if sequence < synced.sequence), default=0)
    joined = taps.join(events, events.c.id == taps.c.event_id).join(event_bytes, event_bytes.c.event_id == events.c.id)
    between = (events.c.sequence > since) & (events.c.sequence < synced.sequence)
    before = (events.c.journal == synced.journal) & between & (taps.c.clock == "untrusted")
    wanted = (events.c.hash, event_bytes.c.content, *(taps.c[name] for name in _NAMES))
    for row in tx.execute(select(*wanted).select_from(joined).where(before)).all():
        event = event_of(row.content)
        if event is not None and event.boot == synced.boot:
            tap = _Tap(hash=row.hash, **{name: getattr(row, name) for name in _NAMES})
            _redate(tx, lookups, tap, dated(event, synced))


def _redate(tx: Connection, lookups: Lookups, tap: _Tap, at: datetime) -> None:
    was = tap.at
    if at == was:
        return
    tap.at = at
    if tap.keytag_id is not None:
        tap.person_id = holder_at(lookups.holdings(tx, [tap.keytag_id]).get(tap.keytag_id, ()), at)
    tx.execute(update(taps).where(taps.c.event_id == tap.event_id).values(at=at, person_id=tap.person_id))
    entry = tx.execute(select(entries.c.id).where((entries.c.tap_event_id == tap.event_id) & ~entries.c.settled)).scalar()
    target = lookups.targets(tx, [(tap.door_id, tap.point)]).get((tap.door_id, tap.point))
    if entry is None or target is None:
        return
    days = {"service_day": civil.service_day(at, target.zone), "vat_day": civil.vat_day(at, target.zone)}
    tx.execute(update(entries).where(entries.c.id == entry).values(**days))
    tx.execute(delete(entry_people).where(entry_people.c.entry_id == entry))
    if tap.person_id is not None:
        tx.execute(insert(entry_people).values(entry_id=entry, person_id=tap.person_id, at=at))
    for instant in (was, at):
        tap.at = instant
        _merge_around(tx, [tap])
