# SPDX-License-Identifier: AGPL-3.0-or-later
"""To the provider and back: to sign in, to prove again who one is, to connect one's own account with it.

What is under way stands in the browser's own session and is taken out of it by the first that comes back.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from flask import Blueprint, flash, redirect, request, session
from flask_babel import gettext
from werkzeug.wrappers import Response

from booking_server.accounts import federated, sessions
from booking_server.accounts.openid import Begun, Claims, Provider, Refused
from booking_server.config import Federated
from booking_server.errors import BookingServerError, Invalid, NotFound
from booking_server.logs import Security, security
from booking_server.web import session as signed
from booking_server.web.confirming import confirmed
from booking_server.web.forms import say
from booking_server.web.proving import go_on, local
from booking_server.web.request import actor, address, config, database, is_signed_in, now, signed_session

pages = Blueprint("federated", __name__, template_folder="templates")
BACK = "/sign-in/federated/back"
_UNDER_WAY = "federated"
_PAGES = {"sign_in": "/sign-in", "confirm": "/confirm", "link": "/me/sign-in"}
"""What somebody goes there for, and the page that says how it went if it went wrong."""


@pages.app_template_global()
def federated_name() -> str:
    """Return what the button says; empty without a provider."""
    found = config().sign_in.federated
    return found.name if found.issuer else ""


@pages.app_template_global()
def federated_linked() -> bool:
    """True if whoever is signed in is known there."""
    with database().read() as tx:
        return federated.is_linked(tx, actor().account_id or 0, config().sign_in.federated.issuer)


@pages.get("/sign-in/federated")
def begin() -> Response:
    """Go there. A link, not a form: browsers let no form of ours end at another site."""
    purpose, after = request.args.get("for", "sign_in"), local(request.args.get("next", ""))
    if purpose not in _PAGES or (purpose != "sign_in" and not is_signed_in()):
        purpose = "sign_in"
    if purpose == "link" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return redirect("/me/sign-in", 303)  # another site's link, or a mail's, would connect whom it signed in there before
    try:
        url, begun = _provider().begin(now=now(), anew=purpose == "confirm")
    except Refused as problem:
        return _refused(problem, purpose, after)
    session[_UNDER_WAY] = {**asdict(begun), "purpose": purpose, "after": after}
    return redirect(url, 303)


@pages.get(BACK)
def back() -> Response:
    kept: dict[str, Any] = session.pop(_UNDER_WAY, {})
    purpose, after = kept.pop("purpose", "sign_in"), kept.pop("after", "/")
    if purpose != "sign_in" and not is_signed_in():
        purpose = "sign_in"
    try:
        begun = Begun(**kept) if kept else None
        claims = _provider().finish(begun, request.args, now=now(), anew=purpose == "confirm")
        return {"sign_in": _sign_in, "confirm": _confirm, "link": _link}[purpose](claims, after)
    except Refused as problem:
        return _refused(problem, purpose, after)


@pages.post("/me/sign-in/federated/removal")
@confirmed
def remove() -> Response:
    own = signed_session()
    try:
        with database().write() as tx:
            federated.unlink(tx, actor(), now=now(), issuer=_settings().issuer)
            sessions.end_all(tx, actor(), now=now(), account_id=own.account.id, but=[own.id])
    except Invalid as problem:
        return _refused(problem, "link", "/")
    flash(gettext("%(name)s signs you in no longer. Your other sessions have ended.", name=federated_name()))
    return redirect("/me/sign-in", 303)


def _sign_in(claims: Claims, after: str) -> Response:
    with database().write() as tx:
        account = federated.account_of(tx, claims, _settings(), now=now())
    federated.must_have_a_role(account, _settings())
    how = ("federated", "mfa") if claims.two_factors else ("federated",)
    return go_on(account, how=how, after=after)


def _confirm(claims: Claims, after: str) -> Response:
    own = signed_session()
    with database().read() as tx:
        known = federated.linked(tx, claims)
        if known is None or known.id != own.account.id:
            raise Refused("You are somebody else there than here, so nothing was confirmed.")
    signed.confirm(database(), session, own, now=now(), how="federated", address=address())
    return redirect(after, 303)


def _link(claims: Claims, _after: str) -> Response:
    if not signed_session().is_confirmed(now()):
        return redirect("/confirm?next=/me/sign-in", 303)
    with database().write() as tx:
        federated.link(tx, actor(), claims, _settings(), now=now())
    flash(gettext("%(name)s signs you in from now on.", name=federated_name()))
    return redirect("/me/sign-in", 303)


def _provider() -> Provider:
    return Provider(_settings(), f"{config().web.origin}{BACK}")


def _settings() -> Federated:
    found = config().sign_in.federated
    if not found.issuer:
        raise NotFound("This hub has no sign-in elsewhere.")
    return found


def _refused(problem: BookingServerError, purpose: str, after: str) -> Response:
    account = signed_session().account.id if is_signed_in() else None
    security(Security.SIGN_IN_FAILED, account=account, address=address(), how="federated")
    flash(say(problem), "bad")
    return redirect(_PAGES[purpose] + (f"?next={quote(after)}" if after != "/" else ""), 303)
