# SPDX-License-Identifier: AGPL-3.0-or-later
"""How far each journal of a door went, by the door's own word: what outlives the card that the journal was on.

A door's new journal knows nothing of events that an old one never delivered. What is told here never becomes less.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from access_contract.messages import Status
from booking_server.doors.tables import door_journals

JOURNAL_LENGTH, SEQUENCE_MAX = 64, 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The last sequence that a door ever named in one journal, and up to which one staff closed its gaps for good."""

    door_id: str
    journal: str
    last: int
    given_up: int


def told(tx: Connection) -> list[Told]:
    """Return what the doors told of all their journals."""
    return [Told(**row._mapping) for row in tx.execute(select(door_journals))]


def note_told(tx: Connection, door_id: str, status: Status) -> None:
    """Remember the last sequence that a status names. The door must be known."""
    journal = status.journal or ""
    if journal and len(journal) <= JOURNAL_LENGTH and "\0" not in journal:
        _raise(tx, door_id, journal, last=min(status.last_sequence, SEQUENCE_MAX))


def give_up(tx: Connection, door_id: str, journal: str, up_to: int) -> None:
    """What has not arrived of a journal up to here is not waited for any more, once the door writes another one."""
    _raise(tx, door_id, journal, given_up=up_to)


def _raise(tx: Connection, door_id: str, journal: str, **to: int) -> None:
    [(name, number)] = to.items()
    here = (door_journals.c.door_id == door_id) & (door_journals.c.journal == journal)
    known = tx.execute(select(door_journals.c[name]).where(here)).scalar()
    if known is None:
        row = {"door_id": door_id, "journal": journal, "last": 0, "given_up": 0} | to
        tx.execute(insert(door_journals).values(row))
    elif known < number:
        tx.execute(update(door_journals).where(here).values(to))
