# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a passkey is asked to sign: something new each time, for one browser and one purpose, good for minutes and only once.

Asking keeps nothing: the challenge travels sealed in the page and comes back with the answer. What was answered is remembered
until it would be too old, so that a copied answer is worth nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Connection, delete
from sqlalchemy.dialects import postgresql, sqlite

from booking_server.accounts.tables import used_challenges
from booking_server.db import Database
from booking_server.errors import Invalid

Purpose = Literal["register", "sign_in", "confirm"]
PURPOSES: tuple[Purpose, ...] = ("register", "sign_in", "confirm")
GOOD_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """What is to be signed, and the handle of the account that a new passkey is for."""

    challenge: bytes
    handle: str = ""


def ask(secret: bytes, *, now: datetime, purpose: Purpose, browser: str, handle: str = "") -> tuple[Challenge, str]:
    """Return something new to sign, and the sealed words by which it is known again.

    `browser` is known to this browser and the server only, as its forms' token is.
    """
    new = Challenge(challenge=secrets.token_bytes(32), handle=handle)
    words = {"c": new.challenge.hex(), "h": handle, "p": purpose, "b": _hash(browser), "t": int(now.timestamp())}
    return new, str(_sealer(secret).dumps(words))


def answered(database: Database, secret: bytes, *, now: datetime, purpose: Purpose, browser: str, sealed: str) -> Challenge:
    """Return what was to be signed, this once. Raise Invalid at "passkey" for another's, an old one, or the second time."""
    words = _words(secret, sealed)
    asked_at = datetime.fromtimestamp(int(words.get("t", 0)), UTC)
    ours = words.get("p") == purpose and words.get("b") == _hash(browser)
    if not ours or not timedelta(seconds=-1) <= now - asked_at < GOOD_FOR:
        raise _again()
    found = Challenge(challenge=bytes.fromhex(words["c"]), handle=words["h"])
    with database.write() as tx:
        fresh = _note_used(tx, now, hashlib.sha256(found.challenge).hexdigest())
    if not fresh:
        raise _again()
    return found


def _again() -> Invalid:
    return Invalid("passkey", "This page has stood open too long, or was answered already. Try again.")


def _note_used(tx: Connection, now: datetime, number: str) -> bool:
    tx.execute(delete(used_challenges).where(used_challenges.c.until_at <= now))
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    row = {"id": number, "until_at": now + 2 * GOOD_FOR}
    noted = insert(used_challenges).values(row).on_conflict_do_nothing(index_elements=["id"]).returning(used_challenges.c.id)
    return tx.execute(noted).first() is not None


def _words(secret: bytes, sealed: str) -> Mapping[str, Any]:
    try:
        words: Mapping[str, Any] = _sealer(secret).loads(sealed)
    except BadSignature:
        return {}
    return words


def _sealer(secret: bytes) -> URLSafeSerializer:
    return URLSafeSerializer(secret, salt="passkey challenge")


def _hash(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()
