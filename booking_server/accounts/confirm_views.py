# SPDX-License-Identifier: AGPL-3.0-or-later
"""Before a grave act somebody proves once more who they are, by what their account has (web/confirming.py says where)."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, session
from werkzeug.wrappers import Response

from booking_server.accounts import recovery, second_factor, signing_in
from booking_server.accounts.service import Account
from booking_server.accounts.signing_in import SignInRefused, Throttled
from booking_server.accounts.ways import Ways, ways_of
from booking_server.people import service as people
from booking_server.web import session as signed
from booking_server.web.forms import Form
from booking_server.web.proving import local
from booking_server.web.request import actor, address, config, database, keys, now, signed_session
from booking_server.web.signing_in import PROVES, can_mail, refused

pages = Blueprint("confirming", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]


@pages.get("/confirm")
def show() -> Answer:
    return _page(Form.empty(), local(request.args.get("next", "")))


@pages.post("/confirm")
def confirm() -> Answer:
    """Take a code of the app, a recovery code, or the password of an account that has no app."""
    form, own = Form.posted(), signed_session()
    ways = _ways()
    field = "recovery_code" if form.text("recovery_code") else "code" if ways.app or not ways.password else "password"
    try:
        _check(own.account, field, form)
    except (SignInRefused, Throttled) as problem:
        status, headers = refused(form, field, problem, account=own.account.id)
        return _page(form, local(form.value("next"))), status, headers
    signed.confirm(database(), session, own, now=now(), how=PROVES[field], address=address())
    return redirect(local(form.value("next")), 303)


def _check(account: Account, field: str, form: Form) -> None:
    """Raise SignInRefused or Throttled unless what was typed proves who it is."""
    if field == "recovery_code":
        recovery.check_code(database(), now=now(), account=account, code=form.text(field), address=address())
    elif field == "code":
        vault = keys().vault
        second_factor.check_code(database(), now=now(), vault=vault, account=account, code=form.text(field), address=address())
    else:
        _check_password(account, form.value(field))


def _check_password(account: Account, password: str) -> None:
    name = account.sign_in_name
    try:
        signing_in.check_password(database(), now=now(), sign_in_name=name, password=password, address=address())
    except SignInRefused:
        raise SignInRefused("This is not your password.") from None


def _ways() -> Ways:
    """Return what may prove who sits there: to a session that began with a password and needs more, not the password again."""
    own = signed_session()
    with database().read() as tx:
        found = ways_of(tx, own.account)
    return replace(found, password=False) if signed.is_held(config(), own) else found


def _page(form: Form, after: str) -> str:
    ways = _ways()
    return render_template("accounts/confirm.html", form=form, after=after, ways=ways, email=_email(ways))


def _email(ways: Ways) -> str:
    """Return where a fresh link goes, for a member who has no other way."""
    who = actor()
    if ways.password or ways.app or who.person_id is None or who.is_staff or not can_mail():
        return ""
    with database().read() as tx:
        return people.person(tx, who, who.person_id).email
