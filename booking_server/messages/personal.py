# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the outbox keeps of one person, and what is dropped of it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, delete, or_

from booking_server.messages.rules import SECRET
from booking_server.messages.tables import message_choices, messages
from booking_server.personal import Held, Who, told


def about(tx: Connection, who: Who) -> Held:
    """Return what a person was sent, or is to be, and what they chose. A link to sign in with is a secret, and left out."""
    sent = told(tx, messages, _to(who), but=("claim",))
    return {
        "messages": [row | {"facts": None} if row["kind"] in SECRET else row for row in sent],
        "message_choices": told(tx, message_choices, message_choices.c.person_id == who.person_id),
    }


def drop(tx: Connection, who: Who) -> int:
    """Drop a person's messages, sent or not, and choices; return how many messages."""
    tx.execute(delete(message_choices).where(message_choices.c.person_id == who.person_id))
    return int(tx.execute(delete(messages).where(_to(who))).rowcount)


def _to(who: Who) -> ColumnElement[bool]:
    own = messages.c.person_id == who.person_id
    return or_(own, messages.c.customer_id.in_(who.customer_ids), messages.c.account_id.in_(who.account_ids))
