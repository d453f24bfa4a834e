# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys on the pages: one button to sign in or to prove who one is, and one's own list. passkeys.js speaks with the browser;
whatever it brings is an ordinary form."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from flask import Blueprint, flash, jsonify, redirect, request, session
from flask_babel import gettext
from webauthn import generate_authentication_options, generate_registration_options, options_to_json
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.helpers.structs import (
    PublicKeyCredentialCreationOptions as Making,
)
from webauthn.helpers.structs import (
    PublicKeyCredentialRequestOptions as Proving,
)

from booking_server.accounts import challenges, passkeys, recovery, sessions
from booking_server.accounts.challenges import Challenge, Purpose
from booking_server.accounts.passkey_place import Place, Why, place_of, seen_at
from booking_server.accounts.passkeys import Passkey
from booking_server.accounts.service import Account
from booking_server.accounts.ways import ways_of
from booking_server.errors import Invalid
from booking_server.logs import Security, security
from booking_server.web import session as signed
from booking_server.web.confirming import confirmed, is_confirmed
from booking_server.web.forms import Form, say
from booking_server.web.proving import finish, local
from booking_server.web.request import actor, address, config, database, is_signed_in, keys, now, signed_session
from booking_server.web.signing_in import can_mail

pages = Blueprint("passkeys", __name__, template_folder="templates")
Answer = Any
Options = Making | Proving


@pages.app_template_global()
def passkey_place() -> Place | Why:
    """Return where passkeys work for who sees this page, or why not here."""
    return seen_at(place_of(config()), request.host)


@pages.app_template_global()
def passkeys_work_at() -> str:
    """Return the address at which passkeys work; empty if nowhere."""
    place = place_of(config())
    return place.origin if isinstance(place, Place) else ""


@pages.app_template_global()
def own_passkeys() -> list[Passkey]:
    """Return the passkeys of whoever is signed in."""
    with database().read() as tx:
        return passkeys.passkeys_of(tx, actor().account_id or 0)


@pages.post("/passkeys/asking")
def asking() -> Answer:
    """Tell the browser what to have signed: for a new passkey, or by one that is known."""
    purpose = request.form.get("purpose", "")
    if purpose == "sign_in":
        return _asked("sign_in", _to_prove([]))
    if not is_signed_in():
        return jsonify(go="/sign-in"), 401
    if purpose == "register" and not is_confirmed():
        return jsonify(go="/confirm?next=/me/sign-in"), 401
    account = signed_session().account
    with database().read() as tx:
        own, handle = passkeys.passkeys_of(tx, account.id), passkeys.handle_of(tx, account.id)
    if purpose == "register":
        return _asked("register", _to_make(account, own, handle), handle=handle)
    return _asked("confirm", _to_prove(own))


@pages.post("/sign-in/passkey")
def sign_in() -> Answer:
    form = Form.posted()
    try:
        account = _proved("sign_in", form)
    except Invalid as problem:
        return _refused(problem, "/sign-in", form)
    return finish(account, how=("passkey",), after=local(form.value("next")))


@pages.post("/confirm/passkey")
def confirm() -> Answer:
    form, own = Form.posted(), signed_session()
    try:
        _proved("confirm", form, own.account.id)
    except Invalid as problem:
        return _refused(problem, "/confirm", form)
    signed.confirm(database(), session, own, now=now(), how="passkey", address=address())
    return redirect(local(form.value("next")), 303)


@pages.post("/me/passkeys")
@confirmed
def add() -> Answer:
    form = Form.posted()
    try:
        challenge = _challenge("register", form)
        with database().write() as tx:
            made = passkeys.add(
                tx, actor(), now=now(), place=_place(), challenge=challenge, answer=form.value("answer"), name=form.text("name")
            )
            sessions.add_proof(tx, session_id=signed_session().id, how="passkey")
    except Invalid as problem:
        return _refused(problem, "/me/sign-in", form)
    flash(gettext("The passkey %(name)s signs you in from now on.", name=made.name))
    return redirect("/me/sign-in", 303)


@pages.post("/me/passkeys/<int:passkey_id>/name")
def rename(passkey_id: int) -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            passkeys.rename(tx, actor(), passkey_id=passkey_id, name=form.text("name"))
    except Invalid as problem:
        return _refused(problem, "/me/sign-in", form)
    return redirect("/me/sign-in", 303)


@pages.post("/me/passkeys/<int:passkey_id>/removing")
@confirmed
def remove(passkey_id: int) -> Answer:
    """Forget a passkey. Other sessions end: it may have begun them."""
    own = signed_session()
    by_link = can_mail() and own.account.person_id is not None and not actor().is_staff
    try:
        with database().write() as tx:
            removed = passkeys.remove(tx, actor(), now=now(), passkey_id=passkey_id, by_link=by_link)
            if not ways_of(tx, own.account).has_second:
                recovery.drop(tx, own.account.id)
            sessions.end_all(tx, actor(), now=now(), account_id=own.account.id, but=[own.id])
    except Invalid as problem:
        return _refused(problem, "/me/sign-in", Form.posted())
    flash(gettext("The passkey %(name)s signs nobody in any more. Delete it on its device too.", name=removed.name))
    return redirect("/me/sign-in", 303)


def _to_make(account: Account, own: list[Passkey], handle: str) -> Callable[[bytes], Options]:
    return lambda challenge: generate_registration_options(
        rp_id=_place().host,
        rp_name=_place().hub,
        challenge=challenge,
        user_name=account.sign_in_name,
        user_display_name=account.name,
        user_id=base64url_to_bytes(handle),
        exclude_credentials=_described(own),
        supported_pub_key_algs=list(passkeys.ALGORITHMS),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )


def _to_prove(own: list[Passkey]) -> Callable[[bytes], Options]:
    """Without passkeys named, the browser offers those that its devices have for this hub."""
    return lambda challenge: generate_authentication_options(
        rp_id=_place().host,
        challenge=challenge,
        allow_credentials=_described(own),
        user_verification=UserVerificationRequirement.REQUIRED,
    )


def _asked(purpose: Purpose, options: Callable[[bytes], Options], *, handle: str = "") -> Answer:
    new, sealed = challenges.ask(keys().session_secret, now=now(), purpose=purpose, browser=_browser(), handle=handle)
    return jsonify(options=json.loads(options_to_json(options(new.challenge))), sealed=sealed)


def _challenge(purpose: Purpose, form: Form) -> Challenge:
    return challenges.answered(
        database(), keys().session_secret, now=now(), purpose=purpose, browser=_browser(), sealed=form.value("sealed")
    )


def _proved(purpose: Purpose, form: Form, account_id: int | None = None) -> Account:
    """Return whose passkey answered. Raise Invalid."""
    challenge = _challenge(purpose, form)
    with database().write() as tx:
        return passkeys.account_of(
            tx, now=now(), place=_place(), challenge=challenge, answer=form.value("answer"), account_id=account_id
        )


def _refused(problem: Invalid, page: str, form: Form) -> Answer:
    account = signed_session().account.id if is_signed_in() else None
    security(Security.SIGN_IN_FAILED, account=account, address=address(), how="passkey")
    flash(say(problem), "bad")
    return redirect(f"{page}?next={quote(local(form.value('next')))}" if form.value("next") else page, 303)


def _place() -> Place:
    place = place_of(config())
    if not isinstance(place, Place):
        raise Invalid("passkey", "Passkeys do not work at this address.")
    return place


def _browser() -> str:
    """Return what this browser's forms have in their token: checked already, and in its cookie only."""
    return str(session.get("csrf_token", ""))


def _described(own: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id), transports=[AuthenticatorTransport(name) for name in one.transports]
        )
        for one in own
    ]
