# SPDX-License-Identifier: AGPL-3.0-or-later
"""The accounts of staff: who may sign in, and as what. For administrators; one's own password for everybody."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, session
from flask_babel import gettext, lazy_gettext
from werkzeug.wrappers import Response

from booking_server.actors import Role
from booking_server.errors import Invalid
from booking_server.people import service as people
from booking_server.people import signing_in
from booking_server.web import session as signed
from booking_server.web.forms import Form, say
from booking_server.web.request import actor, database, now

pages = Blueprint("accounts", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

ROLES = {
    "host": (lazy_gettext("Host"), lazy_gettext("People, keytags, access, doors, bookings.")),
    "billing": (lazy_gettext("Billing"), lazy_gettext("People, bookings, months and invoices.")),
    "administrator": (lazy_gettext("Administrator"), lazy_gettext("Everything, and the accounts of the others.")),
    "member": (lazy_gettext("Member"), ""),
}


@pages.get("/accounts")
def listing() -> Answer:
    return _page(Form.empty(role="host"))


@pages.post("/accounts")
def add() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            made = people.add_account(
                tx,
                actor(),
                now=now(),
                sign_in_name=form.text("sign_in_name"),
                name=form.text("name"),
                role=_role(form),
                password=form.value("password"),
            )
    except Invalid as problem:
        return _page(form.refuse(problem)), 422
    flash(gettext("%(name)s may sign in now.", name=made.sign_in_name))
    return redirect("/accounts", 303)


@pages.post("/accounts/<int:account_id>/closing")
def close(account_id: int) -> Answer:
    with database().write() as tx:
        closed = people.close_account(tx, actor(), now=now(), account_id=account_id)
    flash(gettext("%(name)s can no longer sign in.", name=closed.sign_in_name))
    return redirect("/accounts", 303)


@pages.get("/password")
def password() -> Answer:
    return render_template("people/password.html", form=Form.empty())


@pages.post("/password")
def set_password() -> Answer:
    """Change one's own password, by the one that stands: a screen left alone gives no account away. Other sessions end."""
    form = Form.posted()
    try:
        _check_own_password(form)
        if form.value("password") != form.value("again"):
            raise Invalid("again", "The two are not the same. Write the new password twice.")
        with database().write() as tx:
            own = people.set_password(
                tx, actor(), now=now(), account_id=actor().account_id or 0, password=form.value("password")
            )
    except Invalid as problem:
        return render_template("people/password.html", form=form.refuse(problem)), 422
    except signing_in.Throttled as problem:
        form.errors["current"] = say(problem)
        return render_template("people/password.html", form=form), 429, {"Retry-After": str(problem.wait_seconds)}
    signed.begin(session, own)
    flash(gettext("Your password is changed. Your other sessions have ended."))
    return redirect("/", 303)


def _check_own_password(form: Form) -> None:
    """Raise Invalid unless the password that stands was typed too, or Throttled: guessing it is slowed down as at sign-in."""
    with database().read() as tx:
        own = people.existing_account(tx, actor().account_id or 0)
    try:
        signing_in.sign_in(
            database(),
            now=now(),
            sign_in_name=own.sign_in_name,
            password=form.value("current"),
            address=request.remote_addr or "",
        )
    except signing_in.SignInRefused:
        raise Invalid("current", "This is not your password as it stands.") from None


def _role(form: Form) -> Role:
    try:
        role = Role(form.text("role"))
    except ValueError:
        role = Role.MEMBER
    if role is Role.MEMBER:
        raise Invalid("role", "Choose what the account may do.")
    return role


def _page(form: Form) -> str:
    with database().read() as tx:
        accounts = [account for account in people.accounts(tx, actor()) if not account.closed]
    choices = [(role, *words) for role, words in ROLES.items() if role != "member"]
    return render_template("people/accounts.html", accounts=accounts, form=form, choices=choices, roles=ROLES)
