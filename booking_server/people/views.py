# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of people: find one, add one, and everything about one in a single place."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server import civil
from booking_server.access import service as access
from booking_server.access.wording import DAYS, hours_in_words
from booking_server.actors import Role
from booking_server.audit import service as audit
from booking_server.billing import service as billing
from booking_server.doors import knowing
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.ledger import service as ledger
from booking_server.people import service as people
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.tags import exposure
from booking_server.tags import service as tags
from booking_server.web.confirming import is_confirmed, to_confirm
from booking_server.web.forms import Form, show_day
from booking_server.web.request import actor, database, keys, now
from booking_server.web.wording import zone

pages = Blueprint("people", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

FIELDS = ("name", "email", "language", "address", "business_id", "customer_name")
SHOWN_MAX = 200
LOOKED_MAX = 10


@pages.get("/people")
def listing() -> Answer:
    search = request.args.get("search", "")[:100]
    with database().read() as tx:
        found = people.people(tx, actor(), search=search)
    return render_template("people/listing.html", people=found[:SHOWN_MAX], count=len(found), search=search)


@pages.get("/people/new")
def new() -> Answer:
    actor().must_be(Role.HOST, Role.BILLING)
    return render_template(
        "people/person_form.html", form=Form.empty(language="fi"), heading=gettext("New person"), back="/people"
    )


@pages.post("/people/new")
def add() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = people.add_person(tx, actor(), now=now(), **_values(form))
    except Invalid as problem:
        heading = gettext("New person")
        return render_template("people/person_form.html", form=form.refuse(problem), heading=heading, back="/people"), 422
    return redirect(f"/people/{made.id}", 303)


@pages.get("/people/<int:person_id>")
def show(person_id: int) -> Answer:
    return person_page(person_id)


@pages.get("/people/<int:person_id>/edit")
def edit(person_id: int) -> Answer:
    actor().must_be(Role.HOST, Role.BILLING)
    with database().read() as tx:
        person = people.person(tx, actor(), person_id)
        payer = people.customer(tx, person.customer_id)
    form = Form.empty(
        name=person.name,
        email=person.email,
        language=person.language,
        address=payer.address,
        business_id=payer.business_id or "",
        customer_name=payer.name if payer.name != person.name else "",
    )
    return render_template("people/person_form.html", form=form, heading=person.name, back=f"/people/{person_id}")


@pages.post("/people/<int:person_id>/edit")
def change(person_id: int) -> Answer:
    actor().must_be(Role.HOST, Role.BILLING)
    form, back = Form.posted(), f"/people/{person_id}"
    with database().read() as tx:
        leads_elsewhere = people.person(tx, actor(), person_id).email != form.text("email")
    if leads_elsewhere and not is_confirmed():  # links to sign in go there
        return to_confirm()
    try:
        with database().write() as tx:
            people.change_person(tx, actor(), now=now(), person_id=person_id, **_values(form))
    except Invalid as problem:
        form.refuse(problem)
        return render_template("people/person_form.html", form=form, heading=form.text("name"), back=back), 422
    return redirect(back, 303)


@pages.post("/people/<int:person_id>/suspension")
def suspend(person_id: int) -> Answer:
    with database().write() as tx:
        person = people.suspend_person(tx, actor(), now=now(), person_id=person_id)
    flash(gettext("%(person)s is suspended: no door opens and nothing can be booked.", person=person.name))
    return redirect(f"/people/{person_id}", 303)


@pages.post("/people/<int:person_id>/resumption")
def resume(person_id: int) -> Answer:
    with database().write() as tx:
        person = people.resume_person(tx, actor(), now=now(), person_id=person_id)
    flash(gettext("%(person)s may enter and book again.", person=person.name))
    return redirect(f"/people/{person_id}", 303)


@pages.post("/people/<int:person_id>/longer-time")
def give_longer(person_id: int) -> Answer:
    longer = bool(Form.posted().text("longer"))
    with database().write() as tx:
        person = people.give_longer(tx, actor(), now=now(), person_id=person_id, extended_time=longer)
    flash(
        gettext("Doors give %(person)s more time.", person=person.name)
        if longer
        else gettext("Doors give %(person)s the usual time.", person=person.name)
    )
    return redirect(f"/people/{person_id}", 303)


@pages.get("/people/<int:person_id>/taps")
def taps(person_id: int) -> Answer:
    """What somebody did at the doors. Reading it is recorded, and the person's page says who did."""
    actor().must_be(Role.HOST)
    with database().write() as tx:
        person = people.person(tx, actor(), person_id)
        found = ledger.taps_of_person(tx, actor(), now=now(), person_id=person_id, priced=billing.priced(tx))
        names = {door.id: door.name for door in doors.doors(tx)}
    return render_template("people/taps.html", person=person, taps=found, door_names=names)


def person_page(person_id: int, **more: Any) -> str:
    """Return the page of a person. `more` goes to the template, for instance a form to show again with its error."""
    actor().must_be(Role.HOST, Role.BILLING)
    with database().read() as tx:
        person = people.person(tx, actor(), person_id)
        areas = naming.full_names(places.areas(tx))
        shown: dict[str, Any] = {
            "payer": people.customer(tx, person.customer_id),
            "tags": tags.tags_of(tx, person_id),
            "exposed": _exposed(tx, person_id),
            "spread": knowing.of_person(tx, person_id),
            "grants": [(one, hours_in_words(one)) for one in access.grants_of(tx, person_id)],
            "areas": areas,
            "doors": doors_to_tap(tx),
            "looked": [row for row in audit.of_subject(tx, f"person:{person_id}") if row["act"] == "taps_read"][:LOOKED_MAX],
        }
    today = now().astimezone(zone()).date()
    shown |= {"capture_form": Form.empty(), "lost_form": Form.empty(reason=gettext("lost")), "weekdays": list(enumerate(DAYS))}
    shown["grant_form"] = Form.empty(from_day=show_day(today), weekdays=[str(day) for day in range(7)])
    shown["today"], shown["month"] = today, civil.month_of(civil.service_day(now(), zone()))
    return render_template("people/person.html", person=person, **{**shown, **more})


def _exposed(tx: Connection, person_id: int) -> dict[int, exposure.Exposed]:
    """Return which of a person's keytags are to be exchanged, for those who may see why."""
    if not actor().may(Role.HOST):
        return {}
    return {one.keytag.id: one for one in exposure.exposed(tx, actor(), vault=keys().vault, person_id=person_id)}


def doors_to_tap(tx: Connection) -> list[tuple[str, str]]:
    """The doors whose reader may take a keytag for hand-out, those that are online first."""
    states = doors.door_states(tx)
    online = {door_id for door_id, state in states.items() if state.online}
    in_use = [door for door in doors.doors(tx) if door.retired_at is None]
    offline = gettext("offline")
    ordered = sorted(in_use, key=lambda door: (door.id not in online, door.name.casefold()))
    return [(door.id, door.name if door.id in online else f"{door.name} ({offline})") for door in ordered]


def _values(form: Form) -> dict[str, str]:
    return {name: form.text(name) for name in FIELDS}
