# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of people's data: one's own, a person's for staff, erasing step by step, and what the hub keeps and forgets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, flash, make_response, redirect, render_template
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.accounts import personal as accounts
from booking_server.actors import NotAllowed, Role
from booking_server.audit import personal as audits
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.privacy import asking, erasing, exporting, forgetting, freezing, notices, subjects, wording
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form
from booking_server.web.request import actor, config, database, now
from booking_server.web.wording import day

pages = Blueprint("privacy", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

LOOKS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class Look:
    """Who looked, when, at what: all looks of one account, of one kind and day are one line."""

    at: datetime
    name: str
    what: str
    times: int


# --- one's own -------------------------------------------------------------------------------------------------------


@pages.get("/me/data")
def own() -> Answer:
    return _own(Form.empty(kind="correct"))


@pages.post("/me/data/wishes")
def ask() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            asking.ask(tx, actor(), now=now(), kind=form.text("kind"), text=form.value("text"))
    except Invalid as problem:
        return _own(form.refuse(problem)), 422
    flash(gettext("The staff will answer here, within a month."))
    return redirect("/me/data", 303)


@pages.post("/me/data/export")
@confirmed
def export_own() -> Answer:
    return _zip(_own_person())


def _own(form: Form) -> str:
    person_id = _own_person()
    with database().read() as tx:
        person = people.person(tx, actor(), person_id)
        return render_template(
            "privacy/own.html",
            person=person,
            looks=_looks(tx, person_id),
            wishes=asking.of_person(tx, person_id),
            form=form,
            kinds=wording.KINDS,
            days=config().privacy.audit_days,
        )


def _own_person() -> int:
    found = actor().person_id
    if found is None:
        raise NotAllowed("this account is nobody's who holds keytags")
    return found


# --- somebody's, for staff -------------------------------------------------------------------------------------------


@pages.get("/people/<int:person_id>/data")
def of_person(person_id: int) -> Answer:
    actor().must_be_everywhere(Role.HOST)
    with database().read() as tx:
        return render_template(
            "privacy/of_person.html",
            person=people.person(tx, actor(), person_id),
            looks=_looks(tx, person_id),
            wishes=asking.of_person(tx, person_id),
            erased=erasing.erasure_of(tx, person_id),
            kinds=wording.KINDS,
            words=wording,
        )


@pages.post("/people/<int:person_id>/data/export")
@confirmed
def export(person_id: int) -> Answer:
    actor().must_be_everywhere(Role.HOST)
    return _zip(person_id)


@pages.get("/people/<int:person_id>/erasure")
@confirmed
def erasure(person_id: int) -> Answer:
    return _erasure(person_id, Form.empty())


@pages.post("/people/<int:person_id>/erasure")
@confirmed
def erase(person_id: int) -> Answer:
    form = Form.posted()
    try:
        if not form.ticked("sure"):
            raise Invalid("sure", "Say that you have read it. It cannot be undone.")
        with database().write() as tx:
            erasing.erase_person(tx, actor(), now=now(), config=config(), person_id=person_id, shown=form.text("shown"))
    except Invalid as problem:
        return _erasure(person_id, form.refuse(problem)), 422
    flash(gettext("Erased as far as the books allow. What stays, and until when, stands below."))
    return redirect(f"/people/{person_id}/data", 303)


def _erasure(person_id: int, form: Form) -> str:
    with database().write() as tx:
        person = people.person(tx, actor(), person_id)
        found = erasing.preview(tx, actor(), now=now(), config=config(), person_id=person_id)
    keep = config().backup.keep
    return render_template("privacy/erasure.html", person=person, found=found, words=wording, form=form, backups=keep)


# --- the whole hub's -------------------------------------------------------------------------------------------------


@pages.get("/privacy/desk")
def desk() -> Answer:
    return _desk(Form.empty())


@pages.post("/wishes/<int:wish_id>")
def answer(wish_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            asking.answer(tx, actor(), now=now(), wish_id=wish_id, text=form.value("answer"))
    except Invalid as problem:
        return _desk(form.refuse(problem)), 422
    flash(gettext("Answered. The person reads it on their page."))
    return redirect("/privacy/desk", 303)


@pages.post("/privacy/freezes")
def freeze() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = freezing.freeze(
                tx,
                actor(),
                now=now(),
                door_id=form.text("door_id"),
                from_day=form.day("from_day"),
                through_day=form.day("through_day"),
                kept_until=form.day("kept_until"),
                reason=form.value("reason"),
            )
    except Invalid as problem:
        return _desk(form.refuse(problem)), 422
    flash(gettext("Kept until %(day)s, whatever the door's days.", day=day(made.kept_until)))
    return redirect("/privacy/desk", 303)


@pages.post("/privacy/freezes/<int:freeze_id>/end")
def lift(freeze_id: int) -> Answer:
    with database().write() as tx:
        freezing.lift(tx, actor(), now=now(), freeze_id=freeze_id)
    flash(gettext("The door's own days count again."))
    return redirect("/privacy/desk", 303)


@pages.get("/privacy/record")
def record() -> Answer:
    """The record of processing activities (GDPR, Article 30), as the settings and the doors make it."""
    actor().must_be_everywhere()
    with database().read() as tx:
        known = [door for door in doors.doors(tx) if door.retired_at is None]
    return render_template(
        "privacy/record.html",
        rules=config().privacy,
        seller=config().seller,
        hub=config(),
        missing=notices.missing(config()),
        longest=max((door.log_days for door in known), default=0),
        always=[door for door in known if door.log_named == "always"],
    )


def _desk(form: Form) -> str:
    actor().must_be_everywhere(Role.HOST)
    with database().read() as tx:
        wishes = asking.open_wishes(tx, actor())
        last = forgetting.last(tx)
        return render_template(
            "privacy/desk.html",
            missing=notices.missing(config()),
            wishes=[(wish, people.person(tx, actor(), wish.person_id)) for wish in wishes],
            late=last is None or last.is_late(now()),
            demo=config().demo,
            last=last,
            freezes=freezing.freezes(tx, now=now()),
            doors={door.id: door.name for door in doors.doors(tx) if door.retired_at is None},
            sites=places.sites(tx),
            kinds=wording.KINDS,
            words=wording,
            form=form,
        )


@pages.app_template_global()
def wishes_waiting() -> int:
    """Return how many people wait for an answer about their data; 0 for who may not give it."""
    if not actor().may_everywhere(Role.HOST):
        return 0
    with database().read() as tx:
        return len({wish.person_id for wish in asking.open_wishes(tx, actor())})


# --- inside ----------------------------------------------------------------------------------------------------------


def _zip(person_id: int) -> Response:
    with database().write() as tx:
        held = exporting.export(tx, actor(), now=now(), person_id=person_id)
    page = render_template("privacy/export.html", held=held, at=now(), hub=config().name)
    response = make_response(exporting.packed(held, page, now=now()))
    response.headers["Content-Type"] = "application/zip"
    response.headers["Content-Disposition"] = f'attachment; filename="person-{person_id}-{now():%Y-%m-%d}.zip"'
    return response


def _looks(tx: Connection, person_id: int) -> list[Look]:
    names = accounts.names(tx)
    return _together(audits.looks(tx, subjects.who(tx, person_id)), names)[:LOOKS_SHOWN]


def _together(looks: Iterable[audits.Look], names: Mapping[str, str]) -> list[Look]:
    """Make one line of all looks of one account, of one kind, on one day."""
    found: dict[tuple[str, str, object], Look] = {}
    for look in looks:
        key = (look.actor, look.act, look.at.date())
        first, times = (found[key].at, found[key].times) if key in found else (look.at, 0)
        what = str(wording.LOOKED.get(look.act, look.act))
        found[key] = Look(at=first, name=names.get(look.actor, look.actor), what=what, times=times + 1)
    return list(found.values())
