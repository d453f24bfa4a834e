# SPDX-License-Identifier: AGPL-3.0-or-later
"""What happens to a door over the years: its box is stolen, or it is moved to another place.

That a box is out is said only once the process that put it out has said so.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.broker import pki
from booking_server.doors import boxes, moving
from booking_server.doors import service as doors
from booking_server.doors.views import door_page
from booking_server.errors import Invalid, NotFound
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, config, database, keys, now

pages = Blueprint("changing", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]


@pages.get("/doors/<door_id>/theft")
def ask_theft(door_id: str) -> Answer:
    """What it would mean, before it is said."""
    return _theft_page(door_id, Form.empty())


@pages.post("/doors/<door_id>/theft")
@confirmed
def mark_stolen(door_id: str) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            boxes.mark_stolen(
                tx,
                actor(),
                now=now(),
                vault=keys().vault,
                door_id=door_id,
                reason=form.text("reason"),
                serials=pki.issued_serials(config().folder, door_id),
            )
    except Invalid as problem:
        return _theft_page(door_id, form.refuse(problem)), 422
    return redirect(f"/doors/{door_id}", 303)


@pages.get("/doors/<door_id>/putting-out")
def putting_out(door_id: str) -> Answer:
    """The part of a door's page that says what came of a stolen box."""
    with database().read() as tx:
        if doors.door_for(tx, actor(), door_id, Role.HOST, Role.CARETAKER).stolen_at is None:
            raise NotFound("This door's box is not stolen, or no longer.")
    return door_page(door_id, template="doors/stolen.html")


@pages.post("/doors/<door_id>/place")
def move(door_id: str) -> Answer:
    form = Form.posted()
    try:
        into, outside = form.choice("leads_into"), form.choice("leads_from") if form.text("leads_from") else None
        with database().write() as tx:
            name = form.text("name")
            moving.move_door(tx, actor(), now=now(), door_id=door_id, name=name, to_area_id=into, from_area_id=outside)
    except Invalid as problem:
        return door_page(door_id, move_form=form.refuse(problem)), 422
    except NotFound:
        form.errors["leads_into"] = gettext("Choose what the door leads into.")
        return door_page(door_id, move_form=form), 422
    flash(gettext("Saved. What was entered before stays charged to where the door led then."))
    return redirect(f"/doors/{door_id}", 303)


def _theft_page(door_id: str, form: Form) -> str:
    with database().read() as tx:
        door = doors.door_for(tx, actor(), door_id, Role.ADMINISTRATOR)
        risk = boxes.at_risk(tx, now=now(), door_id=door_id)
    return render_template("doors/theft.html", door=door, keytags=len(risk.keytag_ids), people=risk.people, form=form)
