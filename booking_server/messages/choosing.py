# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each person chose to do without. Without a choice everything is sent; what is mandatory cannot be chosen away."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.messages.rules import CHOSEN, Kind
from booking_server.messages.tables import message_choices as choices


def is_mandatory(kind: Kind, *, is_staff: bool) -> bool:
    """True if everybody, or everybody of the staff, gets this kind."""
    return kind not in CHOSEN or (is_staff and kind is Kind.NEW_SIGN_IN)


def unwanted(tx: Connection, person_id: int) -> frozenset[Kind]:
    """Return the kinds that a person chose to do without."""
    found = select(choices.c.kind).where((choices.c.person_id == person_id) & ~choices.c.wanted)
    return frozenset(Kind(word) for word in tx.execute(found).scalars() if word in set(CHOSEN))


def choose(tx: Connection, actor: Actor, *, now: datetime, person_id: int, wanted: Collection[Kind]) -> None:
    """Keep which of CHOSEN a person gets from now on, what waits too. Only they themselves may. Raise NotAllowed."""
    actor.must_act_for(person_id)
    tx.execute(delete(choices).where(choices.c.person_id == person_id))
    rows = [{"person_id": person_id, "kind": kind.value, "wanted": kind in wanted} for kind in CHOSEN]
    tx.execute(insert(choices), rows)
    without = sorted(kind.value for kind in CHOSEN if kind not in wanted)
    audit.note(tx, actor, now=now, act="messages_chosen", subject=f"person:{person_id}", without=without)
