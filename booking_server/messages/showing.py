# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox as staff see it: what waits, what left, what was given up and why; and what they may do about it.

Of what a message says nothing is shown, only its kind: a link to sign in with is nobody else's to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, case, func, select, update

from booking_server.accounts import service as accounts
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.messages.rules import SECRET, Kind, give_up_after
from booking_server.messages.tables import messages
from booking_server.people import service as people

SHOWN_MAX = 200
PATIENCE = timedelta(hours=1)
"""How long a message may wait before somebody is to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message as staff see it. `to` is a name, or an address where nobody's name is known; `person_id` leads to a page."""

    id: int
    kind: str
    to: str
    person_id: int | None
    state: str
    put_at: datetime
    try_at: datetime
    settled_at: datetime | None
    attempts: int
    trouble: str | None
    trouble_said: str | None
    can_be_sent_again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What needs a person: how many messages have waited for longer than PATIENCE, and how many were given up."""

    waiting: int
    given_up: int


def outbox(tx: Connection, actor: Actor) -> list[Shown]:
    """Return the newest messages, those that need a person first. Raise NotAllowed."""
    actor.must_be(Role.HOST)
    first = case((messages.c.state == "given_up", 0), (messages.c.state.in_(("waiting", "sending")), 1), else_=2)
    found = select(messages).where(messages.c.state != "unwanted").order_by(first, messages.c.id.desc()).limit(SHOWN_MAX)
    return [_shown(tx, actor, row) for row in tx.execute(found)]


def attention(tx: Connection, now: datetime) -> Attention:
    """Return what needs a person."""
    waits = messages.c.state.in_(("waiting", "sending")) & (messages.c.put_at <= now - PATIENCE)
    return Attention(waiting=_count(tx, waits), given_up=_count(tx, messages.c.state == "given_up"))


def send_again(tx: Connection, actor: Actor, *, now: datetime, message_id: int) -> None:
    """Let a message that was given up wait anew, for the whole of its time. Raise Invalid; NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    found = _given_up(tx, message_id)
    if not _can_be_sent_again(found):
        raise Invalid("message", "What this message said is no longer kept. It cannot be sent again.")
    values = {"state": "waiting", "put_at": now, "try_at": now, "give_up_at": now + give_up_after(Kind(found.kind))}
    cleared = {"attempts": 0, "trouble": None, "trouble_said": None, "trouble_since": None, "settled_at": None}
    tx.execute(update(messages).where(messages.c.id == message_id).values({**values, **cleared}))
    audit.note(tx, actor, now=now, act="message_sent_again", subject=f"message:{message_id}")


def let_be(tx: Connection, actor: Actor, *, now: datetime, message_id: int | None = None) -> int:
    """Leave a message unsent, or all that were given up; return how many. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    if message_id is not None:
        _given_up(tx, message_id)
    which = messages.c.state == "given_up" if message_id is None else messages.c.id == message_id
    left = int(tx.execute(update(messages).where(which).values(state="left", settled_at=now)).rowcount)
    audit.note(tx, actor, now=now, act="messages_left", subject=f"message:{message_id or 'all'}", count=left)
    return left


def _given_up(tx: Connection, message_id: int) -> Row[Any]:
    this = (messages.c.id == message_id) & (messages.c.state == "given_up")
    row = tx.execute(select(messages).where(this)).one_or_none()
    if row is None:
        raise NotFound("There is no message {message_id} that was given up.", message_id=message_id)
    return row


def _can_be_sent_again(row: Row[Any]) -> bool:
    return row.state == "given_up" and row.facts is not None and Kind(row.kind) not in SECRET


def _shown(tx: Connection, actor: Actor, row: Row[Any]) -> Shown:
    values = row._asdict()
    same = {name: values[name] for name in Shown.__dataclass_fields__ if name in values}
    to, person_id = _to(tx, actor, row)
    return Shown(**{**same, "to": to, "person_id": person_id, "can_be_sent_again": _can_be_sent_again(row)})


def _to(tx: Connection, actor: Actor, row: Row[Any]) -> tuple[str, int | None]:
    if row.person_id is not None:
        return people.person(tx, actor, row.person_id).name, row.person_id
    if row.customer_id is not None:
        return people.customer(tx, row.customer_id).name, None
    if row.account_id is not None:
        return accounts.existing_account(tx, row.account_id).name, None
    return row.address or "", None


def _count(tx: Connection, which: ColumnElement[bool]) -> int:
    return int(tx.execute(select(func.count()).select_from(messages).where(which)).scalar_one())
