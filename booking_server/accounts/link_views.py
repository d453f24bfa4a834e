# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by a mailed link: asked for, opened, used by a button; and who it is, where several people share a mailbox."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, flash, redirect, render_template, session
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.accounts import links
from booking_server.accounts.links import Proven
from booking_server.accounts.throttling import Throttled
from booking_server.logs import Security, security
from booking_server.people.service import Person
from booking_server.web.forms import Form
from booking_server.web.proving import go_on, local
from booking_server.web.request import address, config, database, now
from booking_server.web.signing_in import refused, sign_in_page

pages = Blueprint("links", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]
CHOOSE_FOR = timedelta(minutes=5)
_PROVEN = "proven"


@pages.post("/sign-in/link")
def ask() -> Answer:
    """Send a link, or not: the answer is the same."""
    form = Form.posted()
    email, after = form.text("email"), local(form.value("next"))
    if "@" not in email:
        form.errors["email"] = gettext("Write an e-mail address like aino@example.org.")
        return sign_in_page(form, after), 422
    try:
        links.ask(database(), now=now(), email=email, after=after, origin=config().web.origin, address=address())
    except Throttled as problem:
        status, headers = refused(form, "email", problem)
        return sign_in_page(form, after), status, headers
    minutes = int(links.LIFE.total_seconds() // 60)
    return render_template("accounts/link_sent.html", email=email, minutes=minutes)


@pages.get("/sign-in/link/<token>")
def look(token: str) -> Answer:
    """Show a button. Mail programs and their guards open links by themselves: that uses nothing up."""
    with database().read() as tx:
        good = links.is_good(tx, now=now(), token=token)
    return render_template("accounts/link.html", token=token) if good else _worth_nothing()


@pages.post("/sign-in/link/<token>")
def use(token: str) -> Answer:
    with database().write() as tx:
        proven = links.use(tx, now=now(), token=token)
        known = links.people_of(tx, proven.email) if proven else []
    if proven is None or not known:
        security(Security.SIGN_IN_FAILED, address=address(), how="link")
        return _worth_nothing()
    if len(known) == 1:
        return _sign_in(proven, known[0].id)
    until = now() + CHOOSE_FOR
    session[_PROVEN] = {"email": proven.email, "after": proven.after, "until": until.timestamp()}
    return redirect("/sign-in/person", 303)


@pages.get("/sign-in/person")
def which() -> Answer:
    """Several people have this address: ask who of them it is."""
    proven = _proven()
    return _worth_nothing() if proven is None else _which_page(Form.empty(), _known(proven))


@pages.post("/sign-in/person")
def choose() -> Answer:
    proven, form = _proven(), Form.posted()
    if proven is None:
        return _worth_nothing()
    known, chosen = _known(proven), form.text("person_id")
    if chosen not in {str(one.id) for one in known}:
        form.errors["person_id"] = gettext("Choose who you are.")
        return _which_page(form, known), 422
    session.pop(_PROVEN)
    return _sign_in(proven, int(chosen))


def _sign_in(proven: Proven, person_id: int) -> Response:
    with database().write() as tx:
        account = links.account_for(tx, now=now(), email=proven.email, person_id=person_id)
    return go_on(account, how=("link",), after=local(proven.after))


def _proven() -> Proven | None:
    kept: Any = session.get(_PROVEN)
    if not isinstance(kept, dict) or now().timestamp() >= kept["until"]:
        return None
    return Proven(kept["email"], kept["after"])


def _known(proven: Proven) -> list[Person]:
    with database().read() as tx:
        return links.people_of(tx, proven.email)


def _which_page(form: Form, known: list[Person]) -> str:
    choices = [(one.id, one.name, "") for one in known]
    return render_template("accounts/link_person.html", form=form, choices=choices)


def _worth_nothing() -> Response:
    flash(gettext("This link was used already, or it is too old. Ask for a new one here."), "care")
    return redirect("/sign-in", 303)
