# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is kept of a person and of who pays for them, how a membership ends, and what takes a name's place.

A person whose name was dropped is a number from then on ("#7"), in every row that names them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, String, cast, exists, literal, select, update

from booking_server.access import changes
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.errors import NotFound
from booking_server.people.tables import customers, people
from booking_server.personal import Held, Who, told

_NAMED = people.c.name != literal("#") + cast(people.c.id, String)
_PAYER_NAMED = customers.c.name != literal("#") + cast(customers.c.id, String)


def about(tx: Connection, who: Who) -> Held:
    """Return the person, and who pays for them."""
    return {
        "people": told(tx, people, people.c.id == who.person_id),
        "customers": told(tx, customers, customers.c.id.in_(who.customer_ids)),
    }


def payer_of(tx: Connection, person_id: int) -> tuple[int, bool]:
    """Return the customer who pays for a person, and whether for nobody else: else it is a company, whose data are its own.

    Raise NotFound.
    """
    found = tx.execute(select(people.c.customer_id).where(people.c.id == person_id)).scalar()
    if found is None:
        raise NotFound("There is no person {person_id}.", person_id=person_id)
    others = (people.c.customer_id == found) & (people.c.id != person_id)
    return int(found), tx.execute(select(people.c.id).where(others).limit(1)).first() is None


def end(tx: Connection, actor: Actor, *, now: datetime, person_id: int) -> None:
    """End a membership for good, where it goes on."""
    going_on = (people.c.id == person_id) & people.c.ended_at.is_(None)
    if tx.execute(update(people).where(going_on).values(ended_at=now)).rowcount:
        changes.note_change(tx, now=now, cause="person_ended", person_id=person_id)
        audit.note(tx, actor, now=now, act="membership_ended", subject=f"person:{person_id}")


def ended_before(tx: Connection, before: datetime) -> list[int]:
    """Return the people whose membership ended before an instant and who still have a name."""
    old = (people.c.ended_at < before) & _NAMED
    return list(tx.execute(select(people.c.id).where(old).order_by(people.c.id)).scalars())


def drop_name(tx: Connection, person_id: int) -> int:
    """Drop a person's name, e-mail, and whether they need longer at doors; return 1 if they stood there."""
    values = {"name": f"#{person_id}", "email": "", "extended_time": False, "suspended_at": None}
    named = (people.c.id == person_id) & _NAMED
    return int(tx.execute(update(people).where(named).values(values)).rowcount)


def drop_customer(tx: Connection, customer_id: int) -> int:
    """Drop the name, address, e-mail and business ID of who pays, once nobody with a name is left for whom; return 1 if so."""
    still = exists().where((people.c.customer_id == customer_id) & _NAMED)
    values = {"name": f"#{customer_id}", "address": "", "email": "", "business_id": None}
    known = (customers.c.id == customer_id) & _PAYER_NAMED & ~still
    return int(tx.execute(update(customers).where(known).values(values)).rowcount)


def customer_is_known(tx: Connection, customer_id: int) -> bool:
    """True while a customer has a name."""
    return tx.execute(select(customers.c.id).where((customers.c.id == customer_id) & _PAYER_NAMED)).first() is not None
