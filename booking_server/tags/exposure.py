# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keytags whose numbers may be known to whoever stole a door's box, and their exchange for new ones.

An exposed number stays exposed: such a tag is on the list while somebody holds it and it opens doors, and it is handed out to
nobody again. It goes on opening doors until staff block or exchange it; nothing here blocks a tag by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from access_contract.vocabulary import TagNumber
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid
from booking_server.keys import Vault
from booking_server.tags import service as tags
from booking_server.tags.service import Keytag
from booking_server.tags.tables import exposures

SHORT_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposed:
    """A held keytag to be exchanged since the box of this door was stolen. `number_bytes` long is its number: one of four is
    found by trial in minutes, a longer one with a strong machine and days."""

    keytag: Keytag
    door_id: str
    since: datetime
    number_bytes: int

    @property
    def is_short(self) -> bool:
        return self.number_bytes <= SHORT_BYTES


def expose(tx: Connection, *, now: datetime, door_id: str, keytag_ids: Collection[int]) -> None:
    """Mark keytags as to be exchanged. Only doors.boxes calls this: it knows what the stolen box held."""
    rows = [{"keytag_id": keytag_id, "door_id": door_id, "since": now} for keytag_id in keytag_ids]
    if rows:
        tx.execute(insert(exposures), rows)


def exposed(
    tx: Connection, actor: Actor, *, vault: Vault, person_id: int | None = None, door_id: str | None = None
) -> list[Exposed]:
    """Return the keytags to be exchanged, of one person or door if named: the easiest to find out first. Raise NotAllowed."""
    actor.must_be(Role.HOST)
    rows = tx.execute(select(exposures).order_by(exposures.c.id.desc()))
    own = None if person_id is None else {tag.id for tag in tags.tags_of(tx, person_id)}
    last = {row.keytag_id: row for row in rows if door_id in (None, row.door_id) and (own is None or row.keytag_id in own)}
    found = [
        Exposed(keytag=tag, door_id=last[tag.id].door_id, since=last[tag.id].since, number_bytes=length)
        for tag, length in tags.tags_with_length(tx, vault, last.keys())
        if tag.person_id is not None and tag.blocked_at is None
    ]
    return sorted(found, key=lambda one: (one.number_bytes, one.since, one.keytag.id))


def count_exposed(tx: Connection) -> int:
    """Return how many keytags are to be exchanged."""
    return tags.count_in_use(tx, select(exposures.c.keytag_id))


def exchange_tag(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, keytag_id: int, number: TagNumber) -> Keytag:
    """Give the holder of a keytag another one in its place, and block the old one. Return the new one.

    Raise Invalid at "number" as a hand-out does, and for the old tag itself; NotFound; NotAllowed.
    """
    actor.must_be(Role.HOST)
    old, known = tags.tag(tx, keytag_id), tags.tag_of_number(tx, vault, number)
    if old.person_id is None:
        raise Invalid("number", "Nobody holds the old keytag any more. Hand the new one out from the person's page.")
    if known is not None and known.id == keytag_id:
        raise Invalid("number", "This is the old keytag, which is to be exchanged. Tap the new one.")
    new = tags.hand_out_tag(tx, actor, now=now, vault=vault, number=number, person_id=old.person_id)
    tags.block_tag(tx, actor, now=now, keytag_id=keytag_id, reason="exchanged")
    tags.take_back_tag(tx, actor, now=now, keytag_id=keytag_id)
    audit.note(tx, actor, now=now, act="keytag_exchanged", subject=f"keytag:{keytag_id}", new=new.id, person_id=old.person_id)
    return new


def block_exposed(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, door_id: str, count: int) -> int:
    """Block all keytags of one door that are to be exchanged, and return how many: `count`, as staff were shown it.

    Raise Invalid at "count" where it is another by now; NotAllowed.
    """
    found = exposed(tx, actor, vault=vault, door_id=door_id)
    if len(found) != count:
        raise Invalid("count", "The list is another by now ({count}). Look at it again.", count=len(found))
    for one in found:
        tags.block_tag(tx, actor, now=now, keytag_id=one.keytag.id, reason="box stolen")
    audit.note(tx, actor, now=now, act="exposed_keytags_blocked", subject=f"door:{door_id}", count=count)
    return count
