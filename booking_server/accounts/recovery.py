# SPDX-License-Identifier: AGPL-3.0-or-later
"""Recovery codes: ten words on paper for the day when the phone is gone. Each gets in once, in the place of a second factor.

They are shown once and kept as argon2id hashes. Whoever uses one is told by mail, and sees how many are left.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime

from argon2.low_level import Type, hash_secret_raw
from sqlalchemy import Connection, delete, func, insert, select, update

from booking_server.accounts import throttling
from booking_server.accounts.passwords import HASHER
from booking_server.accounts.service import Account, existing_account
from booking_server.accounts.signing_in import SignInRefused
from booking_server.accounts.tables import recovery_codes
from booking_server.accounts.telling import tell
from booking_server.accounts.throttling import Step
from booking_server.actors import Actor, NotAllowed
from booking_server.audit import service as audit
from booking_server.db import Database
from booking_server.messages.service import Kind

COUNT, SIGNS, GROUP = 10, 12, 4
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base32: no sign that is read as another. Twelve of them are 60 bits."""
_SALT_BYTES = 16
_READ_AS = str.maketrans("oil", "011")


def make(database: Database, actor: Actor, *, now: datetime, account_id: int) -> list[str]:
    """Return ten new codes for one's own account, in the place of those before: nobody can see them again.

    Hashing takes its time, outside any transaction.
    """
    if actor.account_id != account_id:
        raise NotAllowed("recovery codes are made by who is to have them")
    codes, salt = [_new_code() for _ in range(COUNT)], secrets.token_bytes(_SALT_BYTES)
    hashed = [_hash(_plain(code), salt) for code in codes]
    with database.write() as tx:
        existing_account(tx, account_id)
        drop(tx, account_id)
        row = {"account_id": account_id, "salt": salt, "made_at": now}
        tx.execute(insert(recovery_codes), [{**row, "code_hash": one} for one in hashed])
        audit.note(tx, actor, now=now, act="recovery_codes_made", subject=f"account:{account_id}")
    return codes


def left(tx: Connection, account_id: int) -> int:
    """Return how many codes are not used yet."""
    unused = (recovery_codes.c.account_id == account_id) & recovery_codes.c.used_at.is_(None)
    return int(tx.execute(select(func.count()).select_from(recovery_codes).where(unused)).scalar_one())


def check_code(database: Database, *, now: datetime, account: Account, code: str, address: str) -> int:
    """Use a code up and return how many are left; its owner is told by mail. Raise SignInRefused or Throttled."""
    throttling.begin_try(database, now=now, step=Step.SECOND, name=account.sign_in_name, address=address)
    with database.read() as tx:
        salt = tx.execute(select(recovery_codes.c.salt).filter_by(account_id=account.id).limit(1)).scalar()
    given = _hash(_plain(code)[:100], salt or bytes(_SALT_BYTES))
    with database.write() as tx:
        number = _unused(tx, account.id, given)
        if number is not None and _take(tx, number, now):
            throttling.forgive(tx, name=account.sign_in_name, step=Step.SECOND)
            audit.note(tx, account.actor(), now=now, act="recovery_code_used", subject=f"account:{account.id}")
            codes_left, key = left(tx, account.id), f"recovery_used:{account.id}:{now.isoformat()}"
            tell(tx, account, now=now, kind=Kind.RECOVERY_USED, key=key, at=now, codes_left=codes_left)
            return codes_left
    raise SignInRefused("This is none of your recovery codes, or it was used already.")


def drop(tx: Connection, account_id: int) -> None:
    """Let an account's codes be worth nothing."""
    tx.execute(delete(recovery_codes).filter_by(account_id=account_id))


def _unused(tx: Connection, account_id: int, given: str) -> int | None:
    kept = select(recovery_codes.c.id, recovery_codes.c.code_hash).filter_by(account_id=account_id, used_at=None)
    return next((row.id for row in tx.execute(kept) if hmac.compare_digest(row.code_hash, given)), None)


def _take(tx: Connection, number: int, now: datetime) -> bool:
    """True for the first who comes with this code."""
    unused = (recovery_codes.c.id == number) & recovery_codes.c.used_at.is_(None)
    return tx.execute(update(recovery_codes).where(unused).values(used_at=now)).rowcount == 1


def _new_code() -> str:
    signs = "".join(secrets.choice(_ALPHABET) for _ in range(SIGNS))
    return "-".join(signs[at : at + GROUP] for at in range(0, SIGNS, GROUP))


def _plain(code: str) -> str:
    """Return a code as it is hashed, however it was typed."""
    return "".join(sign for sign in code.casefold() if sign.isalnum()).translate(_READ_AS)


def _hash(plain: str, salt: bytes) -> str:
    """One salt for the ten of an account: a typed code is hashed once, not ten times."""
    made = hash_secret_raw(
        plain.encode(),
        salt,
        time_cost=HASHER.time_cost,
        memory_cost=HASHER.memory_cost,
        parallelism=HASHER.parallelism,
        hash_len=32,
        type=Type.ID,
    )
    return made.hex()
