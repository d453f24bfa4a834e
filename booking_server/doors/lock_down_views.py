# SPDX-License-Identifier: AGPL-3.0-or-later
"""A site's lock-down: asked for with a reason, shown door by door as the doors themselves say, and lifted with a reason."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.doors import lock_down, showing
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.places import service as places
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, database, now

pages = Blueprint("lock_down", __name__)
Answer = str | Response | tuple[str, int]


@pages.get("/sites/<int:site_id>/lock-down")
def show(site_id: int) -> Answer:
    return _page(site_id, Form.empty())


@pages.get("/sites/<int:site_id>/lock-down/doors")
def doors_now(site_id: int) -> Answer:
    """The part of the page that follows the doors."""
    return _page(site_id, Form.empty(), template="doors/lock_down_doors.html")


@pages.post("/sites/<int:site_id>/lock-down")
def begin(site_id: int) -> Answer:
    return _say(site_id, on=True)


@pages.post("/sites/<int:site_id>/lock-down/lifting")
@confirmed
def lift(site_id: int) -> Answer:
    return _say(site_id, on=False)


def _say(site_id: int, *, on: bool) -> Answer:
    form = Form.posted()
    say = lock_down.lock_down if on else lock_down.lift
    try:
        with database().write() as tx:
            say(tx, actor(), now=now(), site_id=site_id, reason=form.text("reason"))
    except Invalid as problem:
        return _page(site_id, form.refuse(problem)), 422
    return redirect(f"/sites/{site_id}/lock-down", 303)


def _page(site_id: int, form: Form, *, template: str = "doors/lock_down.html") -> str:
    actor().must_be_at(site_id, Role.HOST)
    with database().read() as tx:
        site, word, states = places.site(tx, site_id), lock_down.last_word(tx, site_id), doors.door_states(tx)
        here = [door for door in doors.doors(tx) if door.site_id == site_id and door.retired_at is None]
    told = [
        (door, states.get(door.id), showing.is_online(states.get(door.id), now()), _obeyed(word, states.get(door.id)))
        for door in here
    ]
    told.sort(key=lambda one: (one[3], one[0].name.casefold()))
    return render_template(template, site=site, word=word, doors=told, form=form, zone_name=site.time_zone)


def _obeyed(word: lock_down.Word | None, state: doors.DoorState | None) -> bool:
    return word is not None and lock_down.has_obeyed(word, state)
