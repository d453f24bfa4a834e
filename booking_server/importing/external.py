# SPDX-License-Identifier: AGPL-3.0-or-later
"""What other systems call people here, and which access the roster gave: all that later files go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from booking_server.importing.tables import external_ids, roster_grants


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids:
    """Who is who, both ways, and the grants that came from the roster."""

    of_id: Mapping[str, int]
    of_person: Mapping[int, str]
    grants: frozenset[int]


def ids(tx: Connection) -> Ids:
    """Return all that is known."""
    named = {row.person_id: row.external_id for row in tx.execute(select(external_ids))}
    given = frozenset(tx.execute(select(roster_grants.c.grant_id)).scalars())
    return Ids(of_id={external: person for person, external in named.items()}, of_person=named, grants=given)


def name(tx: Connection, named: Mapping[int, str]) -> None:
    """Know these people, who had no id yet, by these from now on."""
    if named:
        tx.execute(insert(external_ids), [{"person_id": person, "external_id": one} for person, one in named.items()])


def gave(tx: Connection, given: Sequence[tuple[int, int]]) -> None:
    """Remember that the roster gave these grants, each with its person."""
    if given:
        tx.execute(insert(roster_grants), [{"grant_id": grant, "person_id": person} for grant, person in given])
