# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox: puts a message there in the transaction of its cause, so that neither stands without the other.

Whatever happens to the mail server afterwards, a cause is told of once, or staff see that it was not.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from booking_server.messages.rules import FACTS, Fact, Kind, Recipient, give_up_after, stored
from booking_server.messages.tables import messages

__all__ = ["Kind", "Recipient", "put"]


def put(tx: Connection, *, now: datetime, kind: Kind, to: Recipient, key: str, **facts: Fact) -> None:
    """Let `booking-server mail` tell `to` of what happens in this transaction. A `key` that was used before does nothing.

    `facts` are exactly those of `rules.FACTS`; anything else is a bug of the caller and raises TypeError.
    """
    if facts.keys() != FACTS[kind]:
        raise TypeError(f"{kind} is told with {sorted(FACTS[kind])}, not with {sorted(facts)}")
    row = {
        "key": key,
        "kind": kind.value,
        "person_id": to.person_id,
        "account_id": to.account_id,
        "customer_id": to.customer_id,
        "address": to.address,
        "language": to.language,
        "facts": stored(facts),
        "put_at": now,
        "give_up_at": now + give_up_after(kind),
        "state": "waiting",
        "try_at": now,
    }
    insert = sqlite.insert if tx.dialect.name == "sqlite" else postgresql.insert
    tx.execute(insert(messages).values(row).on_conflict_do_nothing(index_elements=["key"]))


def was_put(tx: Connection, key: str) -> bool:
    """True if a message with this key was put already."""
    return tx.execute(select(messages.c.id).where(messages.c.key == key)).first() is not None
