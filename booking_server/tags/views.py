# SPDX-License-Identifier: AGPL-3.0-or-later
"""Handing out a keytag by tapping it on any reader, blocking a lost one, taking one back.

The tag's number is never shown, typed or sent to the browser: staff see its last four digits. Whom a capture is for is kept
in the session of the one who asked.
"""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from access_contract.vocabulary import TagNumber
from booking_server.actors import Role
from booking_server.doors import commands, showing
from booking_server.doors import service as doors
from booking_server.doors.wording import refusal
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from booking_server.people.views import person_page
from booking_server.tags import exposure
from booking_server.tags import service as tags
from booking_server.web.forms import Form, say
from booking_server.web.request import actor, database, keys, now

pages = Blueprint("tags", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

CAPTURES_KEPT = 5


@pages.post("/people/<int:person_id>/captures")
def ask(person_id: int) -> Answer:
    form = Form.posted()
    asked = ask_capture(form.text("door_id"), for_person=person_id)
    if asked is None:
        form.errors["door_id"] = gettext("Choose the door at whose reader you stand.")
        return person_page(person_id, capture_form=form), 422
    return redirect(f"/captures/{asked}", 303)


def ask_capture(door_id: str, *, for_person: int | None = None, in_place_of: int | None = None) -> str | None:
    """Ask a door for the next keytag tapped there, for a person or in the place of a keytag that is held, and remember for
    whom. Return the command; None where the door cannot be asked. Raise NotFound where nobody holds that keytag.
    """
    with database().read() as tx:
        person_id = for_person if in_place_of is None else tags.tag(tx, in_place_of).person_id
        person = people.person(tx, actor(), person_id or 0)
    try:
        with database().write() as tx:
            asked = commands.ask_capture(tx, actor(), now=now(), door_id=door_id)
    except (Invalid, NotFound):
        return None
    for name, value in (("captures", person.id), ("exchanges", in_place_of)):
        kept = list(session.get(name, {}).items())[-CAPTURES_KEPT + 1 :]
        session[name] = {**dict(kept), asked.command: value}
    return asked.command


@pages.get("/captures/<command>")
def capture(command: str) -> Answer:
    """How far the hand-out is. Gone back to after it, it leads to the person: the reader does not wait any more."""
    person_id = _wanted_by(command)
    with database().read() as tx:
        handed_out = commands.was_handed_out(tx, command)
    return redirect(f"/people/{person_id}", 303) if handed_out else _capture_page(command, "")


@pages.post("/captures/<command>/keytag")
def hand_out(command: str) -> Answer:
    person_id = _wanted_by(command)
    try:
        with database().write() as tx:
            if commands.was_handed_out(tx, command):
                return redirect(f"/people/{person_id}", 303)
            number = commands.captured_number(tx, keys().vault, command)
            if number is None:
                raise Invalid("number", "The tap is too old. Ask for the keytag once more.")
            tag = _handed_out(tx, command, number, person_id)
            commands.forget_captured(tx, command)
            person = people.person(tx, actor(), person_id)
    except Invalid as problem:
        return _capture_page(command, say(problem)), 422
    flash(gettext("Keytag …%(digits)s now belongs to %(person)s.", digits=tag.last_digits, person=person.name))
    return redirect(f"/people/{person_id}", 303)


@pages.post("/keytags/<int:keytag_id>/block")
def block(keytag_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            found = tags.block_tag(tx, actor(), now=now(), keytag_id=keytag_id, reason=form.text("reason"))
    except Invalid as problem:
        with database().read() as tx:
            found = tags.tag(tx, keytag_id)
        form.refuse(problem)
        return person_page(found.person_id or 0, block_form=form, block_id=keytag_id), 422
    flash(
        gettext(
            "Keytag …%(digits)s is blocked. A door that is offline learns of it when it is online again.",
            digits=found.last_digits,
        )
    )
    return _to_holder(found)


@pages.post("/keytags/<int:keytag_id>/unblocking")
def unblock(keytag_id: int) -> Answer:
    with database().write() as tx:
        found = tags.unblock_tag(tx, actor(), now=now(), keytag_id=keytag_id)
    flash(gettext("Keytag …%(digits)s opens doors again.", digits=found.last_digits))
    return _to_holder(found)


@pages.post("/keytags/<int:keytag_id>/return")
def take_back(keytag_id: int) -> Answer:
    with database().write() as tx:
        held = tags.tag(tx, keytag_id)
        tags.take_back_tag(tx, actor(), now=now(), keytag_id=keytag_id)
    flash(gettext("Keytag …%(digits)s was taken back and opens nothing.", digits=held.last_digits))
    return _to_holder(held)


def _capture_page(command: str, error: str) -> str:
    """Show how far a capture is; once a number is there, its last digits and whom it may go to."""
    actor().must_be(Role.HOST)
    person_id = _wanted_by(command)
    with database().read() as tx:
        asked = commands.command(tx, command)
        number = commands.captured_number(tx, keys().vault, command) if asked.kind == "capture" else None
        known = tags.tag_of_number(tx, keys().vault, number) if number else None
        holder = people.person(tx, actor(), known.person_id) if known and known.person_id else None
        shown = {"person": people.person(tx, actor(), person_id), "door": doors.door(tx, asked.door_id)}
    became = showing.became(asked, now())
    over = became in (showing.Became.REFUSED, showing.Became.NO_ANSWER)
    if became is showing.Became.DONE and now() > asked.expires_at + showing.LATE:
        over = True
    return render_template(
        "tags/fragment.html" if request.headers.get("HX-Request") else "tags/capture.html",
        command=asked,
        digits=number.last_digits if number else "",
        known=known,
        holder=holder,
        sent=asked.sent_at is not None,
        waiting=not number and not over,
        refusal=refusal(asked) if became is showing.Became.REFUSED else "",
        error=error,
        **shown,
    )


def _handed_out(tx: Connection, command: str, number: TagNumber, person_id: int) -> tags.Keytag:
    old = session.get("exchanges", {}).get(command)
    if old is None:
        return tags.hand_out_tag(tx, actor(), now=now(), vault=keys().vault, number=number, person_id=person_id)
    return exposure.exchange_tag(tx, actor(), now=now(), vault=keys().vault, keytag_id=int(old), number=number)


def _wanted_by(command: str) -> int:
    person_id = session.get("captures", {}).get(command)
    if person_id is None:
        raise NotFound("This keytag was asked for at another browser, or long ago. Start again from the person's page.")
    return int(person_id)


def _to_holder(tag: tags.Keytag) -> Response:
    return redirect(f"/people/{tag.person_id}" if tag.person_id else "/people", 303)
