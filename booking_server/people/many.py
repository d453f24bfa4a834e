# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many people at once, for a file of them: read in one look, added and changed in batches, by the rules that hold for one.

Whoever calls has checked each with `checked`; a value that was not raises here and undoes all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid
from booking_server.people.service import customer_values, person_values
from booking_server.people.tables import customers, people


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """What is known of somebody and of who pays for them; without `customer_name` they pay themselves."""

    name: str
    email: str
    language: str
    address: str
    customer_name: str = ""
    business_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Somebody who is there."""

    id: int
    customer_id: int
    values: Values
    suspended: bool
    ended: bool


def known(tx: Connection, actor: Actor) -> dict[int, Known]:
    """Return everybody, by number. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    payer = (customers.c.name.label("payer"), customers.c.address, customers.c.business_id)
    own = (people.c.id, people.c.customer_id, people.c.name, people.c.email, people.c.language)
    found = select(*own, *payer, people.c.suspended_at, people.c.ended_at).join(customers).order_by(people.c.id)
    return {
        row.id: Known(
            id=row.id,
            customer_id=row.customer_id,
            values=Values(
                name=row.name,
                email=row.email,
                language=row.language,
                address=row.address,
                customer_name=row.payer if row.payer != row.name else "",
                business_id=row.business_id or "",
            ),
            suspended=row.suspended_at is not None,
            ended=row.ended_at is not None,
        )
        for row in tx.execute(found)
    }


def checked(values: Values) -> tuple[Values, tuple[Invalid, ...]]:
    """Return the values as they would be kept, and what is wrong with them, once for each field."""
    tidied, wrong = asdict(values), list[Invalid]()
    for field in ("name", "email", "language", "address", "customer_name", "business_id"):
        try:
            tidied[field] = _tidied(field, getattr(values, field))
        except Invalid as problem:
            wrong.append(problem)
    return Values(**tidied), tuple(wrong)


def add_people(tx: Connection, actor: Actor, *, now: datetime, values: Sequence[Values]) -> list[int]:
    """Make these people, each with the customer who pays, and return their numbers in the same order. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if not values:
        return []
    payers = insert(customers).returning(customers.c.id, sort_by_parameter_order=True)
    paying = tx.execute(payers, [{**_payer(one), "created_at": now} for one in values]).scalars().all()
    rows = [{**_person(one), "customer_id": customer, "created_at": now} for one, customer in zip(values, paying, strict=True)]
    made = insert(people).returning(people.c.id, sort_by_parameter_order=True)
    numbers = [int(number) for number in tx.execute(made, rows).scalars()]
    audit.note_many(tx, actor, now=now, act="person_added", subjects=_subjects(numbers))
    return numbers


def change_people(tx: Connection, actor: Actor, *, now: datetime, values: Mapping[int, Values]) -> None:
    """Let these people and who pays for them be as given; invoices already issued stay as they are. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if not values:
        return
    paying = {row.id: row.customer_id for row in tx.execute(select(people.c.id, people.c.customer_id))}
    own = update(people).where(people.c.id == bindparam("number"))
    tx.execute(own, [{**_person(one), "number": number} for number, one in values.items()])
    payer = update(customers).where(customers.c.id == bindparam("number"))
    tx.execute(payer, [{**_payer(one), "number": paying[number]} for number, one in values.items()])
    audit.note_many(tx, actor, now=now, act="person_changed", subjects=_subjects(values))


_GOOD = {"name": "A", "email": "a@b.c", "language": "fi", "address": "A", "customer_name": "A", "business_id": ""}


def _tidied(field: str, text: str) -> str:
    """Ask of one field alone: of a row all that is wrong is told, not only the first."""
    given = {**_GOOD, field: text}
    who = person_values(given["name"], given["email"], given["language"])
    payer = customer_values(given["customer_name"], given["business_id"], given["address"], given["email"])
    kept = {**who, "address": payer["address"], "customer_name": payer["name"], "business_id": payer["business_id"] or ""}
    return str(kept[field])


def _person(values: Values) -> dict[str, str]:
    return person_values(values.name, values.email, values.language)


def _payer(values: Values) -> dict[str, str | None]:
    return customer_values(values.customer_name or values.name, values.business_id, values.address, values.email)


def _subjects(numbers: Sequence[int] | Mapping[int, Values]) -> Iterator[tuple[str, dict[str, object]]]:
    return ((f"person:{number}", {}) for number in numbers)
