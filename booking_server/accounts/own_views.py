# SPDX-License-Identifier: AGPL-3.0-or-later
"""One's own pages: what there is for oneself, by which ways one signs in, and where one is signed in now."""

from __future__ import annotations

from flask import Blueprint, current_app, flash, redirect, render_template, session
from flask_babel import gettext, lazy_gettext
from markupsafe import Markup
from segno import make_qr
from werkzeug.wrappers import Response

from booking_server.accounts import browsers, recovery, second_factor, sessions, signing_in
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.ways import is_asked_more, ways_of
from booking_server.errors import Invalid, NotFound
from booking_server.web import session as signed
from booking_server.web.confirming import confirmed
from booking_server.web.forms import Form, say
from booking_server.web.request import actor, address, config, database, device, keys, now, signed_session

pages = Blueprint("me", __name__, template_folder="templates")
pages.add_app_template_filter(browsers.in_words, "device")
Answer = str | Response | tuple[str, int] | tuple[str, int, dict[str, str]]

OWN = (
    ("/me/sign-in", lazy_gettext("Sign-in"), lazy_gettext("Password, passkeys, codes; where you are signed in.")),
    ("/me/messages", lazy_gettext("Messages"), lazy_gettext("Which mails you get, and in which language.")),
    ("/me/data", lazy_gettext("My data"), lazy_gettext("What the hub keeps about you, and who looked at it.")),
)
"""What there is for everybody. A part that is not there is left out."""


@pages.get("/me")
def show() -> Answer:
    there = {rule.rule for rule in current_app.url_map.iter_rules()}
    return render_template("accounts/me.html", places=[place for place in OWN if place[0] in there])


@pages.get("/me/sign-in")
def sign_in() -> Answer:
    own = signed_session()
    with database().read() as tx:
        ways = ways_of(tx, own.account)
        going_on = sessions.sessions_of(tx, now=now(), account_id=own.account.id)
    held = is_asked_more(config(), own.account) and not ways.has_second
    return render_template("accounts/own_sign_in.html", own=own, ways=ways, sessions=going_on, wanted=held)


@pages.get("/me/sign-in/app")
@confirmed
def app() -> Answer:
    """A new secret, as a picture and as text. It holds once a code of it was typed."""
    return _app_page(Form.empty(), second_factor.new_secret())


@pages.post("/me/sign-in/app")
@confirmed
def set_up_app() -> Answer:
    form, own = Form.posted(), signed_session()
    secret = second_factor.of_offer(keys().vault, own.account.id, form.value("offer"))
    try:
        with database().write() as tx:
            second_factor.set_up(tx, actor(), now=now(), vault=keys().vault, secret=secret, code=form.text("code"))
            sessions.add_proof(tx, session_id=own.id, how="totp")
            sessions.end_all(tx, actor(), now=now(), account_id=own.account.id, but=[own.id])
    except Invalid as problem:
        return _app_page(form.refuse(problem), secret), 422
    flash(gettext("From now on a code is asked for after your password. Your other sessions have ended."))
    return _new_codes()


@pages.post("/me/sign-in/app/removal")
@confirmed
def remove_app() -> Answer:
    own = signed_session()
    with database().write() as tx:
        second_factor.turn_off(tx, actor(), now=now(), account_id=own.account.id)
        if not ways_of(tx, own.account).has_second:
            recovery.drop(tx, own.account.id)
        sessions.end_all(tx, actor(), now=now(), account_id=own.account.id, but=[own.id])
    flash(gettext("No code is asked for any more. Your other sessions have ended."))
    return redirect("/me/sign-in", 303)


@pages.post("/me/sign-in/codes")
@confirmed
def make_codes() -> Answer:
    return _new_codes()


@pages.post("/me/sign-in/sessions/<session_id>/ending")
def end_session(session_id: str) -> Answer:
    own = signed_session()
    with database().write() as tx:
        going_on = {one.id for one in sessions.sessions_of(tx, now=now(), account_id=own.account.id)}
        if session_id not in going_on:
            raise NotFound("This session is over already.")
        sessions.end_one(tx, actor(), now=now(), account_id=own.account.id, session_id=session_id)
    flash(gettext("The session has ended."))
    return redirect("/me/sign-in", 303)


@pages.post("/me/sign-in/sessions/ending")
def end_others() -> Answer:
    own = signed_session()
    with database().write() as tx:
        ended = sessions.end_all(tx, actor(), now=now(), account_id=own.account.id, but=[own.id])
    flash(gettext("Sessions ended: %(count)s", count=ended))
    return redirect("/me/sign-in", 303)


@pages.get("/me/sign-in/password")
def password() -> Answer:
    return _password_page(Form.empty())


@pages.post("/me/sign-in/password")
def set_password() -> Answer:
    """Change one's password by the one that stands: a screen left alone gives no account away. Other sessions end."""
    own = signed_session()
    return _set_password(own.account) if own.account.has_password else _set_first_password(own.account)


@confirmed
def _set_first_password(own: Account) -> Answer:
    return _set_password(own)


def _set_password(own: Account) -> Answer:
    form, how = Form.posted(), set(signed_session().how) | {"password"}
    try:
        if own.has_password:
            _check_own_password(own, form)
        if form.value("password") != form.value("again"):
            raise Invalid("again", "The two are not the same. Write the new password twice.")
        with database().write() as tx:
            accounts.set_password(
                tx, actor(), now=now(), account_id=own.id, password=form.value("password"), hub_name=config().name
            )
    except Invalid as problem:
        return _password_page(form.refuse(problem)), 422
    except signing_in.Throttled as problem:
        form.errors["current"] = say(problem)
        return _password_page(form), 429, {"Retry-After": str(problem.wait_seconds)}
    signed.begin(database(), session, own, now=now(), how=how, address=address(), device=device())
    flash(gettext("Your password is changed. Your other sessions have ended."))
    return redirect("/me/sign-in", 303)


def _check_own_password(own: Account, form: Form) -> None:
    """Raise Invalid unless the password that stands was typed too, or Throttled: guessing it is slowed down as at sign-in."""
    name, current = own.sign_in_name, form.value("current")
    try:
        signing_in.check_password(database(), now=now(), sign_in_name=name, password=current, address=address())
    except signing_in.SignInRefused:
        raise Invalid("current", "This is not your password as it stands.") from None


def _new_codes() -> str:
    """Show ten new codes: this once, for none of them is kept as it is written."""
    own = signed_session().account
    codes = recovery.make(database(), actor(), now=now(), account_id=own.id)
    title = gettext("Recovery codes")
    lines = [config().name, title, own.sign_in_name, "", *codes, ""]
    return render_template("accounts/codes.html", codes=codes, as_text="\r\n".join(lines))


def _app_page(form: Form, secret: bytes) -> str:
    own = signed_session().account
    form.errors.pop("offer", None)
    address_of = second_factor.address_of(secret, name=own.sign_in_name, hub=config().name)
    return render_template(
        "accounts/app.html",
        form=form,
        code=_picture(address_of),
        secret=second_factor.typed(secret),
        offer=second_factor.offered(keys().vault, own.id, secret),
    )


def _picture(text: str) -> Markup:
    made = make_qr(text, error="m")
    return Markup(made.svg_inline(scale=1, omitsize=True, border=4, svgclass="qr", lineclass=None))  # noqa: S704 - segno's own SVG


def _password_page(form: Form) -> str:
    return render_template("accounts/password.html", form=form, has_password=signed_session().account.has_password)
