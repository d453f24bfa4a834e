# SPDX-License-Identifier: AGPL-3.0-or-later
"""Until when the doors' events are complete, and what is known to have been and never arrived: nothing lost goes unnamed.

The gap in the journal that a door writes now is filled when the door sends it. In an earlier one, whose card may be dead, it
stays until somebody closes it with a reason.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from access_contract.vocabulary import ClockQuality
from booking_server.doors import journals as door_journals
from booking_server.doors import service as doors
from booking_server.ledger.tables import events, journals


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events of one journal that were and are not here: how many, and `until` when all before them is. The run without a gap
    ends at `up_to`, the journal at `last`, as far as is known. `lost`: the door writes another journal now."""

    door_id: str
    journal: str
    missing: int
    until: datetime | None
    up_to: int
    last: int
    lost: bool


def gaps(tx: Connection) -> list[Gap]:
    """Return what keeps doors from being complete, by door and journal: what a door has sent later events than, and what an
    earlier journal is known to have had, unless that was closed for good."""
    given_up = {(one.door_id, one.journal): one.given_up for one in door_journals.told(tx)}
    stored = {row.journal: row.last_seen for row in tx.execute(select(journals.c.journal, journals.c.last_seen))}
    return [
        gap
        for gap in _behind(tx)
        if (gap.last > given_up.get((gap.door_id, gap.journal), 0) if gap.lost else gap.up_to < stored.get(gap.journal, 0))
    ]


def close_gaps(tx: Connection, door_ids: Collection[str]) -> None:
    """Wait no more for what is not here yet of these doors' journals, once they write others. The caller keeps the reason."""
    for gap in _behind(tx):
        if gap.door_id in door_ids:
            door_journals.give_up(tx, gap.door_id, gap.journal, gap.last)


def _behind(tx: Connection) -> list[Gap]:
    """Return the journals of which not all is here that was sent or told of."""
    now = {door_id: state.status.journal for door_id, state in doors.door_states(tx).items()}
    told = {(one.door_id, one.journal): one.last for one in door_journals.told(tx)}
    known = {(row.door_id, row.journal): row for row in tx.execute(select(journals))}
    found = []
    for door_id, journal in sorted({*told, *known}):
        stored = known.get((door_id, journal))
        up_to, seen, until = (0, 0, None) if stored is None else (stored.up_to, stored.last_seen, stored.complete_until)
        last = max(seen, told.get((door_id, journal), 0))
        if up_to < last:
            missing, lost = last - _stored(tx, door_id, journal), now.get(door_id) not in (None, journal)
            gap = Gap(door_id=door_id, journal=journal, missing=missing, until=until, up_to=up_to, last=last, lost=lost)
            found.append(gap)
    return found


def _stored(tx: Connection, door_id: str, journal: str) -> int:
    mine = (events.c.journal == journal) & (events.c.door_id == door_id)
    return int(tx.execute(select(func.count()).select_from(events).where(mine)).scalar_one())


def doors_complete(tx: Connection, month_end: datetime) -> dict[str, datetime | None]:
    """Return for each door in use until when its events are complete: before any gap; None if it was never heard.

    A door is ready for the month when the instant is not before `month_end`. Retired before it, or made after it, a door is
    left out. A quiet door is complete until it last said that it has nothing more to send.
    """
    least = select(journals.c.door_id, func.max(journals.c.complete_until)).group_by(journals.c.door_id)
    heard: dict[str, datetime | None] = {row[0]: row[1] for row in tx.execute(least)}
    open_gaps = gaps(tx)
    for door_id, at in _nothing_to_send(tx).items():
        heard[door_id] = max(heard.get(door_id) or at, at)
    for gap in open_gaps:
        known = heard.get(gap.door_id)
        heard[gap.door_id] = None if gap.until is None or known is None else min(known, gap.until)
    in_use = [d for d in doors.doors(tx) if d.created_at < month_end and (d.retired_at is None or d.retired_at >= month_end)]
    return {door.id: heard.get(door.id) for door in in_use}


def _nothing_to_send(tx: Connection) -> dict[str, datetime]:
    """Return when each door whose whole journal is stored said so, by a clock that it trusted."""
    stored = {row.journal: row.up_to for row in tx.execute(select(journals.c.journal, journals.c.up_to))}
    said = {door_id: state.status for door_id, state in doors.door_states(tx).items()}
    return {
        door_id: one.at
        for door_id, one in said.items()
        if one.at is not None
        and one.clock is not ClockQuality.UNTRUSTED
        and one.journal is not None
        and stored.get(one.journal, 0) >= one.last_sequence
    }
