# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes the audit row in the transaction of the act it tells of, so that neither stands without the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, insert, select

from booking_server.actors import Actor
from booking_server.audit.tables import audit
from booking_server.errors import Invalid

REASON_LENGTH = 400


def note(tx: Connection, actor: Actor, *, now: datetime, act: str, subject: str, **detail: object) -> None:
    """Add that `actor` did `act` (past tense, "tag_blocked") to `subject` ("keytag:7")."""
    row = {"at": now, "actor": actor.name, "act": act, "subject": subject, "detail": detail}
    tx.execute(insert(audit).values(row))


def note_many(
    tx: Connection, actor: Actor, *, now: datetime, act: str, subjects: Iterable[tuple[str, dict[str, object]]]
) -> None:
    """Add that `actor` did `act` to each of many subjects, each with its detail."""
    rows = [{"at": now, "actor": actor.name, "act": act, "subject": subject, "detail": detail} for subject, detail in subjects]
    if rows:
        tx.execute(insert(audit), rows)


def reason_given(text: str) -> str:
    """Return why staff do something, as it is kept with their name. Raise Invalid at "reason"."""
    reason = text.strip()
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise Invalid("reason", "Say why, in a few words. It is kept with your name.")
    return reason


def of_subject(tx: Connection, subject: str, *, limit: int = 50) -> list[Mapping[str, object]]:
    """Return what was done to `subject`, newest first."""
    found = select(audit).where(audit.c.subject == subject).order_by(audit.c.id.desc()).limit(limit)
    return [dict(row) for row in tx.execute(found).mappings()]


def newest_at(tx: Connection) -> datetime | None:
    """Return when the last act was noted; None before the first."""
    return tx.execute(select(audit.c.at).order_by(audit.c.id.desc()).limit(1)).scalar()
