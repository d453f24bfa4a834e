# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks a password, and slows down who guesses: by account and address, by address, and by account from anywhere.

A wrong name and a wrong password look the same and take the same time. It never says which of the two was wrong. A few wrong
tries from one place do not lock the account's owner out at another.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, Select, delete, func, insert, select, update

from booking_server.accounts.service import HASHER, PASSWORD_LENGTH_MAX, Account, existing_account
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import sign_in_failures
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.db import Database, one_at_a_time
from booking_server.errors import BookingServerError

WINDOW = timedelta(minutes=15)
FAILURES_BY_NAME_AND_ADDRESS, FAILURES_BY_ADDRESS, FAILURES_BY_NAME = 5, 30, 100
_NOBODY = HASHER.hash("no account has this password")


class SignInRefused(BookingServerError):
    """The name and the password do not go together."""


class Throttled(BookingServerError):
    """Too many tries. `wait_seconds` says how long until the next is looked at."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__("Too many tries. Wait {minutes} minutes, then try again.", minutes=-(-wait_seconds // 60))
        self.wait_seconds = wait_seconds


def sign_in(database: Database, *, now: datetime, sign_in_name: str, password: str, address: str) -> Account:
    """Return the account that the name and password belong to. Raise SignInRefused or Throttled.

    A try is counted before the password is looked at, so that many at once are no more than many in a row; a right one wipes
    the count. The password is checked outside any transaction: it takes long on purpose.
    """
    name = sign_in_name.strip().lower()[:200]
    with database.write() as tx:
        one_at_a_time(tx, "sign_in")
        _check_throttle(tx, now, name, address)
        _note_failure(tx, now, name, address)
        known = tx.execute(_open_account(name)).first()
    right = _fits((known.password_hash if known else None) or _NOBODY, password)
    with database.write() as tx:
        still = known is not None and tx.execute(_open_account(name).with_for_update()).first() == known
        if known is not None and known.password_hash is not None and right and still:
            _note_success(tx, now, name, known.id, known.password_hash, password)
            return existing_account(tx, known.id)
    raise SignInRefused("The name or the password is wrong.")


def _open_account(name: str) -> Select[tuple[int, str | None]]:
    """Asked before and after the password was checked: closed or given another one meanwhile, nobody gets in by the old."""
    return select(account_table.c.id, account_table.c.password_hash).filter_by(sign_in_name=name, closed=False)


def _fits(password_hash: str, password: str) -> bool:
    try:
        return len(password) <= PASSWORD_LENGTH_MAX and HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _check_throttle(tx: Connection, now: datetime, name: str, address: str) -> None:
    by_name, by_address = sign_in_failures.c.sign_in_name == name, sign_in_failures.c.address == address[:60]
    for which, allowed in (
        (by_name & by_address, FAILURES_BY_NAME_AND_ADDRESS),
        (by_address, FAILURES_BY_ADDRESS),
        (by_name, FAILURES_BY_NAME),
    ):
        recent = which & (sign_in_failures.c.at > now - WINDOW)
        count, first = tx.execute(select(func.count(), func.min(sign_in_failures.c.at)).where(recent)).one()
        if count >= allowed:
            raise Throttled(max(1, int((first + WINDOW - now).total_seconds())))


def _note_failure(tx: Connection, now: datetime, name: str, address: str) -> None:
    tx.execute(delete(sign_in_failures).where(sign_in_failures.c.at <= now - WINDOW))
    tx.execute(insert(sign_in_failures).values(at=now, sign_in_name=name, address=address[:60]))


def _note_success(tx: Connection, now: datetime, name: str, account_id: int, password_hash: str, password: str) -> None:
    tx.execute(delete(sign_in_failures).where(sign_in_failures.c.sign_in_name == name))
    if HASHER.check_needs_rehash(password_hash):
        stronger = HASHER.hash(password)
        tx.execute(update(account_table).where(account_table.c.id == account_id).values(password_hash=stronger))
    who = Actor.of(name, account_id=account_id)
    audit.note(tx, who, now=now, act="signed_in", subject=f"account:{account_id}")
