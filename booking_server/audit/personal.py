# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who looked at whose movements, told to the person; and how long the record of looks and acts is kept.

A look says that somebody read what tells where a person was, or all that the hub holds about them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, or_, select, update

from booking_server.audit.tables import audit
from booking_server.personal import Held, Who, told

LOOKS = frozenset({"taps_read", "seen_at_doors", "month_seen", "invoice_seen", "data_exported"})
SIGN_INS = frozenset({"signed_in", "signed_out"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Somebody read something about a person. `actor` is the name with which they signed in."""

    at: datetime
    actor: str
    act: str
    detail: Mapping[str, Any]


def about(tx: Connection, who: Who, subjects: Collection[str]) -> Held:
    """Return what was done to a person and to what is theirs (`subjects`), who looked, and what they did themselves."""
    mine = (f"person:{who.person_id}", *(f"account:{number}" for number in who.account_ids), *subjects)
    return {"audit": told(tx, audit, or_(audit.c.subject.in_(mine), audit.c.actor.in_(who.sign_in_names)))}


def looks(tx: Connection, who: Who, *, limit: int = 500) -> list[Look]:
    """Return who looked at a person's movements, newest first, without the person's own looks."""
    here = (audit.c.subject == f"person:{who.person_id}") & audit.c.act.in_(LOOKS) & audit.c.actor.not_in(who.sign_in_names)
    wanted = select(audit.c.at, audit.c.actor, audit.c.act, audit.c.detail)
    found = wanted.where(here).order_by(audit.c.id.desc()).limit(limit)
    return [Look(**row._mapping) for row in tx.execute(found)]


def drop_old(tx: Connection, *, looks_before: datetime, sign_ins_before: datetime, acts_before: datetime) -> dict[str, int]:
    """Drop looks, sign-ins and all other acts, each older than its instant; return how many of each."""
    kinds = {
        "looks": audit.c.act.in_(LOOKS) & (audit.c.at < looks_before),
        "sign_ins": audit.c.act.in_(SIGN_INS) & (audit.c.at < sign_ins_before),
        "acts": audit.c.at < acts_before,
    }
    return {kind: int(tx.execute(delete(audit).where(old)).rowcount) for kind, old in kinds.items()}


def rename(tx: Connection, names: Mapping[str, str]) -> int:
    """Put another word wherever an actor's name stands; return in how many rows."""
    renamed = (tx.execute(update(audit).where(audit.c.actor == old).values(actor=new)).rowcount for old, new in names.items())
    return sum(int(count) for count in renamed)
