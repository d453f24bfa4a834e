# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sessions, kept by the server: what a browser holds is a random token, and the table only its hash.

A session ends by its time, by signing out, with its account, or by somebody who ends it from another; a copy of its cookie is
then worth nothing. It carries no rights: these are read from the account at every request.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.tables import sessions
from booking_server.actors import Actor
from booking_server.audit import service as audit

STAFF_LIFE, STAFF_IDLE = timedelta(hours=12), timedelta(hours=4)
MEMBER_LIFE = MEMBER_IDLE = timedelta(days=30)
"""How long a session lasts at most, and unused. A member may do little, from a phone of their own. Who came by a sign-in
elsewhere stays no longer than staff: only there it is known that they left."""
SEEN_EVERY = timedelta(minutes=5)
"""How often it is written down that a session is in use."""
CONFIRMED_FOR = timedelta(minutes=10)
"""How long after somebody proved who they are the grave acts are open to them (OWASP ASVS 5.0, 7.5.3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser in which an account is signed in. `how` names what proved it: password, totp, passkey, link, federated."""

    id: str
    account: Account
    begun_at: datetime
    seen_at: datetime
    confirmed_at: datetime
    how: tuple[str, ...]
    address: str
    device: str

    def is_confirmed(self, now: datetime) -> bool:
        return now - self.confirmed_at < CONFIRMED_FOR


def begin(tx: Connection, *, now: datetime, account_id: int, how: Collection[str], address: str, device: str) -> str:
    """Sign an account in and return the token that its browser is to keep. The caller has checked what proves it."""
    token, who = secrets.token_urlsafe(32), accounts.existing_account(tx, account_id).actor()
    row = {
        "id": id_of(token),
        "account_id": account_id,
        "begun_at": now,
        "seen_at": now,
        "confirmed_at": now,
        "until_at": now + (STAFF_LIFE if who.is_staff or "federated" in how else MEMBER_LIFE),
        "how": sorted(how),
        "address": address[:60],
        "device": device[:200],
    }
    tx.execute(insert(sessions).values(row))
    audit.note(tx, who, now=now, act="signed_in", subject=f"account:{account_id}", how=sorted(how))
    return token


def session(tx: Connection, *, now: datetime, token: str) -> Session | None:
    """Return the session of a token; None if there is none, or no longer."""
    row = tx.execute(select(sessions).where(sessions.c.id == id_of(token))).one_or_none()
    if row is None or row.ended_at is not None or row.until_at <= now:
        return None
    account = accounts.account(tx, row.account_id)
    if account is None or account.closed:
        return None
    idle = STAFF_IDLE if account.actor().is_staff else MEMBER_IDLE
    return None if row.seen_at + idle <= now else _session(row, account)


def seen(tx: Connection, *, now: datetime, session_id: str) -> None:
    """Note that a session is in use."""
    tx.execute(update(sessions).where(sessions.c.id == session_id).values(seen_at=now))


def confirm(tx: Connection, *, now: datetime, session_id: str) -> str:
    """Note that whoever sits there has just proved again who they are, and return the token that their browser is to keep now.

    The one before is worth nothing: a copy of it gains no rights by this (OWASP ASVS 5.0, 7.2.4).
    """
    token = secrets.token_urlsafe(32)
    values = {"id": id_of(token), "confirmed_at": now, "seen_at": now}
    tx.execute(update(sessions).where(sessions.c.id == session_id).values(values))
    return token


def sessions_of(tx: Connection, *, now: datetime, account_id: int) -> list[Session]:
    """Return an account's sessions that go on, the one used last first."""
    account = accounts.existing_account(tx, account_id)
    idle = STAFF_IDLE if account.actor().is_staff else MEMBER_IDLE
    going_on = (sessions.c.account_id == account_id) & sessions.c.ended_at.is_(None)
    going_on &= (sessions.c.until_at > now) & (sessions.c.seen_at > now - idle)
    found = tx.execute(select(sessions).where(going_on).order_by(sessions.c.seen_at.desc(), sessions.c.id))
    return [_session(row, account) for row in found]


def end(tx: Connection, *, now: datetime, session_id: str) -> None:
    """Let a session be over. Twice is as good."""
    tx.execute(update(sessions).where((sessions.c.id == session_id) & sessions.c.ended_at.is_(None)).values(ended_at=now))


def end_one(tx: Connection, actor: Actor, *, now: datetime, account_id: int, session_id: str) -> None:
    """End one of an account's sessions, one's own or as an administrator of the hub. Raise NotAllowed."""
    if actor.account_id != account_id:
        actor.must_be_everywhere()
    which = (sessions.c.account_id == account_id) & (sessions.c.id == session_id) & sessions.c.ended_at.is_(None)
    tx.execute(update(sessions).where(which).values(ended_at=now))
    audit.note(tx, actor, now=now, act="sessions_ended", subject=f"account:{account_id}", count=1)


def add_proof(tx: Connection, *, session_id: str, how: str) -> None:
    """Note that who is signed in has proven who they are in one more way."""
    row = tx.execute(select(sessions.c.how).where(sessions.c.id == session_id)).one()
    tx.execute(update(sessions).where(sessions.c.id == session_id).values(how=sorted({*row.how, how})))


def end_all(tx: Connection, actor: Actor, *, now: datetime, account_id: int, but: Sequence[str] = ()) -> int:
    """End an account's sessions, one's own or as an administrator of the hub, and return how many. Raise NotAllowed."""
    if actor.account_id != account_id:
        actor.must_be_everywhere()
    which = (sessions.c.account_id == account_id) & sessions.c.ended_at.is_(None) & sessions.c.id.not_in(but)
    ended = tx.execute(update(sessions).where(which).values(ended_at=now)).rowcount
    audit.note(tx, actor, now=now, act="sessions_ended", subject=f"account:{account_id}", count=ended)
    return ended


def end_everywhere(tx: Connection) -> None:
    """End every session of everybody: in a database that was put back, those that were ended since would stand again."""
    tx.execute(delete(sessions))


def forget_over(tx: Connection, *, before: datetime) -> int:
    """Delete the sessions that were over before this instant, and return how many."""
    return tx.execute(delete(sessions).where((sessions.c.until_at < before) | (sessions.c.ended_at < before))).rowcount


def id_of(token: str) -> str:
    """Return the id that a token's session has: the table tells nobody a token that would be taken."""
    return hashlib.sha256(token.encode()).hexdigest()


def _session(row: Row[Any], account: Account) -> Session:
    values = {name: getattr(row, name) for name in ("id", "begun_at", "seen_at", "confirmed_at", "address", "device")}
    return Session(account=account, how=tuple(row.how), **values)
