# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is meant: a person by all the names under which rows name them, and who may act on that."""

from __future__ import annotations

from sqlalchemy import Connection

from booking_server.access import personal as access
from booking_server.accounts import personal as accounts
from booking_server.actors import Actor, Role
from booking_server.bookings import personal as bookings
from booking_server.errors import NotFound
from booking_server.people import personal as people
from booking_server.personal import Who
from booking_server.tags import personal as tags


def who(tx: Connection, person_id: int) -> Who:
    """Return a person by all their names. Raise NotFound."""
    named = accounts.of_person(tx, person_id)
    payer, alone = people.payer_of(tx, person_id)
    return Who(
        person_id=person_id,
        customer_ids=(payer,) if alone else (),
        account_ids=tuple(named),
        sign_in_names=tuple(named.values()),
    )


def things_of(tx: Connection, who: Who) -> list[str]:
    """Return what is a person's, as the audit names it: keytags, access and bookings."""
    grants, booked = access.about(tx, who)["grants"], bookings.about(tx, who)["bookings"]
    return [
        *(f"keytag:{number}" for number in tags.ever_held(tx, who.person_id)),
        *(f"grant:{row['id']}" for row in grants),
        *(f"booking:{row['id']}" for row in booked),
    ]


def check_own_or_desk(actor: Actor, person_id: int) -> None:
    """Return if it is the actor's own, or the actor is at the desk of the whole hub. Raise NotFound; NotAllowed."""
    if actor.person_id == person_id:
        return
    if not actor.is_staff:
        raise NotFound("There is no person {person_id}.", person_id=person_id)
    actor.must_be_everywhere(Role.HOST)
