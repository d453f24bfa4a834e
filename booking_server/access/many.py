# SPDX-License-Identifier: AGPL-3.0-or-later
"""Much access given and withdrawn at once, for a file of people: whole days, all days of the week, in batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, insert, update

from booking_server import civil
from booking_server.access import changes
from booking_server.access.service import MIDNIGHT, Grant
from booking_server.access.tables import grants
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Access of a person to an area, from a day to another (both included; None: for good), all day."""

    person_id: int
    area_id: int
    from_day: date
    until_day: date | None


def is_plain(grant: Grant) -> bool:
    """True if a grant is one that could have been given here: every day, all day, with no right beyond passing."""
    whole = grant.weekdays == civil.ALL_DAYS and grant.from_time == grant.until_time == MIDNIGHT
    more = (grant.standing, grant.passes_lock_down, grant.may_disarm, grant.starts_unlocking)
    return whole and not any(more)


def give(tx: Connection, actor: Actor, *, now: datetime, given: Sequence[Given]) -> list[int]:
    """Give all of this and return the grants' numbers in the same order. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if not given:
        return []
    usual = {
        "weekdays": civil.ALL_DAYS,
        "from_time": MIDNIGHT,
        "until_time": MIDNIGHT,
        "standing": False,
        "passes_lock_down": False,
        "granted_at": now,
    }
    rows = [
        {
            **usual,
            "person_id": one.person_id,
            "area_id": one.area_id,
            "from_day": one.from_day,
            "until_day": one.until_day,
        }
        for one in given
    ]
    made = insert(grants).returning(grants.c.id, sort_by_parameter_order=True)
    numbers = [int(number) for number in tx.execute(made, rows).scalars()]
    told = list(zip(numbers, given, strict=True))
    changes.note_changes(tx, now=now, causes=((f"grant:{number}", one.person_id) for number, one in told))
    acts = [(f"grant:{number}", dict[str, object](person_id=one.person_id, area_id=one.area_id)) for number, one in told]
    audit.note_many(tx, actor, now=now, act="access_granted", subjects=acts)
    return numbers


def withdraw(tx: Connection, actor: Actor, *, now: datetime, given: Collection[Grant]) -> None:
    """End these grants, none of which is withdrawn yet. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if not given:
        return
    these = update(grants).where(grants.c.id == bindparam("number"))
    tx.execute(these, [{"number": one.id, "withdrawn_at": now} for one in given])
    changes.note_changes(tx, now=now, causes=((f"grant:{one.id}", one.person_id) for one in given))
    acts = [(f"grant:{one.id}", dict[str, object](person_id=one.person_id)) for one in given]
    audit.note_many(tx, actor, now=now, act="access_withdrawn", subjects=acts)
