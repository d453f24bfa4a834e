# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a person's accounts: their sessions, the ways to sign in, wrong tries. Secrets are never told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from booking_server.accounts.tables import account_roles, accounts, sessions, sign_in_failures
from booking_server.personal import Held, Who, told


def of_person(tx: Connection, person_id: int) -> Mapping[int, str]:
    """Return the sign-in name of each account that is a person's."""
    found = select(accounts.c.id, accounts.c.sign_in_name).where(accounts.c.person_id == person_id)
    return {row.id: row.sign_in_name for row in tx.execute(found)}


def names(tx: Connection) -> Mapping[str, str]:
    """Return for each sign-in name who it is."""
    return {row.sign_in_name: row.name for row in tx.execute(select(accounts.c.sign_in_name, accounts.c.name))}


def about(tx: Connection, who: Who) -> Held:
    """Return a person's accounts, what they may do, where they are or were signed in, and wrong tries in their names."""
    return {
        "accounts": told(tx, accounts, accounts.c.id.in_(who.account_ids), but=("password_hash",)),
        "account_roles": told(tx, account_roles, account_roles.c.account_id.in_(who.account_ids)),
        "sessions": told(tx, sessions, sessions.c.account_id.in_(who.account_ids), but=("id",)),
        "sign_in_failures": told(tx, sign_in_failures, sign_in_failures.c.sign_in_name.in_(who.sign_in_names)),
    }


def drop(tx: Connection, who: Who) -> int:
    """Close a person's accounts for good and drop name, password, sessions and wrong tries; return how many had a name."""
    tx.execute(delete(sessions).where(sessions.c.account_id.in_(who.account_ids)))
    tx.execute(delete(sign_in_failures).where(sign_in_failures.c.sign_in_name.in_(who.sign_in_names)))
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
    """Drop sessions that were over, and wrong tries, before an instant; return how many of each."""
    over = (sessions.c.until_at < before) | (sessions.c.ended_at < before)
    return {
        "sessions": int(tx.execute(delete(sessions).where(over)).rowcount),
        "wrong_tries": int(tx.execute(delete(sign_in_failures).where(sign_in_failures.c.at < before)).rowcount),
    }
