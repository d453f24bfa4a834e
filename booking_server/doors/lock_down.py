# SPDX-License-Identifier: AGPL-3.0-or-later
"""A site locked down, and the lock-down lifted: numbered words that every door of the site obeys once, in their order.

The word stands in each door's rights, so a door that was offline obeys it when it is back. That a door is locked down is the
door's own to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from access_contract.snapshot import LockDown
from access_contract.vocabulary import DoorMode
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.db import count_on_after
from booking_server.doors import service as doors
from booking_server.doors.tables import lock_downs
from booking_server.errors import Invalid
from booking_server.places import service as places


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The last word on a site: locked down (`on`) or lifted, by whom, when and why."""

    number: int
    site_id: int
    on: bool
    at: datetime
    by: str
    reason: str


def lock_down(tx: Connection, actor: Actor, *, now: datetime, site_id: int, reason: str) -> Word:
    """Lock every door of a site down. Raise Invalid at "reason", or where it is locked down already; NotFound; NotAllowed."""
    return _say(tx, actor, now=now, site_id=site_id, on=True, reason=reason)


def lift(tx: Connection, actor: Actor, *, now: datetime, site_id: int, reason: str) -> Word:
    """Let the doors of a site be as before. Raise Invalid at "reason", or where it is not locked down; NotFound; NotAllowed."""
    return _say(tx, actor, now=now, site_id=site_id, on=False, reason=reason)


def last_word(tx: Connection, site_id: int) -> Word | None:
    """Return the last word on a site; None if it was never locked down."""
    return last_words(tx).get(site_id)


def last_words(tx: Connection) -> dict[int, Word]:
    """Return the last word on each site that was ever locked down."""
    return {row.site_id: Word(**row._mapping) for row in tx.execute(select(lock_downs).order_by(lock_downs.c.number))}


def go_on_after(tx: Connection, number: int) -> None:
    """Have the next word get a larger number than this. Doors obey no word whose number they had already."""
    count_on_after(tx, lock_downs.c.number, number)


def for_door(word: Word | None) -> LockDown | None:
    """Return the word as a door of the site is told it."""
    return None if word is None else LockDown(number=word.number, on=word.on)


def has_obeyed(word: Word, state: doors.DoorState | None) -> bool:
    """True if the door itself says that it took this word on."""
    if state is None or state.status.lock_down < word.number:
        return False
    return not word.on or state.status.mode == DoorMode.LOCKED_DOWN


def _say(tx: Connection, actor: Actor, *, now: datetime, site_id: int, on: bool, reason: str) -> Word:
    actor.must_be_at(site_id, Role.HOST)
    places.site(tx, site_id)
    why = audit.reason_given(reason)
    before = last_word(tx, site_id)
    stands = before is not None and before.on
    if on and stands:
        raise Invalid("reason", "The site is locked down already.")
    if not on and not stands:
        raise Invalid("reason", "The site is not locked down.")
    row = {"site_id": site_id, "on": on, "at": now, "by": actor.name, "reason": why}
    number = int(tx.execute(insert(lock_downs).values(row).returning(lock_downs.c.number)).scalar_one())
    for door in doors.doors(tx):
        if door.site_id == site_id and door.retired_at is None:
            changes.note_change(tx, now=now, cause=f"lock_down:{number}", door_id=door.id)
    act = "locked_down" if on else "lock_down_lifted"
    audit.note(tx, actor, now=now, act=act, subject=f"site:{site_id}", reason=row["reason"])
    return Word(number=number, **row)  # type: ignore[arg-type]
