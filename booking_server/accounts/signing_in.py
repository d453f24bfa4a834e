# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks a password, and slows down who guesses (throttling.py). It signs nobody in: a second factor may have to follow.

A wrong name and a wrong password look the same and take the same time. It never says which of the two was wrong.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from sqlalchemy import Connection, Select, select, update

from booking_server.accounts import throttling
from booking_server.accounts.passwords import HASHER, fits
from booking_server.accounts.service import Account, existing_account
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.throttling import Step, Throttled
from booking_server.db import Database
from booking_server.errors import BookingServerError

__all__ = ["SignInRefused", "Throttled", "check_password", "mark_of"]
_NOBODY = HASHER.hash("no account has this password")


class SignInRefused(BookingServerError):
    """What was given to prove who it is does not. `account` is whose it was said to be, for the log and for no page."""

    account: int | None = None


def check_password(database: Database, *, now: datetime, sign_in_name: str, password: str, address: str) -> Account:
    """Return the account that the name and password belong to. Raise SignInRefused or Throttled.

    The password is checked outside any transaction: it takes long on purpose.
    """
    name = sign_in_name.strip().lower()[:200]
    throttling.begin_try(database, now=now, step=Step.PASSWORD, name=name, address=address)
    with database.read() as tx:
        known = tx.execute(_open_account(name)).first()
    right = fits((known.password_hash if known else None) or _NOBODY, password)
    with database.write() as tx:
        still = known is not None and tx.execute(_open_account(name).with_for_update()).first() == known
        if known is not None and known.password_hash is not None and right and still:
            throttling.forgive(tx, name=name, step=Step.PASSWORD)
            _strengthen(tx, known.id, known.password_hash, password)
            return existing_account(tx, known.id)
    refusal = SignInRefused("The name or the password is wrong.")
    refusal.account = known.id if known else None
    raise refusal


def mark_of(tx: Connection, account_id: int) -> str:
    """Return a word that is another one once the account's password changed or it was closed; it tells nothing of either."""
    row = tx.execute(select(account_table.c.password_hash, account_table.c.closed).filter_by(id=account_id)).one_or_none()
    return hashlib.sha256(repr(row and tuple(row)).encode()).hexdigest()[:32]


def _open_account(name: str) -> Select[tuple[int, str | None]]:
    """Asked before and after the password was checked: closed or given another one meanwhile, nobody gets in by the old."""
    return select(account_table.c.id, account_table.c.password_hash).filter_by(sign_in_name=name, closed=False)


def _strengthen(tx: Connection, account_id: int, password_hash: str, password: str) -> None:
    """Hash it anew if it was kept under weaker parameters."""
    if HASHER.check_needs_rehash(password_hash):
        stronger = HASHER.hash(password)
        tx.execute(update(account_table).where(account_table.c.id == account_id).values(password_hash=stronger))
