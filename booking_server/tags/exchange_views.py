# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page of keytags to exchange, because the box of a door was stolen: who holds them, and a new one for each by tapping it.

Nothing is blocked by looking; all at once only by the count that was shown.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import ngettext
from werkzeug.wrappers import Response

from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.people import service as people
from booking_server.people.views import doors_to_tap
from booking_server.tags import exposure
from booking_server.tags.views import ask_capture
from booking_server.web.forms import Form
from booking_server.web.request import actor, database, keys, now

pages = Blueprint("exchange", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]


@pages.get("/keytags/exchange")
def show() -> Answer:
    return _list_page(request.args.get("door", ""), Form.empty())


@pages.post("/keytags/<int:keytag_id>/exchange")
def exchange(keytag_id: int) -> Answer:
    """Wait for the new keytag at a reader, in the place of this one."""
    form = Form.posted()
    asked = ask_capture(form.text("door_id"), in_place_of=keytag_id)
    return redirect(f"/captures/{asked}", 303) if asked else redirect("/keytags/exchange", 303)


@pages.post("/keytags/exchange/block")
def block_all() -> Answer:
    form = Form.posted()
    door_id = form.text("door_id")
    try:
        with database().write() as tx:
            count = form.number("count")
            exposure.block_exposed(tx, actor(), now=now(), vault=keys().vault, door_id=door_id, count=count)
    except Invalid as problem:
        return _list_page(door_id, form.refuse(problem)), 422
    flash(ngettext("%(num)s keytag is blocked.", "%(num)s keytags are blocked.", count))
    return redirect("/keytags/exchange", 303)


def _list_page(door_id: str, form: Form) -> str:
    with database().read() as tx:
        found = exposure.exposed(tx, actor(), vault=keys().vault, door_id=door_id or None)
        names = {one.keytag.person_id: people.person(tx, actor(), one.keytag.person_id or 0).name for one in found}
        door_names = {door.id: door.name for door in doors.doors(tx)}
        to_tap = doors_to_tap(tx)
    by_door = {door: [one for one in found if one.door_id == door] for door in dict.fromkeys(one.door_id for one in found)}
    return render_template(
        "tags/exchange.html", by_door=by_door, names=names, door_names=door_names, doors=to_tap, form=form, only=door_id
    )
