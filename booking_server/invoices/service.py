# SPDX-License-Identifier: AGPL-3.0-or-later
"""Closes months into invoices, once and for good, and says how far a month is from that.

Numbers have no gaps and are never used again: an invoice and its number come into being in the transaction that closes the
month, one closing at a time. What is issued stays as it was issued, and so does each entry that was counted. Months close in
order; what comes after its month was closed goes on the next invoice. Nothing here computes a price: that is billing, for the
running month and the invoice alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, func, insert, select

from booking_server import civil
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.backups import service as backups
from booking_server.billing.rules import Charge, vat_of
from booking_server.config import Seller
from booking_server.db import one_at_a_time
from booking_server.errors import Invalid, NotFound
from booking_server.invoices import rules, waiting
from booking_server.invoices.rules import Content, Party
from booking_server.invoices.tables import invoice_lines, invoices, months
from booking_server.invoices.waiting import Closing, DoorWait
from booking_server.ledger import service as ledger
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.people import service as people
from booking_server.places import service as places

__all__ = [
    "Closing",
    "DoorWait",
    "Due",
    "Invoice",
    "MonthSoFar",
    "MonthState",
    "check_open",
    "close_month",
    "invoice",
    "invoices_of_month",
    "invoices_of_person",
    "month_state",
    "months_so_far",
]

REASON_LENGTH = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice as issued; `content` holds all that it says."""

    id: int
    number: int
    month: str
    customer_id: int
    issued_on: date
    due_on: date
    net_cents: int
    vat_cents: int
    gross_cents: int
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What one customer's invoice would come to if the month closed now. `late` counts the lines of earlier months."""

    customer_id: int
    customer: str
    lines: int
    late: int
    net_cents: int
    vat_cents: int

    @property
    def gross_cents(self) -> int:
        return self.net_cents + self.vat_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthState:
    """How a month stands. `closing` is None while it is open; `closed_with` names the later month that closed it along;
    `close_first` an earlier one that is still open. `due` and `doors` are those of an open month."""

    month: str
    over_at: datetime
    over: bool
    closing: Closing | None
    closed_with: str | None
    close_first: str | None
    doors: list[DoorWait]
    due: list[Due]

    @property
    def missing(self) -> list[DoorWait]:
        return [door for door in self.doors if not door.complete]

    @property
    def can_close(self) -> bool:
        return self.over and not (self.closing or self.closed_with or self.close_first)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthSoFar:
    """One month in the list of all. `closed_with`: it had nothing to charge when a later month closed."""

    month: str
    over: bool
    closing: Closing | None
    closed_with: bool
    invoices: int
    gross_cents: int


# --- how months stand ------------------------------------------------------------------------------------------------


def month_state(tx: Connection, actor: Actor, *, month: str, now: datetime, demo: bool) -> MonthState:
    """Return how "2026-11" stands. Raise Invalid for what is not a month; NotAllowed."""
    state = _standing(tx, actor, month, now, demo=demo)
    is_open = state.closing is None and state.closed_with is None
    return replace(state, due=_due(tx, waiting.charges(tx, actor, month, demo=demo), month)) if is_open else state


def _standing(tx: Connection, actor: Actor, month: str, now: datetime, *, demo: bool) -> MonthState:
    """How a month stands, without what is due."""
    actor.must_be_everywhere(Role.BILLING)
    rules.first_day(month)
    over_at = waiting.over_at(tx, month)
    closed = waiting.closings(tx)
    closed_with = next((later for later in closed if later > month), None) if month not in closed else None
    is_open = month not in closed and closed_with is None
    return MonthState(
        month=month,
        over_at=over_at,
        over=now >= over_at,
        closing=closed.get(month),
        closed_with=closed_with,
        close_first=waiting.close_first(tx, actor, month, demo=demo) if is_open else None,
        doors=waiting.doors_of(tx, month) if is_open else [],
        due=[],
    )


def months_so_far(tx: Connection, actor: Actor, *, now: datetime) -> list[MonthSoFar]:
    """Return the months from the first with use to the one that runs, newest first. Raise NotAllowed."""
    actor.must_be_everywhere(Role.BILLING)
    closed = waiting.closings(tx)
    last = max(closed, default="")
    summed = select(invoices.c.month, func.count(), func.sum(invoices.c.gross_cents)).group_by(invoices.c.month)
    made = {row[0]: (int(row[1]), int(row[2])) for row in tx.execute(summed)}
    running = civil.month_of(civil.service_day(now, waiting.home_zone(tx)))
    first = min(waiting.first_month(tx) or running, running, *closed)
    return [
        MonthSoFar(
            month=month,
            over=now >= waiting.over_at(tx, month),
            closing=closed.get(month),
            closed_with=month < last and month not in closed,
            invoices=made.get(month, (0, 0))[0],
            gross_cents=made.get(month, (0, 0))[1],
        )
        for month in reversed(rules.months_through(first, max(running, last)))
    ]


def check_open(tx: Connection, day: date) -> None:
    """Return if a price may still change what use on that day costs. Raise Invalid at "from_day"."""
    last = max(waiting.closings(tx), default=None)
    if last is not None and civil.month_of(day) <= last:
        first = rules.first_day(rules.month_after(last))
        raise Invalid(
            "from_day", "{month} is closed. Choose {day} or later.", month=last, day=f"{first.day}.{first.month}.{first.year}"
        )


def _due(tx: Connection, charges: list[Charge], month: str) -> list[Due]:
    return [
        Due(
            customer_id=customer_id,
            customer=people.customer(tx, customer_id).name,
            lines=len(own),
            late=sum(civil.month_of(charge.service_day) < month for charge in own),
            net_cents=sum(charge.net_cents for charge in own),
            vat_cents=sum(share.vat_cents for share in vat_of(own)),
        )
        for customer_id, own in _by_customer(charges)
    ]


def _by_customer(charges: list[Charge]) -> Iterator[tuple[int, list[Charge]]]:
    """Each customer's charges in their order. Nothing is charged at zero, so nobody comes who has nothing to pay."""
    for customer_id, own in groupby(sorted(charges, key=_customer), key=_customer):
        yield customer_id, list(own)


def _customer(charge: Charge) -> int:
    return charge.customer_id


# --- closing ---------------------------------------------------------------------------------------------------------


def close_month(
    tx: Connection, actor: Actor, *, now: datetime, month: str, seller: Seller, demo: bool, left_open: str = ""
) -> list[Invoice]:
    """Close a month and return its invoices, one for each customer with charges. Closed already, return the same.

    `left_open` is the reason for closing without waiting for a door that may still have taps to send, or has lost some; it is
    stored, and no later month waits for what is lost.
    Raise Invalid at "seller" for settings that cannot send an invoice, at "month" for one that is not over or not the next,
    at "left_open" for a door that is not complete. NotAllowed.
    """
    actor.must_be_everywhere(Role.BILLING)
    rules.first_day(month)
    one_at_a_time(tx, "invoices")
    if month not in waiting.closings(tx):
        ledger.hold_still(tx)
        sender = rules.seller_party(seller)
        zone = waiting.home_zone(tx)
        left = _check_closing(_standing(tx, actor, month, now, demo=demo), left_open.strip(), zone)
        backups.next_invoice(tx)
        newest = ledger.newest_entry(tx)
        charges = waiting.charges(tx, actor, month, demo=demo)
        row = {"month": month, "closed_at": now, "closed_by": actor.name, "left_open": left, "newest_entry": newest}
        tx.execute(insert(months).values(row))
        issued_on = civil.vat_day(now, zone)
        due_on = issued_on + timedelta(days=seller.payment_term_days)
        numbers = _issue(tx, charges, month, sender, issued_on, due_on, demo=demo)
        if seller.mails_invoices:
            _tell(tx, now, month)
        if left:
            ledger.close_gaps(tx, left["doors"])
        ledger.settle(tx, rules.first_day(rules.month_after(month)))
        audit.note(tx, actor, now=now, act="month_closed", subject=f"month:{month}", invoices=numbers, left_open=left)
    return invoices_of_month(tx, actor, month)


def _check_closing(state: MonthState, reason: str, zone: ZoneInfo) -> dict[str, Any]:
    """Return what is left open: nothing, or the reason, until when each door that is missing is complete, and what it lost."""
    if not state.over:
        at = state.over_at.astimezone(zone)
        raise Invalid("month", "{month} is not over yet. It can be closed from {time} on.", month=state.month, time=at)
    if state.closed_with is not None:
        raise Invalid(
            "month",
            "{month} was closed along with {later}. What comes late goes on the next invoice.",
            month=state.month,
            later=state.closed_with,
        )
    if state.close_first is not None:
        raise Invalid("month", "Months close in order. Close {month} first.", month=state.close_first)
    if not state.missing:
        return {}
    if not reason:
        names = ", ".join(door.name for door in state.missing)
        raise Invalid(
            "left_open",
            "Some doors may still have taps to send: {doors}. Wait for them, or write why the month is closed without.",
            doors=names,
        )
    if len(reason) > REASON_LENGTH:
        raise Invalid("left_open", "The reason is at most {length} characters long.", length=REASON_LENGTH)
    until = {door.door_id: door.until.isoformat() if door.until else None for door in state.missing}
    return {"reason": reason, "doors": until, "lost": {door.door_id: door.lost for door in state.missing if door.lost}}


def last_number(tx: Connection) -> int:
    """Return the number of the last invoice that is here; 0 before the first."""
    return int(tx.execute(select(func.max(invoices.c.number))).scalar() or 0)


def _issue(
    tx: Connection, charges: list[Charge], month: str, sender: Party, issued_on: date, due_on: date, *, demo: bool
) -> list[int]:
    names = {space.area_id: space.name for space in places.spaces(tx)}
    number = max(last_number(tx) or rules.FIRST_NUMBER - 1, backups.next_invoice(tx) - 1)
    numbers = []
    for customer_id, own in _by_customer(charges):
        number += 1
        payer = people.customer(tx, customer_id)
        content = rules.content_of(
            own,
            number=number,
            month=month,
            issued_on=issued_on,
            due_on=due_on,
            seller=sender,
            buyer=rules.buyer_party(name=payer.name, address=payer.address, business_id=payer.business_id),
            space_names=names,
            demo=demo,
        )
        _store(tx, customer_id, content, own)
        numbers.append(number)
    return numbers


def _store(tx: Connection, customer_id: int, content: Content, charges: list[Charge]) -> None:
    row = {
        "number": content["number"],
        "month": content["month"],
        "customer_id": customer_id,
        "issued_on": date.fromisoformat(content["issued_on"]),
        "due_on": date.fromisoformat(content["due_on"]),
        "net_cents": content["net_cents"],
        "vat_cents": content["vat_cents"],
        "gross_cents": content["gross_cents"],
        "content": content,
    }
    invoice_id = int(tx.execute(insert(invoices).values(row).returning(invoices.c.id)).scalar_one())
    tx.execute(insert(invoice_lines), [_line_row(invoice_id, at, charge) for at, charge in enumerate(charges, start=1)])


def _line_row(invoice_id: int, position: int, charge: Charge) -> dict[str, Any]:
    return {
        "invoice_id": invoice_id,
        "position": position,
        "charge_key": charge.key,
        "space_id": charge.space_id,
        "service_day": charge.service_day,
        "vat_day": charge.vat_day,
        "unit": charge.unit.value,
        "quantity": charge.quantity,
        "unit_cents": charge.unit_cents,
        "vat_permille": charge.vat_permille,
        "net_cents": charge.net_cents,
        "cause": list(charge.cause),
    }


def _tell(tx: Connection, now: datetime, month: str) -> None:
    """Have each customer of the month get their invoice by mail."""
    for row in tx.execute(select(invoices).where(invoices.c.month == month)):
        messages.put(
            tx,
            now=now,
            kind=Kind.INVOICE_ISSUED,
            to=Recipient(customer_id=row.customer_id),
            key=f"invoice:{row.number}",
            number=row.number,
            month=row.month,
            gross_cents=row.gross_cents,
            due_on=row.due_on,
            invoice_id=row.id,
        )


# --- what was issued -------------------------------------------------------------------------------------------------


def invoice(tx: Connection, actor: Actor, invoice_id: int) -> Invoice:
    """Return one invoice. A member sees those that they pay. Raise NotFound; NotAllowed."""
    actor.must_be(Role.BILLING, Role.MEMBER)
    row = tx.execute(select(invoices).where(invoices.c.id == invoice_id)).one_or_none()
    if row is None or not (actor.may_everywhere(Role.BILLING) or row.customer_id == _own_customer(tx, actor)):
        raise NotFound("There is no invoice {invoice_id}.", invoice_id=invoice_id)
    return _invoice(row)


def invoices_of_month(tx: Connection, actor: Actor, month: str) -> list[Invoice]:
    """Return the invoices of a closed month, by number. Raise NotAllowed."""
    actor.must_be_everywhere(Role.BILLING)
    found = select(invoices).where(invoices.c.month == month).order_by(invoices.c.number)
    return [_invoice(row) for row in tx.execute(found)]


def invoices_of_person(tx: Connection, actor: Actor, person_id: int) -> list[Invoice]:
    """Return the invoices to whoever pays for a person, newest first. Raise NotFound; NotAllowed."""
    if actor.person_id != person_id:
        actor.must_be_everywhere(Role.BILLING)
    payer = people.person(tx, actor, person_id).customer_id
    found = select(invoices).where(invoices.c.customer_id == payer).order_by(invoices.c.number.desc())
    return [_invoice(row) for row in tx.execute(found)]


def _own_customer(tx: Connection, actor: Actor) -> int | None:
    return None if actor.person_id is None else people.person(tx, actor, actor.person_id).customer_id


def _invoice(row: Row[Any]) -> Invoice:
    return Invoice(**row._mapping)
