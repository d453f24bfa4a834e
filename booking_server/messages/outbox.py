# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox as the sending process sees it: what is due, whose turn it is, and what became of it.

A message is claimed in one transaction, sent outside of any, and settled in another, so however many processes send, none
takes what another has in hand. Killed between the mail server's yes and the settling, nobody knows which it was: the claim
runs out and the message is sent again, under the same Message-ID. That is the one way in which somebody gets it twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from booking_server.messages.rules import SECRET, Kind, Recipient, pause_after
from booking_server.messages.tables import messages
from booking_server.messages.troubles import Trouble, TroubleKind

CLAIM = timedelta(minutes=10)
"""For how long a message belongs to whoever took it. All timeouts of one sending together are shorter."""
FORGET_AFTER = timedelta(days=30)
ROWS_KEPT = timedelta(days=400)

_SECRET = tuple(kind.value for kind in SECRET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that is this process's to send, under `claim`. `key` is the same at every attempt."""

    id: int
    claim: str
    key: str
    kind: Kind
    to: Recipient
    facts: Mapping[str, object]
    attempts: int


def any_due(tx: Connection, now: datetime) -> bool:
    """True if a message waits for now, or was left in the hands of a process that ended."""
    return tx.execute(select(messages.c.id).where(_due(now)).limit(1)).first() is not None


def any_late(tx: Connection, now: datetime) -> bool:
    """True if a message was not sent in its time."""
    return tx.execute(select(messages.c.id).where(_late(now)).limit(1)).first() is not None


def claim(tx: Connection, *, now: datetime) -> Claimed | None:
    """Take the message that waits longest; None if none is due."""
    longest = select(messages.c.id).where(_due(now)).order_by(messages.c.try_at, messages.c.id).limit(1)
    number = tx.execute(longest.with_for_update(skip_locked=True)).scalar()
    if number is None:
        return None
    name = secrets.token_hex(16)
    taken = {"state": "sending", "claim": name, "try_at": now + CLAIM, "attempts": messages.c.attempts + 1}
    row = tx.execute(update(messages).where(messages.c.id == number).values(taken).returning(messages)).one()
    to = Recipient(
        person_id=row.person_id,
        account_id=row.account_id,
        customer_id=row.customer_id,
        address=row.address,
        language=row.language,
    )
    return Claimed(id=row.id, claim=name, key=row.key, kind=Kind(row.kind), to=to, facts=row.facts or {}, attempts=row.attempts)


def sent(tx: Connection, one: Claimed, *, now: datetime) -> bool:
    """Mark a message as taken by the mail server. False if it is no longer this process's."""
    values = {"state": "sent", "settled_at": now, "claim": None, "trouble": None, "trouble_said": None, "trouble_since": None}
    return _settle(tx, one, {**values, **_without_secret(one.kind)})


def unwanted(tx: Connection, one: Claimed, *, now: datetime) -> bool:
    """Mark a message as one that its reader chose to do without, and forget what it said."""
    return _settle(tx, one, {"state": "unwanted", "settled_at": now, "claim": None, "facts": None})


def not_sent(tx: Connection, one: Claimed, trouble: Trouble, *, now: datetime) -> bool:
    """Put a message off, or give it up if its trouble is for good."""
    values = {"claim": None, **_told(trouble, now)}
    if trouble.for_good:
        values |= {"state": "given_up", "settled_at": now, **_without_secret(one.kind)}
    else:
        values |= {"state": "waiting", "try_at": now + pause_after(one.attempts)}
    return _settle(tx, one, values)


def cannot_send(tx: Connection, trouble: Trouble, *, now: datetime) -> None:
    """Say at everything that is due why nothing leaves now. It counts as no attempt of any of them."""
    tx.execute(update(messages).where(_due(now)).values(_told(trouble, now)))


def give_up(tx: Connection, *, now: datetime) -> int:
    """Give up what was not sent in its time, and return how much; what is in a process's hands is left to it."""
    last = func.coalesce(messages.c.trouble, TroubleKind.NOT_IN_TIME.value)
    values = {"state": "given_up", "settled_at": now, "claim": None, "trouble": last}
    given_up = update(messages).where(_late(now))
    links = tx.execute(given_up.where(messages.c.kind.in_(_SECRET)).values({**values, "facts": None})).rowcount
    return links + tx.execute(given_up.values(values)).rowcount


def forget_sent(tx: Connection, *, now: datetime, after: timedelta = FORGET_AFTER) -> int:
    """Forget what messages said that were settled so long ago, and where bare addresses were; return how many.

    That there was one, of which kind and to whom, stays for ROWS_KEPT: for so long nothing is put a second time.
    """
    tx.execute(delete(messages).where(messages.c.settled_at < now - ROWS_KEPT))
    old = (messages.c.settled_at < now - after) & (messages.c.facts.is_not(None) | messages.c.address.is_not(None))
    return tx.execute(update(messages).where(old).values(facts=None, trouble_said=None, address=None)).rowcount


def _due(now: datetime) -> ColumnElement[bool]:
    """A claim that ran out is due like what waits."""
    return messages.c.state.in_(("waiting", "sending")) & (messages.c.try_at <= now)


def _late(now: datetime) -> ColumnElement[bool]:
    return ((messages.c.state == "waiting") | _due(now)) & (messages.c.give_up_at <= now)


def _settle(tx: Connection, one: Claimed, values: Mapping[str, object]) -> bool:
    mine = (messages.c.id == one.id) & (messages.c.claim == one.claim)
    return tx.execute(update(messages).where(mine).values(values)).rowcount == 1


def _told(trouble: Trouble, now: datetime) -> dict[str, object]:
    since = func.coalesce(messages.c.trouble_since, now)
    return {"trouble": trouble.kind.value, "trouble_said": trouble.said or None, "trouble_since": since}


def _without_secret(kind: Kind) -> dict[str, object]:
    return {"facts": None} if kind in SECRET else {}
