# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of one entry: what a line of an invoice opens to. Who looked at whose entry is recorded."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask_babel import lazy_gettext

from booking_server.doors import service as doors
from booking_server.ledger import tracing
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.web.request import actor, database, now

pages = Blueprint("ledger", __name__, template_folder="templates")

OUTCOMES = {
    "entered": lazy_gettext("the door was opened"),
    "assumed": lazy_gettext("the door has no contact, so the tap counts as entering"),
}
CLOCKS = {
    "synced": lazy_gettext("set by a time server"),
    "holdover": lazy_gettext("running on from when it was last set"),
    "untrusted": lazy_gettext("not set at the tap; dated by the server afterwards"),
}


@pages.get("/entries/<int:entry_id>")
def show(entry_id: int) -> str:
    with database().write() as tx:
        found = tracing.trace(tx, actor(), now=now(), entry_id=entry_id)
        space = places.space(tx, found.space_id)
        return render_template(
            "ledger/entry.html",
            entry=found,
            space=space,
            zone_name=places.site(tx, space.site_id).time_zone,
            door=doors.door(tx, found.door_id),
            person=None if found.person_id is None else people.person(tx, actor(), found.person_id),
            outcomes=OUTCOMES,
            clocks=CLOCKS,
        )
