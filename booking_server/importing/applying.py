# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries a plan out in the transaction in which it was made: all of it, or by any fault nothing.

Two at once do it one after the other; the second makes its plan after the first is done, and finds nothing left to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import Connection

from booking_server.access import many as access
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.db import one_at_a_time
from booking_server.errors import Invalid
from booking_server.importing import external, runs
from booking_server.importing.planning import Fate, FateKind, Options, Plan, plan
from booking_server.importing.reading import Sheet
from booking_server.importing.runs import Source
from booking_server.keys import Vault
from booking_server.people import many as people
from booking_server.tags import many as tags


def import_people(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    vault: Vault,
    sheet: Sheet,
    options: Options,
    file: str,
    shown: str | None = None,
    skip_refused: bool = False,
) -> Plan:
    """Do what a file wants, keep that it was done, and return what was.

    `shown` is the digest of the plan that somebody was shown; would it be another by now, nothing is done. Nor is it with a
    refused row, unless with `skip_refused`. Raise Invalid at "shown" or "skip_refused"; NotAllowed.
    """
    lock(tx)
    made = plan(tx, actor, vault=vault, sheet=sheet, options=options)
    if shown is not None and shown != made.digest:
        raise Invalid("shown", "Something has changed since this was shown. Nothing was imported. Look at it again.")
    if made.refused and not skip_refused:
        raise Invalid(
            "skip_refused",
            "{count} rows are refused, so nothing was imported. Mend them, or say that they are to be left out.",
            count=len(made.refused),
        )
    carry_out(tx, actor, now=now, vault=vault, made=made)
    number = runs.keep(tx, actor, now=now, source=Source.FILE, file=file, made=made)
    audit.note(tx, actor, now=now, act="people_imported", subject=f"import:{number}", **made.counts)
    return made


def lock(tx: Connection) -> None:
    """Let no other import, and nobody who hands out keytags, come between a plan and its doing."""
    one_at_a_time(tx, "import")
    tags.lock(tx)


def carry_out(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, made: Plan) -> None:
    """Do all that a plan made in this transaction, after `lock`, says."""
    new = made.of_kind(FateKind.NEW)
    added = people.add_people(tx, actor, now=now, values=[fate.values for fate in new if fate.values is not None])
    doing = [*zip(added, new, strict=True), *_known(made)]
    changed = {number: fate.values for number, fate in _known(made) if fate.values is not None}
    people.change_people(tx, actor, now=now, values=changed)
    external.name(tx, {number: fate.external_id for number, fate in doing if fate.external_id})
    hands = [(one, number) for number, fate in doing for one in fate.keytags]
    tags.hand_out_tags(tx, actor, now=now, vault=vault, hands=hands)
    given = [
        access.Given(person_id=number, area_id=one.area_id, from_day=one.from_day, until_day=one.until_day)
        for number, fate in doing
        for one in fate.access
    ]
    grants = access.give(tx, actor, now=now, given=given)
    ended = [grant for one in made.endings for grant in one.grants] + [grant for _, fate in doing for grant in fate.withdraw]
    access.withdraw(tx, actor, now=now, given=ended)
    if made.roster:
        external.gave(tx, [(grant, one.person_id) for grant, one in zip(grants, given, strict=True)])


def _known(made: Plan) -> Iterator[tuple[int, Fate]]:
    return ((fate.person_id, fate) for fate in made.of_kind(FateKind.CHANGED) if fate.person_id is not None)
