# SPDX-License-Identifier: AGPL-3.0-or-later
"""Keytags: handed out, taken back, blocked. Who held one when is dated and stays.

A number is kept sealed and found by a keyed index; each door knows the tag only by its own hash, which is written here for all
doors in the transaction that makes the tag. Nobody is ever shown more than the last four digits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Row, and_, func, insert, select, update

from access_contract.vocabulary import DoorId, TagHash, TagNumber, tag_hash
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.db import among_pairs, one_at_a_time
from booking_server.doors import service as doors
from booking_server.errors import Invalid, NotFound
from booking_server.keys import Vault
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.people import service as people
from booking_server.tags.tables import assignments, door_tags, exposures, keytags

PAIRS_MAX = 400
"""How many pairs one statement looks up: SQLite takes 999 values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keytag:
    """A keytag. `person_id` holds it now, `since` then; both None while it lies in the drawer."""

    id: int
    last_digits: str
    blocked_at: datetime | None
    blocked_reason: str | None
    created_at: datetime
    person_id: int | None
    since: datetime | None


class HeldTag(NamedTuple):
    """A keytag as one door names it."""

    keytag_id: int
    hash: TagHash
    person_id: int | None
    blocked: bool


class InHand(NamedTuple):
    """A keytag that somebody holds, or that is blocked."""

    keytag_id: int
    person_id: int | None
    blocked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who held a keytag from when until when (None: still)."""

    keytag_id: int
    person_id: int
    from_at: datetime
    until_at: datetime | None


def hand_out_tag(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, number: TagNumber, person_id: int) -> Keytag:
    """Give the keytag with this number to a person. To the one who holds it already, nothing changes.

    Raise Invalid at "number" for a number that is no identity, a blocked tag, or one that somebody else holds; NotFound.
    """
    actor.must_be(Role.HOST)
    check_number(number)
    one_at_a_time(tx, "keytags")
    who = people.person(tx, actor, person_id)
    if not who.active:
        raise Invalid("person_id", "{person} is suspended. Resume the membership first.", person=who.name)
    found = tag_of_number(tx, vault, number)
    if found is None:
        found = _add(tx, vault, number, now)
    elif found.person_id == person_id and found.blocked_at is None:
        return found
    _check_free(tx, actor, found)
    tx.execute(insert(assignments).values(keytag_id=found.id, person_id=person_id, from_at=now))
    changes.note_change(tx, now=now, cause=f"keytag:{found.id}", person_id=person_id)
    audit.note(tx, actor, now=now, act="keytag_handed_out", subject=f"keytag:{found.id}", person_id=person_id)
    return tag(tx, found.id)


def take_back_tag(tx: Connection, actor: Actor, *, now: datetime, keytag_id: int) -> Keytag:
    """End who holds the keytag. What they did with it stays theirs. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    found = tag(tx, keytag_id)
    held = (assignments.c.keytag_id == keytag_id) & assignments.c.until_at.is_(None)
    tx.execute(update(assignments).where(held).values(until_at=now))
    changes.note_change(tx, now=now, cause=f"keytag:{keytag_id}", person_id=found.person_id)
    audit.note(tx, actor, now=now, act="keytag_taken_back", subject=f"keytag:{keytag_id}", person_id=found.person_id)
    return tag(tx, keytag_id)


def block_tag(tx: Connection, actor: Actor, *, now: datetime, keytag_id: int, reason: str) -> Keytag:
    """Let the keytag open nothing from now on, and tell its holder. Twice keeps the first reason.

    Raise Invalid at "reason"; NotFound; NotAllowed.
    """
    actor.must_be(Role.HOST)
    found = tag(tx, keytag_id)
    if found.blocked_at is not None:
        return found
    reason = reason.strip()
    if not 1 <= len(reason) <= 200:
        raise Invalid("reason", "Say why in at most 200 characters, for instance: lost.")
    if found.person_id is not None:
        key, to = f"keytag:{found.id}:blocked:{now.isoformat()}", Recipient(person_id=found.person_id)
        messages.put(tx, now=now, kind=Kind.TAG_LOST, to=to, key=key, last_digits=found.last_digits, at=now)
    return _set_blocked(tx, actor, found, now=now, at=now, reason=reason)


def unblock_tag(tx: Connection, actor: Actor, *, now: datetime, keytag_id: int) -> Keytag:
    """Let a blocked keytag open again what its holder may open. Raise NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    return _set_blocked(tx, actor, tag(tx, keytag_id), now=now, at=None, reason=None)


def tag(tx: Connection, keytag_id: int) -> Keytag:
    """Return one keytag. Raise NotFound."""
    row = tx.execute(_keytags().where(keytags.c.id == keytag_id)).one_or_none()
    if row is None:
        raise NotFound("There is no keytag {keytag_id}.", keytag_id=keytag_id)
    return _keytag(row)


def tag_of_number(tx: Connection, vault: Vault, number: TagNumber) -> Keytag | None:
    """Return the keytag with this number; None if it was never handed out."""
    row = tx.execute(_keytags().where(keytags.c.number_index == vault.index(number))).one_or_none()
    return None if row is None else _keytag(row)


def tags_of(tx: Connection, person_id: int) -> list[Keytag]:
    """Return the keytags that a person holds now."""
    return [_keytag(row) for row in tx.execute(_keytags().where(assignments.c.person_id == person_id).order_by(keytags.c.id))]


def tags_with_length(tx: Connection, vault: Vault, keytag_ids: Collection[int]) -> list[tuple[Keytag, int]]:
    """Return these keytags, and how many bytes each one's number has."""
    found: list[tuple[Keytag, int]] = []
    wanted, numbers = list(keytag_ids), (keytags.c.number_sealed, keytags.c.number_index)
    for start in range(0, len(wanted), PAIRS_MAX):
        some = keytags.c.id.in_(wanted[start : start + PAIRS_MAX])
        lengths = {row.id: len(_number(vault, *row[1:]).uid) for row in tx.execute(select(keytags.c.id, *numbers).where(some))}
        found += [(tag, lengths[tag.id]) for tag in map(_keytag, tx.execute(_keytags().where(some)))]
    return found


def count_in_use(tx: Connection, keytag_ids: Any) -> int:
    """Return how many of the keytags that a statement selects are held by somebody and not blocked."""
    held = keytags.join(assignments, _now_held())
    in_use = keytags.c.blocked_at.is_(None) & keytags.c.id.in_(keytag_ids)
    return int(tx.execute(select(func.count()).select_from(held).where(in_use)).scalar_one())


def any_tag(tx: Connection) -> bool:
    """True once a keytag was handed out."""
    return tx.execute(select(keytags.c.id).limit(1)).first() is not None


def keytags_of_hashes(tx: Connection, named: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Return which keytag each (door, hash) means; those that mean none are left out."""
    found: dict[tuple[str, str], int] = {}
    for these in among_pairs(door_tags.c.door_id, door_tags.c.tag_hash, named):
        found.update({(row.door_id, row.tag_hash): row.keytag_id for row in tx.execute(select(door_tags).where(these))})
    return found


def assignments_of(tx: Connection, keytag_ids: Collection[int]) -> list[Assignment]:
    """Return who held these keytags, and when."""
    wanted = (assignments.c.keytag_id, assignments.c.person_id, assignments.c.from_at, assignments.c.until_at)
    found = select(*wanted).where(assignments.c.keytag_id.in_(keytag_ids)).order_by(assignments.c.id)
    return [Assignment(**row._mapping) for row in tx.execute(found)]


def held_tags(tx: Connection, door_id: str) -> Iterator[HeldTag]:
    """Return every keytag as this door names it, and who holds it now. They are read as they are taken."""
    for keytag_id, name, person_id, blocked, _ in tx.execute(_named().where(door_tags.c.door_id == door_id)):
        yield HeldTag(keytag_id, TagHash(name), person_id, bool(blocked))


def names_at_door(tx: Connection, door_id: str) -> Iterable[tuple[int, TagHash]]:
    """Return every keytag and how this door names it."""
    here = (door_tags.c.door_id == door_id) & door_tags.c.former.is_(False)
    found = tx.execute(select(door_tags.c.keytag_id, door_tags.c.tag_hash).where(here)).all()
    return cast("Iterable[tuple[int, TagHash]]", found)


def keytags_in_hand(tx: Connection) -> list[InHand]:
    """Return every keytag that somebody holds now, or that is blocked."""
    blocked = keytags.c.blocked_at.is_not(None)
    found = select(keytags.c.id, assignments.c.person_id, blocked).select_from(keytags.outerjoin(assignments, _now_held()))
    return [InHand(row[0], row[1], bool(row[2])) for row in tx.execute(found.where(blocked | assignments.c.id.is_not(None)))]


def named_tags(
    tx: Connection, *, held_ever_by: Collection[int] = (), keytag_ids: Collection[int] = ()
) -> dict[DoorId, list[HeldTag]]:
    """Return these keytags, and all that these people ever held, as each door names them, and who holds them now."""
    ever = select(assignments.c.keytag_id).where(assignments.c.person_id.in_(held_ever_by))
    these = door_tags.c.keytag_id.in_(ever) if held_ever_by else door_tags.c.keytag_id.in_(keytag_ids)
    found: dict[DoorId, list[HeldTag]] = {}
    for keytag_id, name, person_id, blocked, door_id in tx.execute(_named().where(these)):
        found.setdefault(DoorId(door_id), []).append(HeldTag(keytag_id, TagHash(name), person_id, bool(blocked)))
    return found


def _named() -> Any:
    joined = door_tags.join(keytags, keytags.c.id == door_tags.c.keytag_id).outerjoin(assignments, _now_held())
    blocked = keytags.c.blocked_at.is_not(None).label("blocked")
    wanted = (door_tags.c.keytag_id, door_tags.c.tag_hash, assignments.c.person_id, blocked, door_tags.c.door_id)
    return select(*wanted).select_from(joined).where(door_tags.c.former.is_(False))


def name_tags_at_door(tx: Connection, vault: Vault, door_id: DoorId, key: bytes) -> None:
    """Give every keytag that there is its name at a new door, or under a door's new key. No tag made meanwhile is left out.

    Earlier names are kept for what the door wrote under them, and admit nobody.
    """
    one_at_a_time(tx, "keytags")
    tx.execute(update(door_tags).where(door_tags.c.door_id == door_id).values(former=True))
    rows = [
        {
            "door_id": door_id,
            "tag_hash": tag_hash(key, _number(vault, row.number_sealed, row.number_index)),
            "keytag_id": row.id,
        }
        for row in tx.execute(select(keytags.c.id, keytags.c.number_sealed, keytags.c.number_index))
    ]
    if rows:
        tx.execute(insert(door_tags), rows)


def _add(tx: Connection, vault: Vault, number: TagNumber, now: datetime) -> Keytag:
    keytag_id = int(tx.execute(insert(keytags).values(new_row(vault, number, now)).returning(keytags.c.id)).scalar_one())
    names = [
        {"door_id": door_id, "tag_hash": tag_hash(key, number), "keytag_id": keytag_id}
        for door_id, key in doors.tag_keys(tx, vault).items()
    ]
    if names:
        tx.execute(insert(door_tags), names)
    return tag(tx, keytag_id)


def new_row(vault: Vault, number: TagNumber, now: datetime) -> dict[str, object]:
    """Return what is kept of a new keytag: its number sealed, and what finds it again."""
    index = vault.index(number)
    sealed = vault.seal(number.uid, about=_about(index))
    return {"number_sealed": sealed, "number_index": index, "last_digits": number.last_digits, "created_at": now}


def _number(vault: Vault, sealed: bytes, index: str) -> TagNumber:
    return TagNumber(vault.unseal(sealed, about=_about(index)))


def _about(index: str) -> str:
    return f"keytag:{index}"


def check_number(number: TagNumber) -> None:
    """Raise Invalid at "number" for one that is no identity: random, or cut."""
    if number.is_random:
        raise Invalid(
            "number", "This tag makes up a new number at every tap, so it cannot be known again. Use another kind of tag."
        )
    if number.is_cut:
        raise Invalid("number", "The reader gave only half of the tag's number. Set the reader to send the full number.")


def _check_free(tx: Connection, actor: Actor, found: Keytag) -> None:
    if found.blocked_at is not None:
        raise Invalid("number", "This keytag is blocked ({reason}). Unblock it first.", reason=found.blocked_reason)
    if found.person_id is not None:
        name = people.person(tx, actor, found.person_id).name
        raise Invalid("number", "{person} holds this keytag. Take it back from them first.", person=name)
    if tx.execute(select(exposures.c.id).where(exposures.c.keytag_id == found.id)).first() is not None:
        raise Invalid("number", "Whoever stole a door's box may know this keytag's number. Use another one.")


def _set_blocked(
    tx: Connection, actor: Actor, found: Keytag, *, now: datetime, at: datetime | None, reason: str | None
) -> Keytag:
    tx.execute(update(keytags).where(keytags.c.id == found.id).values(blocked_at=at, blocked_reason=reason))
    changes.note_change(tx, now=now, cause=f"keytag:{found.id}", person_id=found.person_id)
    act = "keytag_unblocked" if at is None else "keytag_blocked"
    audit.note(tx, actor, now=now, act=act, subject=f"keytag:{found.id}", reason=reason)
    return tag(tx, found.id)


def _now_held() -> Any:
    return and_(assignments.c.keytag_id == keytags.c.id, assignments.c.until_at.is_(None))


def _keytags() -> Any:
    wanted = (
        keytags.c.id,
        keytags.c.last_digits,
        keytags.c.blocked_at,
        keytags.c.blocked_reason,
        keytags.c.created_at,
        assignments.c.person_id,
        assignments.c.from_at.label("since"),
    )
    return select(*wanted).select_from(keytags.outerjoin(assignments, _now_held()))


def _keytag(row: Row[Any]) -> Keytag:
    return Keytag(**row._mapping)
