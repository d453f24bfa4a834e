# SPDX-License-Identifier: AGPL-3.0-or-later
"""The outbox: puts a message there in the transaction of its cause, so that neither stands without the other.

Whatever happens to the mail server afterwards, a cause is told of once, or staff see that it was not.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from booking_server.messages.rules import FACTS, Fact, Kind, Recipient, give_up_after, stored
from booking_server.messages.tables import messages

__all__ = ["Kind", "Recipient", "last_put", "put"]


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


def last_put(tx: Connection, kind: Kind, person_id: int) -> datetime | None:
    """Return when a message of this kind was last put for a person; None if never."""
    mine = (messages.c.person_id == person_id) & (messages.c.kind == kind.value)
    return tx.execute(select(func.max(messages.c.put_at)).where(mine)).scalar()
