# SPDX-License-Identifier: AGPL-3.0-or-later
"""Signing in by a password and what follows it, signing out, and the language of the pages. Decides nothing by itself."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session
from flask_babel import gettext, ngettext
from werkzeug.wrappers import Response

from booking_server.accounts import recovery, second_factor, signing_in
from booking_server.accounts.signing_in import SignInRefused, Throttled
from booking_server.errors import BookingServerError
from booking_server.logs import Security, security
from booking_server.web import session as signed
from booking_server.web.forms import Form, say
from booking_server.web.proving import HalfWay, finish, first_page, go_on, half_way, local
from booking_server.web.request import address, config, database, is_signed_in, keys, now, signed_session
from booking_server.web.wording import LANGUAGES

pages = Blueprint("signing_in", __name__)
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]
PROVES = {"sign_in_name": "password", "password": "password", "code": "totp", "recovery_code": "recovery", "email": "link"}
"""What is to be proven at each field, as sessions and the log call it."""


@pages.get("/sign-in")
def show() -> Answer:
    if is_signed_in():
        return redirect(first_page(signed_session().account), 303)
    return sign_in_page(Form.empty(), local(request.args.get("next", "")))


@pages.post("/sign-in")
def sign_in() -> Answer:
    form = Form.posted()
    try:
        account = signing_in.check_password(
            database(),
            now=now(),
            sign_in_name=form.text("sign_in_name"),
            password=form.value("password"),
            address=address(),
        )
    except (SignInRefused, Throttled) as problem:
        status, headers = refused(form, "sign_in_name", problem)
        return sign_in_page(form, local(form.value("next"))), status, headers
    return go_on(account, how=("password",), after=local(form.value("next")))


@pages.get("/sign-in/second")
def second() -> Answer:
    """What is asked for after a password or a link."""
    found = half_way()
    return _too_late() if found is None else _second_page(found, Form.empty())


@pages.post("/sign-in/second")
def give_code() -> Answer:
    form, found = Form.posted(), half_way()
    if found is None:
        return _too_late()
    try:
        second_factor.check_code(
            database(), now=now(), vault=keys().vault, account=found.account, code=form.text("code"), address=address()
        )
    except (SignInRefused, Throttled) as problem:
        status, headers = refused(form, "code", problem, account=found.account.id)
        return _second_page(found, form), status, headers
    return finish(found.account, how=(*found.how, "totp"), after=found.after)


@pages.post("/sign-in/recovery")
def give_recovery_code() -> Answer:
    form, found = Form.posted(), half_way()
    if found is None:
        return _too_late()
    try:
        left = recovery.check_code(
            database(), now=now(), account=found.account, code=form.text("recovery_code"), address=address()
        )
    except (SignInRefused, Throttled) as problem:
        status, headers = refused(form, "recovery_code", problem, account=found.account.id)
        return _second_page(found, form), status, headers
    answer = finish(found.account, how=(*found.how, "recovery"), after="/me/sign-in")
    used = gettext("You signed in with a recovery code. It is used up.")
    still = ngettext("You have %(num)s left.", "You have %(num)s left.", left)
    flash(f"{used} {still}")
    return answer


@pages.post("/sign-out")
def sign_out() -> Response:
    security(Security.SIGNED_OUT, account=signed_session().account.id, address=address())
    signed.end(database(), session, now=now())
    answer = redirect("/sign-in", 303)
    answer.headers["Clear-Site-Data"] = '"cache", "storage"'
    return answer


@pages.post("/language")
def language() -> Response:
    """Keep the chosen language for this session and go back."""
    chosen = request.form.get("language", "")
    if chosen in LANGUAGES:
        session["language"] = chosen
    return redirect(local(request.form.get("next", "")), 303)


def sign_in_page(form: Form, after: str) -> str:
    """Return the sign-in page. A link is offered only where mail can leave."""
    return render_template("sign_in.html", form=form, after=after, can_mail=can_mail())


def can_mail() -> bool:
    return bool(config().mail.server or config().mail.folder)


def refused(form: Form, field: str, problem: BookingServerError, account: int | None = None) -> tuple[int, dict[str, str]]:
    """Put why a proof was refused at its field, log it, and return the answer's status and headers."""
    form.errors[field] = say(problem)
    if isinstance(problem, Throttled):
        security(Security.SIGN_IN_THROTTLED, account=account, address=address(), how=PROVES[field])
        return 429, {"Retry-After": str(problem.wait_seconds)}
    known = problem.account if isinstance(problem, SignInRefused) else None
    security(Security.SIGN_IN_FAILED, account=account or known, address=address(), how=PROVES[field])
    return 422, {}


def _second_page(found: HalfWay, form: Form) -> str:
    return render_template("second_step.html", form=form, half=found)


def _too_late() -> Response:
    flash(gettext("That took too long, or something changed meanwhile. Please sign in again."), "care")
    return redirect("/sign-in", 303)
