# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of sites, areas and spaces: what there is, and how more is made."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext, lazy_gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.web.forms import Form
from booking_server.web.request import actor, config, database, now

pages = Blueprint("places", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

KINDS = {
    "co-creation": lazy_gettext("Co-creation space"),
    "pop-up": lazy_gettext("Pop-up space"),
    "meeting-room": lazy_gettext("Meeting room"),
    "showroom": lazy_gettext("Showroom"),
    "office": lazy_gettext("Office"),
}


@pages.get("/spaces")
def listing() -> Answer:
    actor().must_be(Role.HOST)
    where = actor().sites(Role.HOST)
    with database().read() as tx:
        areas = [area for area in places.areas(tx) if where is None or area.site_id in where]
        spaces = {space.area_id: space for space in places.spaces(tx)}
        into = _doors_into(tx)
        return render_template(
            "places/listing.html",
            tree=naming.in_order(areas),
            spaces=spaces,
            doors_into=into,
            kinds=KINDS,
            sites=places.sites(tx, where),
            may_add_site=where is None,
        )


@pages.get("/sites/new")
def new_site() -> Answer:
    actor().must_be_everywhere(Role.HOST)
    return render_template("places/new_site.html", form=Form.empty(time_zone=config().time_zone))


@pages.post("/sites/new")
def add_site() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            places.add_site(tx, actor(), now=now(), name=form.text("name"), time_zone=form.text("time_zone"))
    except Invalid as problem:
        return render_template("places/new_site.html", form=form.refuse(problem)), 422
    return redirect("/spaces", 303)


@pages.get("/areas/new")
def new_area() -> Answer:
    actor().must_be(Role.HOST)
    return _area_form(Form.empty(kind="floor", parent_id=request.args.get("parent_id", "")))


@pages.post("/areas/new")
def add_area() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            parent = form.choice("parent_id")
            places.add_area(tx, actor(), now=now(), parent_id=parent, name=form.text("name"), kind=form.text("kind"))
    except Invalid as problem:
        return _area_form(form.refuse(problem)), 422
    return redirect("/spaces", 303)


@pages.get("/spaces/new")
def new_space() -> Answer:
    actor().must_be(Role.HOST)
    first = Form.empty(kind="co-creation", capacity=1, parent_id=request.args.get("parent_id", ""))
    return _space_form(first, heading=gettext("New space"))


@pages.post("/spaces/new")
def add_space() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = places.add_space(tx, actor(), now=now(), parent_id=form.choice("parent_id"), **_space_values(form))
    except Invalid as problem:
        return _space_form(form.refuse(problem), heading=gettext("New space")), 422
    return redirect(f"/spaces/{made.area_id}", 303)


@pages.get("/spaces/<int:area_id>")
def show(area_id: int) -> Answer:
    return space_page(area_id)


@pages.get("/spaces/<int:area_id>/edit")
def edit(area_id: int) -> Answer:
    actor().must_be(Role.HOST)
    with database().read() as tx:
        space = places.space(tx, area_id)
    actor().must_be_at(space.site_id, Role.HOST)
    form = Form.empty(
        name=space.name,
        kind=space.kind,
        capacity=space.capacity,
        bookable=space.bookable,
        tap_is_entry_when_unlocked=space.tap_is_entry_when_unlocked,
    )
    return _space_form(form, heading=space.name, changing=True)


@pages.post("/spaces/<int:area_id>/edit")
def change(area_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            places.change_space(tx, actor(), now=now(), area_id=area_id, **_space_values(form))
    except Invalid as problem:
        return _space_form(form.refuse(problem), heading=form.text("name"), changing=True), 422
    return redirect(f"/spaces/{area_id}", 303)


def space_page(area_id: int, **more: Any) -> str:
    """Return the page of a space. `more` goes to the template, for instance a form to show again with its error."""
    actor().must_be(Role.HOST, Role.BILLING)
    with database().read() as tx:
        space = places.space(tx, area_id)
        actor().must_be_at(space.site_id, Role.HOST, Role.BILLING)
        return render_template(
            "places/space.html",
            space=space,
            site=places.site(tx, space.site_id),
            path=naming.full_names(places.areas(tx, space.site_id))[area_id],
            doors=_doors_into(tx).get(area_id, []),
            kinds=KINDS,
            **more,
        )


def _doors_into(tx: Connection) -> dict[int, list[doors.Door]]:
    """Which doors in use lead into each area, each door once."""
    known = {door.id: door for door in doors.doors(tx) if door.retired_at is None}
    found: dict[int, list[doors.Door]] = {}
    for point in doors.access_points(tx):
        if point.to_area_id is not None and point.door_id in known and point.point == "in":
            found.setdefault(point.to_area_id, []).append(known[point.door_id])
    return found


def _space_values(form: Form) -> dict[str, Any]:
    return {
        "name": form.text("name"),
        "kind": form.text("kind"),
        "capacity": form.number("capacity"),
        "bookable": form.ticked("bookable"),
        "tap_is_entry_when_unlocked": form.ticked("tap_is_entry_when_unlocked"),
    }


def _area_form(form: Form) -> str:
    return render_template("places/new_area.html", form=form, parents=_parents())


def _space_form(form: Form, *, heading: str, changing: bool = False) -> str:
    parents = [] if changing else _parents()
    return render_template(
        "places/space_form.html", form=form, heading=heading, parents=parents, kinds=KINDS.items(), changing=changing
    )


def _parents() -> list[tuple[int, str]]:
    """What a new area may be part of: anything but a space."""
    where = actor().sites(Role.HOST)
    with database().read() as tx:
        areas = [area for area in places.areas(tx) if where is None or area.site_id in where]
    inner = {area.id for area in areas if area.kind == "space"}
    return [(number, name) for number, name in naming.full_names(areas).items() if number not in inner]
