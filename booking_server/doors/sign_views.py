# SPDX-License-Identifier: AGPL-3.0-or-later
"""The sign beside a door, to be printed, and the page that its code opens: "why did it not open?".

The page is open to everybody and tells nobody's taps but one's own: a member who is signed in reads the reason of the last.
"""

from __future__ import annotations

import segno
from flask import Blueprint, render_template, request
from markupsafe import Markup
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.actors import Actor, Role
from booking_server.doors import service as doors
from booking_server.ledger import service as ledger
from booking_server.places import service as places
from booking_server.web.request import actor, config, database, is_signed_in, now

pages = Blueprint("signs", __name__)
Answer = str | Response | tuple[str, int]


@pages.get("/doors/<door_id>/sign")
def sign(door_id: str) -> Answer:
    with database().read() as tx:
        door = doors.door_for(tx, actor(), door_id, Role.HOST, Role.CARETAKER)
    address = f"{request.url_root}why/{door.id}"
    return render_template("doors/sign.html", door=door, address=address, code=_code(address), help=config().help_at_doors)


@pages.get("/why/<door_id>")
def why(door_id: str) -> Answer:
    """Answer whoever stands before the door; a door that is not there has the same page without a name. Whoever is not signed
    in waits for no writer: only who reads taps is written down."""
    who = actor() if is_signed_in() else None
    with database().read() if who is None else database().write() as tx:
        door = next((one for one in doors.doors(tx) if one.id == door_id and one.retired_at is None), None)
        zone_name = "" if door is None else places.site(tx, door.site_id).time_zone
        tap = None if who is None or door is None else _last_tap(tx, who, door.id)
    return render_template(
        "doors/why.html",
        name=None if door is None else door.name,
        door_id=None if door is None else door.id,
        tap=tap,
        zone_name=zone_name,
        help=config().help_at_doors,
    )


def _last_tap(tx: Connection, who: Actor, door_id: str) -> ledger.Tap | None:
    """Return the member's own last tap at the door; None for staff, and for who has none."""
    if who.person_id is None:
        return None
    taps = ledger.taps_of_person(tx, who, now=now(), person_id=who.person_id)
    return next((tap for tap in taps if tap.door_id == door_id), None)


def _code(address: str) -> Markup:
    """Return the address as a QR code (ISO/IEC 18004) that survives a scratch: SVG, to stand in the page."""
    made = segno.make(address, error="q", micro=False)
    return Markup(made.svg_inline(scale=1, omitsize=True, border=2, svgclass="qr", lineclass=None))  # noqa: S704 - segno's own SVG
