# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a person's accounts: their roles, sessions, browsers, ways to sign in, wrong tries. Secrets are never told.

Every table of this noun that hangs on an account is told and dropped with it, without being named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, Table, delete, select, update

from booking_server.accounts import tables
from booking_server.accounts.tables import account_roles, accounts, sessions, sign_in_failures, sign_in_links
from booking_server.actors import Role
from booking_server.personal import Held, Who, told

SECRET = {"password_hash", "code_hash", "credential_id", "user_handle", "last_step"}
"""What is told to nobody, beside bytes: what proves who somebody is."""
_HANGING = [table for table in vars(tables).values() if isinstance(table, Table) and "account_id" in table.c]
_SECRET_IDS = {"sessions", "browsers"}


def of_person(tx: Connection, person_id: int) -> Mapping[int, str]:
    """Return the sign-in name of each account that is a person's."""
    found = select(accounts.c.id, accounts.c.sign_in_name).where(accounts.c.person_id == person_id)
    return {row.id: row.sign_in_name for row in tx.execute(found)}


def is_staff(tx: Connection, person_id: int) -> bool:
    """True while a person has an open account with a role of the staff's."""
    joined = accounts.join(account_roles, account_roles.c.account_id == accounts.c.id)
    open_ones = (accounts.c.person_id == person_id) & ~accounts.c.closed & (account_roles.c.role != Role.MEMBER.value)
    return tx.execute(select(accounts.c.id).select_from(joined).where(open_ones).limit(1)).first() is not None


def names(tx: Connection) -> Mapping[str, str]:
    """Return for each sign-in name who it is."""
    return {row.sign_in_name: row.name for row in tx.execute(select(accounts.c.sign_in_name, accounts.c.name))}


def about(tx: Connection, who: Who) -> Held:
    """Return a person's accounts, what they may do, where they are or were signed in, and wrong tries in their names."""
    held = {"accounts": told(tx, accounts, accounts.c.id.in_(who.account_ids), but=SECRET)}
    for table in _HANGING:
        but = {*SECRET, "id"} if table.name in _SECRET_IDS else SECRET
        held[table.name] = told(tx, table, table.c.account_id.in_(who.account_ids), but=but)
    wrong = sign_in_failures.c.sign_in_name.in_(who.sign_in_names)
    return held | {"sign_in_failures": told(tx, sign_in_failures, wrong)}


def drop(tx: Connection, who: Who, *, email: str = "") -> int:
    """Close a person's accounts for good, drop names, sessions, ways to sign in and tries, also those by their `email`; return
    how many had a name."""
    names = {*who.sign_in_names, email.strip().lower()} - {""}
    for table in _HANGING:
        if table is not account_roles:
            tx.execute(delete(table).where(table.c.account_id.in_(who.account_ids)))
    tx.execute(delete(sign_in_failures).where(sign_in_failures.c.sign_in_name.in_(names)))
    tx.execute(delete(sign_in_links).where(sign_in_links.c.email.in_(names)))
    dropped = 0
    for number in who.account_ids:
        values = {"sign_in_name": dropped_name(number), "name": "", "password_hash": None, "closed": True}
        named = (accounts.c.id == number) & (accounts.c.sign_in_name != dropped_name(number))
        dropped += int(tx.execute(update(accounts).where(named).values(values)).rowcount)
    return dropped


def dropped_name(account_id: int) -> str:
    """Return what stands where an account's name stood."""
    return f"#account {account_id}"


def drop_old(tx: Connection, *, before: datetime) -> dict[str, int]:
    """Drop sessions that were over, and wrong tries and links, before an instant; return how many of the first two."""
    tx.execute(delete(sign_in_links).where(sign_in_links.c.until_at < before))
    over = (sessions.c.until_at < before) | (sessions.c.ended_at < before)
    return {
        "sessions": int(tx.execute(delete(sessions).where(over)).rowcount),
        "wrong_tries": int(tx.execute(delete(sign_in_failures).where(sign_in_failures.c.at < before)).rowcount),
    }
