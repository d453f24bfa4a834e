# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of new boxes: who waits, and one of them to be made a door or sent away.

A page shows only the end of a code until somebody typed all of it from the box: so nobody approves without having compared, and
the box can be asked whether the page shows it.
"""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.doors import approving, enrolment, showing
from booking_server.doors import service as doors
from booking_server.doors.approving import WrongCode
from booking_server.doors.enrolment import NewBox
from booking_server.doors.service import DoorState
from booking_server.errors import Invalid
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, config, database, now

pages = Blueprint("boxes", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]


@pages.get("/boxes")
def listing() -> Answer:
    with database().read() as tx:
        waiting = enrolment.waiting(tx, actor(), now=now(), config=config())
    part = request.headers.get("HX-Request")
    return render_template("doors/boxes_waiting.html" if part else "doors/boxes.html", boxes=waiting, hint=_hint)


@pages.get("/boxes/<box_id>")
def show(box_id: str) -> Answer:
    return _page(box_id, Form.empty(door_id=request.args.get("door", "")))


@pages.get("/boxes/<box_id>/state")
def state(box_id: str) -> Answer:
    """The part of a box's page that follows the box."""
    return _page(box_id, Form.empty(), template="doors/box_state.html")


@pages.post("/boxes/<box_id>/approval")
@confirmed
def approve(box_id: str) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            became = approving.approve(
                tx,
                actor(),
                now=now(),
                config=config(),
                enrolment_id=box_id,
                door_id=form.text("door_id"),
                code=form.text("code"),
                replaces=form.ticked("replaces"),
            )
    except Invalid as problem:
        return _page(box_id, form.refuse(problem)), 422
    if isinstance(became, WrongCode):
        form.errors["code"] = _wrong(became)
        return _page(box_id, form), 422
    return redirect(f"/boxes/{box_id}", 303)


@pages.post("/boxes/<box_id>/refusal")
def refuse(box_id: str) -> Answer:
    with database().write() as tx:
        approving.refuse(tx, actor(), now=now(), config=config(), enrolment_id=box_id)
    return redirect("/boxes", 303)


def _page(box_id: str, form: Form, *, template: str = "doors/box.html") -> str:
    actor().must_be(Role.HOST, Role.CARETAKER)
    with database().read() as tx:
        box = enrolment.new_box(tx, actor(), config=config(), enrolment_id=box_id)
        known = doors.doors(tx)
        heard = doors.door_states(tx).get(box.door_id or "")
    door = next((door for door in known if door.id == box.door_id), None)
    return render_template(
        template,
        box=box,
        door=door,
        online=_came_since(box, heard),
        lapsed=box.outcome is None and now() > box.lapses_at,
        form=form,
        doors=[(door.id, f"{door.name} ({door.id})") for door in known if door.retired_at is None and _may(door)],
        hint=_hint,
    )


def _may(door: doors.Door) -> bool:
    return actor().may_at(door.site_id, Role.HOST, Role.CARETAKER)


def _came_since(box: NewBox, heard: DoorState | None) -> bool:
    """True if the door came online after the box was approved: before, it was another box that was heard."""
    if heard is None or box.settled_at is None or not showing.is_online(heard, now()):
        return False
    return heard.changed_at > box.settled_at


def _hint(box: NewBox) -> str:
    """The end of a code, by which one box is told from another."""
    return f"··· {box.code[3:]}"


def _wrong(became: WrongCode) -> str:
    if not became.tries_left:
        return gettext("That was the third wrong code, and the box was refused. Somebody may stand in between: ask for help.")
    return gettext("The box does not show this code. Look again, at the right box. If it truly shows another, do not go on.")
