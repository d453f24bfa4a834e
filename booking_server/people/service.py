# SPDX-License-Identifier: AGPL-3.0-or-later
"""People and who pays for them.

A person always has a customer. Nobody is ever deleted here: a membership is suspended, or ended.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update
from stdnum.exceptions import ValidationError
from stdnum.fi import ytunnus

from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.people.tables import customers as customer_table
from booking_server.people.tables import people as people_table

LANGUAGES = ("fi", "sv", "en")
"""What somebody may be written to in."""
NAME_LENGTH = 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may hold keytags and book. `ended_at` closes a membership for good; `extended_time` is for who needs longer
    to pass a door."""

    id: int
    name: str
    email: str
    language: str
    customer_id: int
    suspended_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    extended_time: bool = False

    @property
    def active(self) -> bool:
        return self.suspended_at is None and self.ended_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who pays: a person, or a company with a business ID."""

    id: int
    name: str
    business_id: str | None
    address: str
    email: str


def add_person(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    name: str,
    email: str,
    language: str,
    address: str,
    business_id: str = "",
    customer_name: str = "",
) -> Person:
    """Make a person and the customer who pays for them; without `customer_name` they pay themselves.

    Raise Invalid at the field that is wrong; NotAllowed.
    """
    actor.must_be(Role.HOST, Role.BILLING)
    who = person_values(name, email, language)
    payer = customer_values(customer_name or name, business_id, address, email)
    added = insert(customer_table).values(**payer, created_at=now).returning(customer_table.c.id)
    customer_id = int(tx.execute(added).scalar_one())
    row = {**who, "customer_id": customer_id, "created_at": now}
    number = int(tx.execute(insert(people_table).values(row).returning(people_table.c.id)).scalar_one())
    audit.note(tx, actor, now=now, act="person_added", subject=f"person:{number}")
    return _one(tx, number)


def change_person(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    person_id: int,
    name: str,
    email: str,
    language: str,
    address: str,
    business_id: str = "",
    customer_name: str = "",
) -> Person:
    """Change a person and their customer. Invoices already issued stay as they are. Raise Invalid; NotFound; NotAllowed."""
    actor.must_be(Role.HOST, Role.BILLING)
    found = _one(tx, person_id)
    who = person_values(name, email, language)
    payer = customer_values(customer_name or name, business_id, address, email)
    tx.execute(update(people_table).where(people_table.c.id == person_id).values(who))
    tx.execute(update(customer_table).where(customer_table.c.id == found.customer_id).values(payer))
    audit.note(tx, actor, now=now, act="person_changed", subject=f"person:{person_id}")
    return _one(tx, person_id)


def people(tx: Connection, actor: Actor, *, search: str = "") -> list[Person]:
    """Return the people whose name or e-mail contains `search`, by name. Raise NotAllowed."""
    actor.must_be(Role.HOST, Role.BILLING)
    found = select(people_table).order_by(func.lower(people_table.c.name), people_table.c.id)
    if search.strip():
        part = search.strip().lower()
        named = func.lower(people_table.c.name).contains(part, autoescape=True)
        found = found.where(named | func.lower(people_table.c.email).contains(part, autoescape=True))
    return [_person(row) for row in tx.execute(found)]


def person(tx: Connection, actor: Actor, person_id: int) -> Person:
    """Return one person. A member sees only themselves. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST, Role.BILLING, Role.MEMBER)
    if actor.person_id != person_id and not actor.may(Role.HOST, Role.BILLING):
        raise NotFound("There is no person {person_id}.", person_id=person_id)
    return _one(tx, person_id)


def choose_language(tx: Connection, actor: Actor, *, now: datetime, person_id: int, language: str) -> Person:
    """Write to a person in another language from now on. They themselves may choose. Raise Invalid; NotFound; NotAllowed."""
    actor.must_act_for(person_id, Role.HOST, Role.BILLING)
    if language not in LANGUAGES:
        raise Invalid("language", "Choose a language.")
    if _one(tx, person_id).language != language:
        tx.execute(update(people_table).where(people_table.c.id == person_id).values(language=language))
        audit.note(tx, actor, now=now, act="language_chosen", subject=f"person:{person_id}", language=language)
    return _one(tx, person_id)


def suspended(tx: Connection, among: Collection[int] | None = None) -> set[int]:
    """Return the people, of these or of all, who may not enter for now, or no longer."""
    return _those(tx, people_table.c.suspended_at.is_not(None) | people_table.c.ended_at.is_not(None), among)


def suspend_person(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> Person:
    """Let a person enter and book nowhere, from now on. Raise NotFound; NotAllowed."""
    return _set_suspended(tx, actor, now=now, person_id=person_id, at=now)


def resume_person(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> Person:
    """Lift a suspension. Raise NotFound; NotAllowed."""
    return _set_suspended(tx, actor, now=now, person_id=person_id, at=None)


def give_longer(tx: Connection, actor: Actor, *, now: datetime, person_id: int, extended_time: bool) -> Person:
    """Say whether doors give a person the longer of their times. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    if _one(tx, person_id).extended_time is not extended_time:
        tx.execute(update(people_table).where(people_table.c.id == person_id).values(extended_time=extended_time))
        changes.note_change(tx, now=now, cause=f"person:{person_id}", person_id=person_id)
        audit.note(tx, actor, now=now, act="longer_time_set", subject=f"person:{person_id}", extended_time=extended_time)
    return _one(tx, person_id)


def with_longer_time(tx: Connection, among: Collection[int] | None = None) -> set[int]:
    """Return the people, of these or of all, who need the longer of a door's times."""
    return _those(tx, people_table.c.extended_time, among)


def customer(tx: Connection, customer_id: int) -> Customer:
    """Return who pays. Raise NotFound."""
    row = tx.execute(select(customer_table).where(customer_table.c.id == customer_id)).one_or_none()
    if row is None:
        raise NotFound("There is no customer {customer_id}.", customer_id=customer_id)
    return Customer(id=row.id, name=row.name, business_id=row.business_id, address=row.address, email=row.email)


def payers(tx: Connection) -> dict[int, int]:
    """Return for each person the customer who pays."""
    return {row.id: row.customer_id for row in tx.execute(select(people_table.c.id, people_table.c.customer_id))}


def _set_suspended(tx: Connection, actor: Actor, *, now: datetime, person_id: int, at: datetime | None) -> Person:
    actor.must_be(Role.HOST)
    _one(tx, person_id)
    tx.execute(update(people_table).where(people_table.c.id == person_id).values(suspended_at=at))
    act = "person_resumed" if at is None else "person_suspended"
    changes.note_change(tx, now=now, cause=act, person_id=person_id)
    audit.note(tx, actor, now=now, act=act, subject=f"person:{person_id}")
    return _one(tx, person_id)


def _those(tx: Connection, are: ColumnElement[bool], among: Collection[int] | None) -> set[int]:
    found = select(people_table.c.id).where(are)
    return set(tx.execute(found if among is None else found.where(people_table.c.id.in_(among))).scalars())


def _one(tx: Connection, person_id: int) -> Person:
    row = tx.execute(select(people_table).where(people_table.c.id == person_id)).one_or_none()
    if row is None:
        raise NotFound("There is no person {person_id}.", person_id=person_id)
    return _person(row)


def _person(row: Row[Any]) -> Person:
    return Person(**row._mapping)


def person_values(name: str, email: str, language: str) -> dict[str, str]:
    """Return what is kept of a person, tidied. Raise Invalid at the field that is wrong."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Invalid("name", "Write the person's name, at most {length} characters.", length=NAME_LENGTH)
    if language not in LANGUAGES:
        raise Invalid("language", "Choose a language.")
    return {"name": name, "email": _email(email), "language": language}


def customer_values(name: str, business_id: str, address: str, email: str) -> dict[str, str | None]:
    """Return what is kept of who pays, tidied. Raise Invalid at the field that is wrong."""
    address = address.strip()
    if not 1 <= len(address) <= 400:
        raise Invalid("address", "Write the address for the invoice: street, postcode and town.")
    name = " ".join(name.split())
    if len(name) > NAME_LENGTH:
        raise Invalid("customer_name", "The name is at most {length} characters long.", length=NAME_LENGTH)
    return {"name": name, "business_id": _business_id(business_id), "address": address, "email": _email(email)}


def _email(text: str) -> str:
    email = text.strip()
    if len(email) > NAME_LENGTH or not _EMAIL.fullmatch(email):
        raise Invalid("email", "Write an e-mail address like aino@example.org.")
    return email


def _business_id(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        digits: str = ytunnus.validate(text.strip())
    except ValidationError:
        raise Invalid("business_id", "{value} is not a Finnish business ID like 2077474-0.", value=repr(text.strip())) from None
    return f"{digits[:7]}-{digits[7:]}"
