# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every time that a file was read to be done: when, by whom, which, what came of it, and the first refused rows with their
reasons. No name and no keytag's number stands there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from booking_server.actors import Actor
from booking_server.errors import Invalid
from booking_server.importing.planning import Plan
from booking_server.importing.tables import imports

REFUSALS_KEPT = 100
LATE_AFTER = timedelta(days=2)
NAME_LENGTH = 200


class Source(StrEnum):
    """Where a file came from: somebody's hand, or the settings."""

    FILE = "file"
    ROSTER = "roster"


class Trouble(StrEnum):
    """Why the roster changed nothing."""

    UNREADABLE = "unreadable"
    EMPTY = "empty"
    OLD = "old"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One time. `refusals` are the first refused rows: each row's number and what is wrong with it."""

    id: int
    at: datetime
    by: str
    source: Source
    file: str
    digest: str
    trouble: Trouble | None
    counts: Mapping[str, int]
    refusals: Sequence[tuple[int, Invalid]]

    def is_late(self, now: datetime) -> bool:
        return now - self.at > LATE_AFTER


def keep(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    source: Source,
    file: str,
    made: Plan | None,
    trouble: Trouble | None = None,
    digest: str = "",
    why: Sequence[Invalid] = (),
) -> int:
    """Keep that a file was read, and return the number of that. Without a plan `why` says what was wrong with it."""
    refusals = [(0, one) for one in why]
    refusals += [(fate.number, one) for fate in (made.refused if made else ()) for one in fate.refusals]
    row = {
        "at": now,
        "by": actor.name,
        "source": source.value,
        "file": file[-NAME_LENGTH:],
        "digest": made.sheet.digest if made else digest,
        "outcome": "stopped" if trouble else "done",
        "trouble": trouble.value if trouble else None,
        "counts": made.counts if made else {},
        "refusals": [_stored(number, one) for number, one in refusals[:REFUSALS_KEPT]],
    }
    return int(tx.execute(insert(imports).values(row).returning(imports.c.id)).scalar_one())


def runs(tx: Connection, *, limit: int = 20) -> list[Run]:
    """Return the last runs, newest first."""
    return [_run(row) for row in tx.execute(select(imports).order_by(imports.c.id.desc()).limit(limit))]


def last_of_roster(tx: Connection) -> Run | None:
    """Return the roster's last run; None before the first."""
    mine = imports.c.source == Source.ROSTER.value
    row = tx.execute(select(imports).where(mine).order_by(imports.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else _run(row)


def forget(tx: Connection, *, before: datetime) -> int:
    """Drop runs before an instant, but for the roster's last; return how many."""
    last = last_of_roster(tx)
    old = (imports.c.at < before) & (imports.c.id != (last.id if last else 0))
    return int(tx.execute(delete(imports).where(old)).rowcount)


def _stored(number: int, one: Invalid) -> list[Any]:
    """A business ID may be a single person's: it is not kept."""
    values = {name: "…" if one.field == "business_id" else str(value) for name, value in one.values.items()}
    return [number, one.field, one.message, values]


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        at=row.at,
        by=row.by,
        source=Source(row.source),
        file=row.file,
        digest=row.digest,
        trouble=Trouble(row.trouble) if row.trouble else None,
        counts=row.counts,
        refusals=[(number, Invalid.kept(field, message, values)) for number, field, message, values in row.refusals],
    )
