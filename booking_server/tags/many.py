# SPDX-License-Identifier: AGPL-3.0-or-later
"""Many keytags handed out at once, for a file of them: by the rules of one, named at every door, in batches.

What is wrong with a number is told with its last digits at most.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from access_contract.vocabulary import TagNumber, tag_hash
from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.db import one_at_a_time
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.keys import Vault
from booking_server.tags.service import PAIRS_MAX, check_number, new_row
from booking_server.tags.tables import assignments, door_tags, exposures, keytags

NAMES_AT_ONCE = 20_000
"""How many names of tags at doors are made before they are written: no file needs them all in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A keytag that is known already. `person_id` holds it now."""

    keytag_id: int
    person_id: int | None
    blocked: bool
    exposed: bool


Hand = tuple[TagNumber, int]
"""A number, and the person who is to hold it."""


def lock(tx: Connection) -> None:
    """Let nobody hand out keytags until this transaction ends: what `known` says holds until then."""
    one_at_a_time(tx, "keytags")


def known(tx: Connection, vault: Vault, numbers: Collection[TagNumber]) -> dict[TagNumber, Found]:
    """Return which of these numbers were handed out before, and how they stand."""
    by_index = {vault.index(number): number for number in numbers}
    exposed = set(tx.execute(select(exposures.c.keytag_id).distinct()).scalars())
    held = (assignments.c.keytag_id == keytags.c.id) & assignments.c.until_at.is_(None)
    wanted = (keytags.c.id, keytags.c.number_index, keytags.c.blocked_at, assignments.c.person_id)
    found: dict[TagNumber, Found] = {}
    for some in _portions(list(by_index)):
        rows = select(*wanted).select_from(keytags.outerjoin(assignments, held)).where(keytags.c.number_index.in_(some))
        for row in tx.execute(rows):
            found[by_index[row.number_index]] = Found(
                keytag_id=row.id,
                person_id=row.person_id,
                blocked=row.blocked_at is not None,
                exposed=row.id in exposed,
            )
    return found


def refusal(number: TagNumber, found: Found | None, person_id: int | None) -> Invalid | None:
    """Return why a number cannot be handed out to a person (None: somebody new); None if it can, or is theirs already."""
    try:
        check_number(number)
    except Invalid as problem:
        return problem
    ending = f"…{number.last_digits}"
    if found is None or (person_id is not None and found.person_id == person_id and not found.blocked):
        return None
    if found.blocked:
        return Invalid("keytag", "The keytag ending in {digits} is blocked. Unblock it first.", digits=ending)
    if found.person_id is not None:
        return Invalid(
            "keytag", "Somebody else holds the keytag ending in {digits}. Take it back from them first.", digits=ending
        )
    if found.exposed:
        return Invalid(
            "keytag",
            "Whoever stole a door's box may know the number of the keytag ending in {digits}. Use another one.",
            digits=ending,
        )
    return None


def hand_out_tags(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, hands: Sequence[Hand]) -> None:
    """Give each keytag to its person. Each was free when this transaction looked, after `lock`. Raise NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    if not hands:
        return
    there = {number: one.keytag_id for number, one in known(tx, vault, [number for number, _ in hands]).items()}
    new = [number for number, _ in hands if number not in there]
    there |= zip(new, _add(tx, vault, new, now), strict=True)
    given = [(there[number], person_id) for number, person_id in hands]
    tx.execute(insert(assignments), [{"keytag_id": tag, "person_id": person, "from_at": now} for tag, person in given])
    changes.note_changes(tx, now=now, causes=((f"keytag:{tag}", person) for tag, person in given))
    acts = ((f"keytag:{tag}", {"person_id": person}) for tag, person in given)
    audit.note_many(tx, actor, now=now, act="keytag_handed_out", subjects=((one, dict(more)) for one, more in acts))


def _add(tx: Connection, vault: Vault, numbers: Sequence[TagNumber], now: datetime) -> list[int]:
    """Make the keytags, and their names at every door."""
    if not numbers:
        return []
    made = insert(keytags).returning(keytags.c.id, sort_by_parameter_order=True)
    ids = [int(number) for number in tx.execute(made, [new_row(vault, number, now) for number in numbers]).scalars()]
    names = list[dict[str, object]]()
    for door_id, key in doors.tag_keys(tx, vault).items():
        for number, keytag_id in zip(numbers, ids, strict=True):
            names.append({"door_id": door_id, "tag_hash": tag_hash(key, number), "keytag_id": keytag_id})
            if len(names) == NAMES_AT_ONCE:
                tx.execute(insert(door_tags), names)
                names = []
    if names:
        tx.execute(insert(door_tags), names)
    return ids


def _portions(indexes: Sequence[str]) -> Iterator[Sequence[str]]:
    return (indexes[at : at + PAIRS_MAX] for at in range(0, len(indexes), PAIRS_MAX))
