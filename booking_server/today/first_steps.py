# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is still to be done before the first tap opens a door, read from the database: nothing is ticked off by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask_babel import gettext
from sqlalchemy import Connection

from booking_server.access import service as access
from booking_server.actors import Actor
from booking_server.billing import service as billing
from booking_server.doors import service as doors
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, where to do it, and whether it is done."""

    done: bool
    what: str
    path: str


def first_steps(tx: Connection, actor: Actor, *, tapped: bool) -> Sequence[Step]:
    """Return the steps in order; none once all are done."""
    spaces = places.spaces(tx)
    any_tag, any_grant, priced = tags.any_tag(tx), access.any_grant(tx), bool(billing.prices(tx))
    someone = None if any_tag and any_grant else next(iter(people.people(tx, actor)), None)
    made = doors.doors(tx)
    person_path = f"/people/{someone.id}" if someone else "/people/new"
    steps = (
        Step(bool(places.sites(tx)), gettext("Make a site: one location of the hub"), "/sites/new"),
        Step(bool(spaces), gettext("Make a space in it"), "/spaces/new"),
        Step(
            tapped or bool(doors.door_states(tx)),
            gettext("Make a door that leads there, and connect it"),
            f"/doors/{made[0].id}" if made else "/doors/new",
        ),
        Step(priced, gettext("Set a price"), f"/spaces/{spaces[0].area_id}" if spaces else "/spaces"),
        Step(any_tag or someone is not None, gettext("Add a person"), "/people/new"),
        Step(any_tag, gettext("Hand out a keytag by tapping it"), f"{person_path}#keytags" if someone else person_path),
        Step(any_grant, gettext("Grant access"), f"{person_path}#access" if someone else person_path),
        Step(tapped, gettext("Tap the keytag: it appears on this page"), "/"),
    )
    return () if all(step.done for step in steps) else steps
