# SPDX-License-Identifier: AGPL-3.0-or-later
"""What members ask about their data (to correct, erase, restrict it, or against its use), and what staff answer.

Nothing here changes other data: a wish is read by a person, who does it on the page it belongs to and says so. The law gives
the hub a month for its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.personal import Held, Who, told
from booking_server.privacy.tables import erasures, freezes, wishes

KINDS = ("correct", "erase", "restrict", "object", "other")
TEXT_LENGTH = 1000
ANSWER_WITHIN = timedelta(days=30)
OPEN_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asked. It is open until it is answered, and to be answered by `due_at`."""

    id: int
    person_id: int
    kind: str
    text: str
    asked_at: datetime
    answer: str
    answered_at: datetime | None
    answered_by: str | None

    @property
    def due_at(self) -> datetime:
        return self.asked_at + ANSWER_WITHIN


_OTHERS = {"person_id": None, "kind": "", "text": "", "answer": ""}
"""What stands in an export where it is another person's."""


def ask(tx: Connection, actor: Actor, *, now: datetime, kind: str, text: str) -> Wish:
    """Ask something about one's own data. Raise Invalid at the field that is wrong; NotAllowed for who is no person here."""
    actor.must_be(Role.MEMBER)
    if kind not in KINDS:
        raise Invalid("kind", "Choose what you ask for.")
    if not 1 <= len(text.strip()) <= TEXT_LENGTH:
        raise Invalid("text", "Write what is to be done, in at most {length} characters.", length=TEXT_LENGTH)
    mine = of_person(tx, actor.person_id or 0)
    if sum(one.answered_at is None for one in mine) >= OPEN_MAX:
        raise Invalid("text", "You have asked {count} things that wait for an answer. Wait for it first.", count=OPEN_MAX)
    row = {"person_id": actor.person_id, "kind": kind, "text": text.strip(), "asked_at": now, "answer": ""}
    number = int(tx.execute(insert(wishes).values(row).returning(wishes.c.id)).scalar_one())
    audit.note(tx, actor, now=now, act="wish_made", subject=f"person:{actor.person_id}", wish=number, kind=kind)
    return _one(tx, number)


def answer(tx: Connection, actor: Actor, *, now: datetime, wish_id: int, text: str) -> Wish:
    """Say what was done, or why not; the person reads it. Raise Invalid at "answer"; NotFound; NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    found = _one(tx, wish_id)
    if not 1 <= len(text.strip()) <= TEXT_LENGTH:
        raise Invalid("answer", "Write what was done, or why not, in at most {length} characters.", length=TEXT_LENGTH)
    values = {"answer": text.strip(), "answered_at": now, "answered_by": actor.name}
    tx.execute(update(wishes).where(wishes.c.id == wish_id).values(values))
    audit.note(tx, actor, now=now, act="wish_answered", subject=f"person:{found.person_id}", wish=wish_id)
    return _one(tx, wish_id)


def of_person(tx: Connection, person_id: int) -> list[Wish]:
    """Return what a person asked, newest first."""
    found = select(wishes).where(wishes.c.person_id == person_id).order_by(wishes.c.id.desc())
    return [_wish(row) for row in tx.execute(found)]


def open_wishes(tx: Connection, actor: Actor) -> list[Wish]:
    """Return what waits for an answer, oldest first. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    found = select(wishes).where(wishes.c.answered_at.is_(None)).order_by(wishes.c.id)
    return [_wish(row) for row in tx.execute(found)]


def about(tx: Connection, who: Who) -> Held:
    """Return what a person asked, what was erased, and what they answered or froze as staff: of what others asked, only that
    they answered it."""
    mine = or_(wishes.c.person_id == who.person_id, wishes.c.answered_by.in_(who.sign_in_names))
    erased = or_(erasures.c.person_id == who.person_id, erasures.c.by.in_(who.sign_in_names))
    return {
        "wishes": [row if row["person_id"] == who.person_id else row | _OTHERS for row in told(tx, wishes, mine)],
        "erasures": told(tx, erasures, erased),
        "freezes": told(tx, freezes, freezes.c.by.in_(who.sign_in_names)),
    }


def drop(tx: Connection, who: Who, *, now: datetime) -> int:
    """Drop what a person wrote and was answered; what is open is answered by its going. Return how many wishes."""
    mine = wishes.c.person_id == who.person_id
    tx.execute(update(wishes).where(mine & wishes.c.answered_at.is_(None)).values(answered_at=now))
    return int(tx.execute(update(wishes).where(mine & (wishes.c.text != "")).values(text="", answer="")).rowcount)


def rename(tx: Connection, names: Mapping[str, str]) -> int:
    """Put another word wherever the name of who answered, erased or froze stands; return in how many rows."""
    changed = 0
    for column in (wishes.c.answered_by, erasures.c.by, freezes.c.by):
        for old, new in names.items():
            changed += int(tx.execute(update(column.table).where(column == old).values({column.name: new})).rowcount)
    return changed


def _one(tx: Connection, wish_id: int) -> Wish:
    row = tx.execute(select(wishes).where(wishes.c.id == wish_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such wish.")
    return _wish(row)


def _wish(row: Row[Any]) -> Wish:
    return Wish(**row._mapping)
