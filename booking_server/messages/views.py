# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of messages: the outbox for staff, and what each person chooses to get."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.actors import NotAllowed, Role
from booking_server.errors import Invalid
from booking_server.messages import choosing, showing, wording
from booking_server.messages.rules import CHOSEN
from booking_server.messages.showing import Attention
from booking_server.people import service as people
from booking_server.web.forms import Form, say
from booking_server.web.request import actor, database, now

pages = Blueprint("messages", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

for _word in (wording.message_kind, wording.message_state, wording.message_trouble):
    pages.add_app_template_filter(_word)


@pages.get("/messages")
def listing() -> Answer:
    with database().read() as tx:
        shown = showing.outbox(tx, actor())
        needs = showing.attention(tx, now())
    return render_template("messages/outbox.html", messages=shown, needs=needs)


@pages.post("/messages/<int:message_id>/again")
def send_again(message_id: int) -> Answer:
    try:
        with database().write() as tx:
            showing.send_again(tx, actor(), now=now(), message_id=message_id)
    except Invalid as problem:
        flash(say(problem))
    return redirect("/messages", 303)


@pages.post("/messages/<int:message_id>/leave")
def leave(message_id: int) -> Answer:
    with database().write() as tx:
        showing.let_be(tx, actor(), now=now(), message_id=message_id)
    return redirect("/messages", 303)


@pages.post("/messages/leave")
def leave_all() -> Answer:
    with database().write() as tx:
        showing.let_be(tx, actor(), now=now())
    return redirect("/messages", 303)


@pages.get("/me/messages")
def choices() -> Answer:
    who = actor()
    if who.person_id is None:
        return _own(Form.empty())
    with database().read() as tx:
        without = choosing.unwanted(tx, who.person_id)
        language = people.person(tx, who, who.person_id).language
    return _own(Form.empty(kinds=[kind.value for kind in CHOSEN if kind not in without], language=language))


@pages.post("/me/messages")
def choose() -> Answer:
    form, who = Form.posted(), actor()
    if who.person_id is None:
        raise NotAllowed("only a person chooses")
    wanted = {kind for kind in CHOSEN if kind.value in form.values("kinds")}
    try:
        with database().write() as tx:
            choosing.choose(tx, who, now=now(), person_id=who.person_id, wanted=wanted)
            people.choose_language(tx, who, now=now(), person_id=who.person_id, language=form.text("language"))
    except Invalid as problem:
        return _own(form.refuse(problem)), 422
    flash(gettext("Saved."))
    return redirect("/me/messages", 303)


@pages.app_template_global()
def mail_attention() -> Attention | None:
    """Return what needs a person in the outbox; None where nothing does, or the reader may not see it."""
    if not actor().may(Role.HOST):
        return None
    with database().read() as tx:
        found = showing.attention(tx, now())
    return found if found.waiting or found.given_up else None


def _own(form: Form) -> str:
    who = actor()
    offered = [kind for kind in CHOSEN if not choosing.is_mandatory(kind, is_staff=who.is_staff)]
    return render_template(
        "messages/own.html",
        form=form,
        choices=[(kind.value, wording.CHOICES[kind]) for kind in offered],
        has_person=who.person_id is not None,
        is_staff=who.is_staff,
    )
