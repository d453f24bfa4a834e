# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in and out, and the language of the pages. Whether a password is right is not decided here."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, session
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.accounts import sessions, signing_in
from booking_server.web import session as signed
from booking_server.web.forms import Form, say
from booking_server.web.request import address, database, device, is_signed_in, now, signed_session
from booking_server.web.wording import LANGUAGES

pages = Blueprint("signing_in", __name__)
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@pages.get("/sign-in")
def show() -> Answer:
    if is_signed_in():
        return redirect("/", 303)
    return render_template("sign_in.html", form=Form.empty(), after=_local(request.args.get("next", "")))


@pages.post("/sign-in")
def sign_in() -> Answer:
    form = Form.posted()
    try:
        account = signing_in.sign_in(
            database(),
            now=now(),
            sign_in_name=form.text("sign_in_name"),
            password=form.value("password"),
            address=address(),
        )
    except signing_in.SignInRefused as problem:
        form.errors["sign_in_name"] = say(problem)
        return _form(form), 422
    except signing_in.Throttled as problem:
        form.errors["sign_in_name"] = say(problem)
        return _form(form), 429, {"Retry-After": str(problem.wait_seconds)}
    signed.begin(database(), session, account, now=now(), how=("password",), address=address(), device=device())
    return redirect(_local(form.value("next")), 303)


@pages.post("/sign-out")
def sign_out() -> Response:
    signed.end(database(), session, now=now())
    return redirect("/sign-in", 303)


@pages.get("/confirm")
def confirm_page() -> Answer:
    """Ask who sits there, before a grave act."""
    return _confirm_form(Form.empty(), _local(request.args.get("next", "")))


@pages.post("/confirm")
def confirm() -> Answer:
    form, own = Form.posted(), signed_session()
    try:
        signing_in.sign_in(
            database(),
            now=now(),
            sign_in_name=own.account.sign_in_name,
            password=form.value("password"),
            address=address(),
        )
    except signing_in.SignInRefused:
        form.errors["password"] = gettext("This is not your password.")
        return _confirm_form(form, _local(form.value("next"))), 422
    except signing_in.Throttled as problem:
        form.errors["password"] = say(problem)
        return _confirm_form(form, _local(form.value("next"))), 429, {"Retry-After": str(problem.wait_seconds)}
    with database().write() as tx:
        sessions.confirm(tx, now=now(), session_id=own.id)
    return redirect(_local(form.value("next")), 303)


def _confirm_form(form: Form, after: str) -> str:
    return render_template("confirm.html", form=form, after=after)


@pages.post("/language")
def language() -> Response:
    """Keep the chosen language for this session and go back."""
    chosen = request.form.get("language", "")
    if chosen in LANGUAGES:
        session["language"] = chosen
    return redirect(_local(request.form.get("next", "")), 303)


def _form(form: Form) -> str:
    return render_template("sign_in.html", form=form, after=_local(form.value("next")))


def _local(path: str) -> str:
    """Return `path` if it is one of this server's pages, else the first page: nobody is sent elsewhere from here."""
    safe = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if safe else "/"
