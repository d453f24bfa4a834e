# SPDX-License-Identifier: AGPL-3.0-or-later
"""The box at a door: stolen, or replaced by another. The door, its history and what its journals still owe stay.

Whoever asks writes a wish in the transaction of the act; the process that speaks with the doors carries it out (evicting.py),
and the page says what came of it. A stolen box is spoken to no more from that transaction on.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, insert, or_, select, update

from access_contract.vocabulary import DoorId
from booking_server.access import changes
from booking_server.access.index import build
from booking_server.access.snapshots import for_door
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.doors.tables import revocations as table
from booking_server.errors import Invalid
from booking_server.keys import Vault
from booking_server.tags import exposure
from booking_server.tags import service as tags

TAKEN_FOR = timedelta(seconds=60)
"""After so long, a wish that a process took and did not carry out is another's to take: that process died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """The wish to put a door's box out, of these certificates (serials in hex). `became` is a Line, or "failed", once done."""

    id: int
    door_id: str
    why: Literal["stolen", "replaced"]
    reason: str
    serials: list[str]
    by: str
    asked_at: datetime
    taken_at: datetime | None
    done_at: datetime | None
    became: str | None


@dataclass(frozen=True, slots=True)
class AtRisk:
    """The keytags that a door's box may hold, and how many people hold them."""

    keytag_ids: frozenset[int]
    people: int


def at_risk(tx: Connection, *, now: datetime, door_id: str) -> AtRisk:
    """Return what whoever takes a door's box would hold: every keytag in the snapshot that it is to have, and each whose access
    was changed since the box last said what it holds: it may hold that still. Raise NotFound.
    """
    doors.door(tx, door_id)
    hashes = for_door(build(tx, now=now, only={DoorId(door_id)})[DoorId(door_id)]).tags.keys()
    people, keytags = _changed_since_heard(tx, door_id)
    held = [
        tag
        for tag in tags.held_tags(tx, door_id)
        if tag.hash in hashes or tag.keytag_id in keytags or (tag.person_id is not None and tag.person_id in people)
    ]
    holders = {tag.person_id for tag in held if tag.person_id is not None}
    return AtRisk(frozenset(tag.keytag_id for tag in held), len(holders))


def _changed_since_heard(tx: Connection, door_id: str) -> tuple[set[int], set[int]]:
    """Return of which people and keytags a box that holds a snapshot was not told what changed. Bookings are left out: most are
    of other doors."""
    state = doors.door_states(tx).get(door_id)
    if state is None or not state.rights_known:
        return set(), set()
    since = [one for one in changes.changes_after(tx, state.rights_known) if one.kind in ("grant", "keytag", "person")]
    people = {one.person_id for one in since if one.person_id is not None and one.keytag_id is None}
    return people, {one.keytag_id for one in since if one.keytag_id is not None}


def mark_stolen(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    vault: Vault,
    door_id: str,
    reason: str,
    serials: Collection[str],
    taken: bool = False,
) -> Revocation:
    """Say that a door's box was stolen: nothing is said to it any more, every tag gets another name there, and each keytag that
    it held is to be exchanged. `taken`: the caller itself puts the box out. Raise Invalid; NotFound; NotAllowed.
    """
    door = doors.door_for(tx, actor, door_id, Role.ADMINISTRATOR)
    reason = audit.reason_given(reason)
    if door.stolen_at is not None:
        raise Invalid("reason", "This box is known as stolen already. Put a new box at the door.")
    risk = at_risk(tx, now=now, door_id=door_id)
    exposure.expose(tx, now=now, door_id=door_id, keytag_ids=sorted(risk.keytag_ids))
    doors.set_stolen(tx, door_id, now)
    _renew_tag_key(tx, vault, now, door_id, "box_stolen")
    about = {"reason": reason, "keytags": len(risk.keytag_ids), "people": risk.people}
    audit.note(tx, actor, now=now, act="box_stolen", subject=f"door:{door_id}", **about)
    return _wish(tx, actor, now, door_id, "stolen", reason, serials, taken=taken)


def replace_box(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    vault: Vault,
    door_id: str,
    serials: Collection[str],
    new_tag_key: bool = True,
) -> Revocation | None:
    """Make room for a new box at a door, before its files are made: the one until now is put out, by its certificates `serials`
    (none: nothing to put out, returns None), and a stolen door is spoken to again. Its journals and their gaps stay.

    With `new_tag_key` what the old box holds names no tag any more. Raise NotFound; NotAllowed.
    """
    was_stolen = doors.door_for(tx, actor, door_id, Role.HOST, Role.CARETAKER).stolen_at is not None
    if not serials and not was_stolen:
        return None
    doors.set_stolen(tx, door_id, None)
    if new_tag_key and not was_stolen:
        _renew_tag_key(tx, vault, now, door_id, "box_replaced")
    else:
        changes.note_change(tx, now=now, cause=f"box_replaced:{door_id}", door_id=door_id)
    audit.note(tx, actor, now=now, act="box_replaced", subject=f"door:{door_id}", after_theft=was_stolen)
    return _wish(tx, actor, now, door_id, "replaced", "", serials) if serials else None


def last_revocation(tx: Connection, door_id: str) -> Revocation | None:
    """Return the last time that a door's box was put out, or is to be."""
    row = tx.execute(select(table).where(table.c.door_id == door_id).order_by(table.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Revocation(**row._mapping)


# --- carrying it out ---------------------------------------------------------------------------------------------------


def waiting(tx: Connection, *, now: datetime) -> list[Revocation]:
    """Return the wishes that nobody carries out yet, oldest first."""
    free = or_(table.c.taken_at.is_(None), table.c.taken_at < now - TAKEN_FOR)
    return [Revocation(**row._mapping) for row in tx.execute(_undone().where(free).order_by(table.c.id))]


def is_being_put_out(tx: Connection, door_id: str) -> bool:
    """True while a wish to put this door's box out is not carried out."""
    return tx.execute(_undone().where(table.c.door_id == door_id)).first() is not None


def take(tx: Connection, *, now: datetime, revocation_id: int) -> bool:
    """Take a wish to carry it out; False if another did."""
    free = or_(table.c.taken_at.is_(None), table.c.taken_at < now - TAKEN_FOR)
    mine = (table.c.id == revocation_id) & table.c.done_at.is_(None) & free
    return tx.execute(update(table).where(mine).values(taken_at=now)).rowcount == 1


def done(tx: Connection, *, now: datetime, revocation_id: int, became: str) -> None:
    """Store what came of a wish."""
    tx.execute(update(table).where(table.c.id == revocation_id).values(done_at=now, became=became))


def _undone() -> Any:
    return select(table).where(table.c.done_at.is_(None))


def _renew_tag_key(tx: Connection, vault: Vault, now: datetime, door_id: str, cause: str) -> None:
    key = secrets.token_bytes(32)
    doors.renew_tag_key(tx, door_id, tag_key=key, vault=vault)
    tags.name_tags_at_door(tx, vault, DoorId(door_id), key)
    changes.note_change(tx, now=now, cause=f"{cause}:{door_id}", door_id=door_id)


def _wish(
    tx: Connection,
    actor: Actor,
    now: datetime,
    door_id: str,
    why: str,
    reason: str,
    serials: Collection[str],
    *,
    taken: bool = False,
) -> Revocation:
    row = {
        "door_id": door_id,
        "why": why,
        "reason": reason,
        "serials": sorted(serials),
        "by": actor.name,
        "asked_at": now,
        "taken_at": now if taken else None,
    }
    made = tx.execute(insert(table).values(row).returning(table.c.id)).scalar_one()
    return Revocation(**tx.execute(select(table).where(table.c.id == made)).one()._mapping)
