# SPDX-License-Identifier: AGPL-3.0-or-later
"""People and who pays for them, and the accounts that sign in.

A person always has a customer. Nobody is ever deleted here: a membership is suspended, an account is closed.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from stdnum.exceptions import ValidationError
from stdnum.fi import ytunnus

from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.people.tables import accounts as account_table
from booking_server.people.tables import customers as customer_table
from booking_server.people.tables import ended_sessions
from booking_server.people.tables import people as people_table

LANGUAGES = ("fi", "en")
NAME_LENGTH = 200
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 12, 200
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
HASHER = PasswordHasher()
"""argon2id with the library's parameters (RFC 9106, second recommendation)."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who signs in. A larger `session_number` ends all sessions begun under a smaller one."""

    id: int
    sign_in_name: str
    name: str
    role: Role
    person_id: int | None
    closed: bool
    session_number: int

    def actor(self) -> Actor:
        return Actor(name=self.sign_in_name, role=self.role, account_id=self.id)


# --- people ----------------------------------------------------------------------------------------------------------


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
    who = _person_values(name, email, language)
    payer = _customer_values(customer_name or name, business_id, address, email)
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
    who = _person_values(name, email, language)
    payer = _customer_values(customer_name or name, business_id, address, email)
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
    if actor.role is Role.MEMBER:
        own = None if actor.account_id is None else account(tx, actor.account_id)
        if own is None or own.person_id != person_id:
            raise NotFound("There is no person {person_id}.", person_id=person_id)
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


# --- accounts --------------------------------------------------------------------------------------------------------


def add_account(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    sign_in_name: str,
    name: str,
    role: Role,
    password: str,
    person_id: int | None = None,
) -> Account:
    """Let somebody sign in. Only an administrator may. Raise Invalid at the field that is wrong; NotAllowed."""
    actor.must_be(Role.ADMINISTRATOR)
    sign_in_name = sign_in_name.strip().lower()
    if not 1 <= len(sign_in_name) <= NAME_LENGTH:
        raise Invalid("sign_in_name", "Give a name to sign in with, for instance an e-mail address.")
    if len(name.strip()) > NAME_LENGTH:
        raise Invalid("name", "The name is at most {length} characters long.", length=NAME_LENGTH)
    if tx.execute(select(account_table.c.id).where(account_table.c.sign_in_name == sign_in_name)).first():
        raise Invalid("sign_in_name", "There is already an account {name}. Choose another name.", name=sign_in_name)
    row = {
        "sign_in_name": sign_in_name,
        "name": name.strip() or sign_in_name,
        "role": Role(role).value,
        "password_hash": hash_password(password),
        "person_id": person_id,
        "created_at": now,
    }
    number = int(tx.execute(insert(account_table).values(row).returning(account_table.c.id)).scalar_one())
    audit.note(tx, actor, now=now, act="account_added", subject=f"account:{number}", role=str(row["role"]))
    return existing_account(tx, number)


def set_password(tx: Connection, actor: Actor, *, now: datetime, account_id: int, password: str) -> Account:
    """Give an account another password and end its sessions. One's own, or as an administrator. Raise Invalid; NotFound."""
    if actor.account_id != account_id:
        actor.must_be(Role.ADMINISTRATOR)
    found = existing_account(tx, account_id)
    values = {"password_hash": hash_password(password), "session_number": found.session_number + 1}
    tx.execute(update(account_table).where(account_table.c.id == account_id).values(values))
    audit.note(tx, actor, now=now, act="password_set", subject=f"account:{account_id}")
    return existing_account(tx, account_id)


def close_account(tx: Connection, actor: Actor, *, now: datetime, account_id: int) -> Account:
    """End an account and its sessions. Only an administrator may, and not their own. Raise Invalid; NotFound; NotAllowed."""
    actor.must_be(Role.ADMINISTRATOR)
    if actor.account_id == account_id:
        raise Invalid("account_id", "You cannot close your own account. Ask another administrator.")
    found = existing_account(tx, account_id)
    values = {"closed": True, "session_number": found.session_number + 1}
    tx.execute(update(account_table).where(account_table.c.id == account_id).values(values))
    audit.note(tx, actor, now=now, act="account_closed", subject=f"account:{account_id}")
    return existing_account(tx, account_id)


def account(tx: Connection, account_id: int) -> Account | None:
    """Return one account, closed or not; None if there is none."""
    row = tx.execute(select(account_table).where(account_table.c.id == account_id)).one_or_none()
    return None if row is None else _account(row)


def accounts(tx: Connection, actor: Actor) -> list[Account]:
    """Return all accounts by name. Raise NotAllowed."""
    actor.must_be(Role.ADMINISTRATOR)
    return [_account(row) for row in tx.execute(select(account_table).order_by(account_table.c.sign_in_name))]


def end_session(tx: Connection, *, now: datetime, session_id: str, until: datetime) -> None:
    """Let a session be over, on every copy of its cookie; remembered `until` the cookie is too old anyway. Twice is as good."""
    tx.execute(delete(ended_sessions).where((ended_sessions.c.until_at < now) | (ended_sessions.c.id == session_id)))
    tx.execute(insert(ended_sessions).values(id=session_id, until_at=until))


def session_ended(tx: Connection, session_id: str) -> bool:
    """True if somebody signed out of this session."""
    return tx.execute(select(ended_sessions.c.id).where(ended_sessions.c.id == session_id)).first() is not None


def hash_password(password: str) -> str:
    """Return the argon2id hash. Raise Invalid for a password that is too short or too long (OWASP ASVS 5.0, 6.2.1)."""
    if len(password) < PASSWORD_LENGTH_MIN:
        raise Invalid("password", "Use at least {length} characters; three or four words are good.", length=PASSWORD_LENGTH_MIN)
    if len(password) > PASSWORD_LENGTH_MAX:
        raise Invalid("password", "Use at most {length} characters.", length=PASSWORD_LENGTH_MAX)
    return HASHER.hash(password)


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


def existing_account(tx: Connection, account_id: int) -> Account:
    """Return one account, closed or not. Raise NotFound."""
    found = account(tx, account_id)
    if found is None:
        raise NotFound("There is no account {account_id}.", account_id=account_id)
    return found


def _account(row: Row[Any]) -> Account:
    return Account(
        id=row.id,
        sign_in_name=row.sign_in_name,
        name=row.name,
        role=Role(row.role),
        person_id=row.person_id,
        closed=row.closed,
        session_number=row.session_number,
    )


def _person_values(name: str, email: str, language: str) -> dict[str, str]:
    name = " ".join(name.split())
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Invalid("name", "Write the person's name, at most {length} characters.", length=NAME_LENGTH)
    if language not in LANGUAGES:
        raise Invalid("language", "Choose a language.")
    return {"name": name, "email": _email(email), "language": language}


def _customer_values(name: str, business_id: str, address: str, email: str) -> dict[str, str | None]:
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
