# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who may sign in, and what for, and where. An account is never deleted: it is closed.

The hub always keeps somebody who may give roles: nobody takes their own away, or closes their own account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from booking_server.accounts.passwords import hash_password
from booking_server.accounts.tables import account_roles
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import sessions as session_table
from booking_server.actors import Actor, Holds, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound

NAME_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who signs in. `person_id` is the person that a member is; `has_password` is false of who signs in by other ways only.

    `by_hand` are the roles that staff gave here, `federated` those that came with a sign-in elsewhere.
    """

    id: int
    sign_in_name: str
    name: str
    by_hand: frozenset[Holds]
    federated: frozenset[Holds]
    person_id: int | None
    closed: bool
    has_password: bool

    @property
    def roles(self) -> frozenset[Holds]:
        return self.by_hand | self.federated

    def actor(self) -> Actor:
        return Actor(name=self.sign_in_name, roles=self.roles, account_id=self.id, person_id=self.person_id)


def add_account(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    sign_in_name: str,
    name: str,
    role: Role,
    password: str | None,
    site_id: int | None = None,
    person_id: int | None = None,
    hub_name: str = "",
) -> Account:
    """Let somebody sign in, with one role at one site or in the whole hub. Without a password they get in by another way.

    Only an administrator of the hub may. Raise Invalid at the field that is wrong; NotAllowed.
    """
    actor.must_be_everywhere()
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
        "password_hash": None if password is None else hash_password(password, about=(sign_in_name, name, hub_name)),
        "person_id": person_id,
        "created_at": now,
    }
    number = int(tx.execute(insert(account_table).values(row).returning(account_table.c.id)).scalar_one())
    _keep_roles(tx, number, {(Role(role), site_id)})
    audit.note(tx, actor, now=now, act="account_added", subject=f"account:{number}", role=Role(role).value, site_id=site_id)
    return existing_account(tx, number)


def set_roles(tx: Connection, actor: Actor, *, now: datetime, account_id: int, roles: Collection[Holds]) -> Account:
    """Let an account do just this from now on, beside what comes with its sign-in elsewhere. An administrator of the hub may,
    but for their own. Raise Invalid; NotFound."""
    actor.must_be_everywhere()
    if actor.account_id == account_id:
        raise Invalid("roles", "You cannot change your own roles. Ask another administrator.")
    found = existing_account(tx, account_id)
    wanted = {(role, None if (role, None) in roles else site_id) for role, site_id in roles}
    if not wanted | found.federated:
        raise Invalid("roles", "Choose at least one role, or close the account.")
    if wanted != found.by_hand:
        _keep_roles(tx, account_id, wanted)
        held = sorted([role.value, site_id or 0] for role, site_id in wanted)
        audit.note(tx, actor, now=now, act="roles_set", subject=f"account:{account_id}", roles=held)
    return existing_account(tx, account_id)


def set_federated_roles(tx: Connection, *, now: datetime, account_id: int, roles: Collection[Holds]) -> Account:
    """Let an account have just these roles from its sign-in elsewhere; what was given by hand stays. Raise NotFound.

    No actor: the sign-in that is going on does it, by the hub's settings (federated.py).
    """
    found = existing_account(tx, account_id)
    if frozenset(roles) != found.federated:
        _keep_roles(tx, account_id, roles, federated=True)
        held = sorted([role.value, site_id or 0] for role, site_id in roles)
        audit.note(tx, found.actor(), now=now, act="federated_roles_set", subject=f"account:{account_id}", roles=held)
    return existing_account(tx, account_id)


def set_password(tx: Connection, actor: Actor, *, now: datetime, account_id: int, password: str, hub_name: str = "") -> Account:
    """Give an account another password and end its sessions. One's own, or as an administrator. Raise Invalid; NotFound."""
    if actor.account_id != account_id:
        actor.must_be_everywhere()
    found = existing_account(tx, account_id)
    about = (found.sign_in_name, found.name, hub_name)
    _change(tx, account_id, password_hash=hash_password(password, about=about))
    _end_sessions(tx, now, account_id)
    audit.note(tx, actor, now=now, act="password_set", subject=f"account:{account_id}")
    return existing_account(tx, account_id)


def close_account(tx: Connection, actor: Actor, *, now: datetime, account_id: int) -> Account:
    """End an account and its sessions. An administrator of the hub may, but not their own. Raise Invalid; NotFound."""
    actor.must_be_everywhere()
    if actor.account_id == account_id:
        raise Invalid("account_id", "You cannot close your own account. Ask another administrator.")
    existing_account(tx, account_id)
    _change(tx, account_id, closed=True)
    _end_sessions(tx, now, account_id)
    audit.note(tx, actor, now=now, act="account_closed", subject=f"account:{account_id}")
    return existing_account(tx, account_id)


def account(tx: Connection, account_id: int) -> Account | None:
    """Return one account, closed or not; None if there is none."""
    found = _accounts(tx, tx.execute(select(account_table).where(account_table.c.id == account_id)))
    return found[0] if found else None


def existing_account(tx: Connection, account_id: int) -> Account:
    """Return one account, closed or not. Raise NotFound."""
    found = account(tx, account_id)
    if found is None:
        raise NotFound("There is no account {account_id}.", account_id=account_id)
    return found


def account_of_person(tx: Connection, person_id: int) -> Account | None:
    """Return the open account by which a person acts; None if they have none."""
    which = (account_table.c.person_id == person_id) & ~account_table.c.closed
    found = _accounts(tx, tx.execute(select(account_table).where(which).order_by(account_table.c.id)))
    return found[0] if found else None


def accounts(tx: Connection, actor: Actor) -> list[Account]:
    """Return all accounts by name. Raise NotAllowed."""
    actor.must_be_everywhere()
    return _accounts(tx, tx.execute(select(account_table).order_by(account_table.c.sign_in_name)))


def _keep_roles(tx: Connection, account_id: int, roles: Collection[Holds], *, federated: bool = False) -> None:
    which = {"account_id": account_id, "federated": federated}
    tx.execute(delete(account_roles).filter_by(**which))
    if roles:
        tx.execute(insert(account_roles), [{**which, "role": role.value, "site_id": site} for role, site in roles])


def _change(tx: Connection, account_id: int, **values: object) -> None:
    tx.execute(update(account_table).where(account_table.c.id == account_id).values(values))


def _end_sessions(tx: Connection, now: datetime, account_id: int) -> None:
    going_on = (session_table.c.account_id == account_id) & session_table.c.ended_at.is_(None)
    tx.execute(update(session_table).where(going_on).values(ended_at=now))


def _accounts(tx: Connection, rows: Iterable[Row[Any]]) -> list[Account]:
    found = list(rows)
    held: defaultdict[tuple[int, bool], set[Holds]] = defaultdict(set)
    which = account_roles.c.account_id.in_([row.id for row in found])
    for row in tx.execute(select(account_roles).where(which)) if found else ():
        held[row.account_id, row.federated].add((Role(row.role), row.site_id))
    return [
        Account(
            id=row.id,
            sign_in_name=row.sign_in_name,
            name=row.name,
            by_hand=frozenset(held[row.id, False]),
            federated=frozenset(held[row.id, True]),
            person_id=row.person_id,
            closed=row.closed,
            has_password=row.password_hash is not None,
        )
        for row in found
    ]
