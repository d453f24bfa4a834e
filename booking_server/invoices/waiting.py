# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a month still waits for before it can close: its own end, earlier months, doors with taps to send, charges not invoiced.

Closed is a line in time: closing a month closes all before it. Those keep the prices they were closed with, and what arrives
for them later is charged by the next month to close.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select

from booking_server import civil
from booking_server.actors import Actor
from booking_server.billing import service as billing
from booking_server.billing.rules import Charge
from booking_server.bookings import service as bookings
from booking_server.doors import service as doors
from booking_server.invoices import rules
from booking_server.invoices.tables import invoice_lines, months
from booking_server.ledger import service as ledger
from booking_server.places import service as places

_KEYS_AT_ONCE = 5_000
_MADE_AT_ONCE = 10_000
"""An entry with a lower id may be committed after one with a higher: by no more than writers make at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """When and by whom a month was closed; `reason` and `doors` (until when each was complete) if some were left open, with how
    many events of their earlier journals were `lost`; `newest_entry`: the last one that the closing saw."""

    month: str
    closed_at: datetime
    closed_by: str
    reason: str
    doors: dict[str, datetime | None]
    lost: dict[str, int]
    newest_entry: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorWait:
    """Whether all of a door's taps of a month are here. `until`: up to when they are; None if it never wrote anything. `lost`:
    how many events of its earlier journals are known to have been and are not here, where that is what the month waits for."""

    door_id: str
    name: str
    complete: bool
    until: datetime | None
    lost: int
    online: bool
    heard_at: datetime | None


def closings(tx: Connection) -> dict[str, Closing]:
    """Return the closed months, earliest first."""
    return {row.month: _closing(row) for row in tx.execute(select(months).order_by(months.c.month))}


def _closing(row: Row[Any]) -> Closing:
    left = row.left_open
    return Closing(
        month=row.month,
        closed_at=row.closed_at,
        closed_by=row.closed_by,
        reason=left.get("reason", ""),
        doors={door: datetime.fromisoformat(at) if at else None for door, at in left.get("doors", {}).items()},
        lost=left.get("lost", {}),
        newest_entry=row.newest_entry,
    )


def home_zone(tx: Connection) -> ZoneInfo:
    """Return the zone of the hub's first site, in which its invoices are dated."""
    sites = sorted(places.sites(tx), key=lambda site: site.id)
    return ZoneInfo(sites[0].time_zone if sites else "UTC")


def over_at(tx: Connection, month: str) -> datetime:
    """Return when the month's last service day is over at every site."""
    zones = {ZoneInfo(site.time_zone) for site in places.sites(tx)} or {home_zone(tx)}
    return max(civil.month_end(month, zone) for zone in zones)


def doors_of(tx: Connection, month: str) -> list[DoorWait]:
    """Return how far each door is with the month, by name."""
    end_of_site = {site.id: civil.month_end(month, ZoneInfo(site.time_zone)) for site in places.sites(tx)}
    until_by = {end: ledger.doors_complete(tx, end) for end in set(end_of_site.values())}
    states, lost = doors.door_states(tx), [gap for gap in ledger.gaps(tx) if gap.lost]
    found = []
    for door in doors.doors(tx):
        end = end_of_site[door.site_id]
        if door.id in until_by[end]:
            until, state = until_by[end][door.id], states.get(door.id)
            found.append(
                DoorWait(
                    door_id=door.id,
                    name=door.name,
                    complete=until is not None and until >= end,
                    until=until,
                    lost=sum(gap.missing for gap in lost if gap.door_id == door.id and (gap.until is None or gap.until < end)),
                    online=state is not None and state.online,
                    heard_at=None if state is None else state.heard_at,
                )
            )
    return found


def first_month(tx: Connection) -> str | None:
    """Return the first month with an entry or a booking; None before there is any."""
    entered, booked, zone = ledger.first_day(tx), bookings.first_start(tx), home_zone(tx)
    days = [day for day in (entered, None if booked is None else civil.service_day(booked, zone)) if day is not None]
    return min(map(civil.month_of, days), default=None)


def close_first(tx: Connection, actor: Actor, month: str, *, demo: bool) -> str | None:
    """Return the first month before this one that is still open and has charges."""
    last, first = max(closings(tx), default=None), first_month(tx)
    begin = first if last is None else rules.month_after(last)
    before = [] if begin is None else rules.months_through(begin, month)[:-1]
    return next((one for one in before if billing.charges_of_month(tx, actor, month=one, demo=demo)), None)


def charges(tx: Connection, actor: Actor, month: str, *, demo: bool) -> list[Charge]:
    """Return what an open month's invoices charge: its use, and what came late for closed months. In order of service day."""
    closed = closings(tx)
    found: list[Charge] = []
    for one in _to_look_through(tx, list(closed.values())):
        at = next(closing.closed_at for until, closing in closed.items() if until >= one)
        found += _not_invoiced(tx, billing.charges_of_month(tx, actor, month=one, demo=demo, priced_at=at))
    return found + _not_invoiced(tx, billing.charges_of_month(tx, actor, month=month, demo=demo))


def _to_look_through(tx: Connection, closed: list[Closing]) -> list[str]:
    """Return the closed months that may have something not invoiced: the last, and those that changed since it closed."""
    if not closed:
        return []
    last = closed[-1]
    since = last.newest_entry - _MADE_AT_ONCE
    changed = ledger.months_changed(tx, since_entry=since, before=rules.first_day(rules.month_after(last.month)))
    return sorted({*changed, last.month})


def _not_invoiced(tx: Connection, rated: list[Charge]) -> list[Charge]:
    invoiced = _invoiced(tx, {charge.key for charge in rated})
    return [charge for charge in rated if charge.key not in invoiced]


def _invoiced(tx: Connection, keys: set[str]) -> set[str]:
    """Return those of these keys that stand on an invoice."""
    wanted, found = sorted(keys), set[str]()
    for at in range(0, len(wanted), _KEYS_AT_ONCE):
        some = invoice_lines.c.charge_key.in_(wanted[at : at + _KEYS_AT_ONCE])
        found.update(tx.execute(select(invoice_lines.c.charge_key).where(some)).scalars())
    return found
