# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the Flask app: which pages there are, who may see any of them, and how each answer is guarded.

Every page but the sign-in needs somebody signed in; every change is a POST with a CSRF token; no page loads or runs
anything that is not a file of this server.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, redirect, request, session
from flask_babel import Babel
from flask_wtf import CSRFProtect
from werkzeug.exceptions import BadRequest
from werkzeug.routing import IntegerConverter
from werkzeug.wrappers import Response as AnyResponse

from booking_server.accounts.sessions import Session
from booking_server.accounts.ways import ways_of
from booking_server.clock import Clock
from booking_server.config import Config
from booking_server.db import Database
from booking_server.keys import Keys
from booking_server.web import measuring, menu, problems, wording
from booking_server.web import request as state
from booking_server.web import session as signed

VIEWS = (
    "booking_server.web.signing_in",
    "booking_server.today.views",
    "booking_server.people.views",
    "booking_server.importing.views",
    "booking_server.accounts.views",
    "booking_server.accounts.own_views",
    "booking_server.accounts.confirm_views",
    "booking_server.accounts.link_views",
    "booking_server.accounts.passkey_views",
    "booking_server.accounts.federated_views",
    "booking_server.tags.views",
    "booking_server.access.views",
    "booking_server.places.views",
    "booking_server.doors.views",
    "booking_server.doors.changing_views",
    "booking_server.tags.exchange_views",
    "booking_server.doors.box_views",
    "booking_server.doors.box_api",
    "booking_server.doors.own_views",
    "booking_server.doors.lock_down_views",
    "booking_server.doors.sign_views",
    "booking_server.ledger.views",
    "booking_server.bookings.views",
    "booking_server.billing.views",
    "booking_server.invoices.views",
    "booking_server.messages.views",
    "booking_server.privacy.views",
    "booking_server.privacy.notice_views",
    "booking_server.reports.views",
)
"""The modules with pages, each with a blueprint named `pages`. One that is not there is left out."""

BOX_ENDPOINTS = frozenset({"box_api.ask", "box_api.reveal", "box_api.standing"})
"""What a new box says before anybody knows it: no browser, no session, so no token either."""
WAYS_IN = frozenset(
    {"signing_in.show", "signing_in.sign_in", "signing_in.second", "signing_in.give_code", "signing_in.give_recovery_code"}
    | {"links.ask", "links.look", "links.use", "links.which", "links.choose"}
    | {"passkeys.asking", "passkeys.sign_in", "federated.begin", "federated.back"}
)
OPEN_ENDPOINTS = (
    frozenset({"static", "signing_in.language", "signs.why", "notices.hub", "notices.door"}) | BOX_ENDPOINTS | WAYS_IN
)
HELD_PATHS = ("/me/sign-in", "/me/passkeys", "/passkeys/", "/confirm", "/sign-out", "/sign-in/federated", "/language")
"""Where somebody may go who signed in by a password alone and is to set up a second factor first."""
PROVING_PATHS = ("/confirm", "/sign-out", "/language")
"""Where they may go whose account has a second factor that this session did not prove: it changes none of them."""
FORM_BYTES_MAX = 64 * 1024

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def create_app(database: Database, config: Config, keys: Keys, clock: Clock) -> Flask:
    """Return the pages of one hub as a WSGI app. It never changes the schema and starts no thread."""
    app = Flask("booking_server.web")
    app.extensions[state.EXTENSION] = state.Hub(database, config, keys, clock)
    _set_up_session(app, config, keys)
    csrf = CSRFProtect(app)  # type: ignore[no-untyped-call]
    Babel(  # type: ignore[no-untyped-call]
        app,
        default_locale=config.language,
        default_timezone=config.time_zone,
        default_translation_directories=f"{app.root_path}/translations",
        locale_selector=wording.chosen_language,
    )
    app.url_map.converters["int"] = _Number
    app.logger.disabled = True  # problems.py logs what broke, once
    measuring.watch(app)
    app.before_request(_refuse_nul)
    app.before_request(_require_sign_in)
    app.after_request(_guard)
    wording.teach(app)
    menu.teach(app)
    problems.answer(app)
    _add_views(app)
    for endpoint in BOX_ENDPOINTS & app.view_functions.keys():
        csrf.exempt(app.view_functions[endpoint])  # type: ignore[no-untyped-call]
    return app


def _set_up_session(app: Flask, config: Config, keys: Keys) -> None:
    app.config.update(
        SECRET_KEY=keys.session_secret,
        SESSION_COOKIE_NAME=signed.cookie_name(secure=config.web.secure_cookies),
        SESSION_COOKIE_SECURE=config.web.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
        PERMANENT_SESSION_LIFETIME=signed.LIFETIME,
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=FORM_BYTES_MAX,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_options = {**app.jinja_options, "trim_blocks": True, "lstrip_blocks": True}


def _add_views(app: Flask) -> None:
    for module in VIEWS:
        if find_spec(module.rpartition(".")[0]) is not None and find_spec(module) is not None:
            app.register_blueprint(import_module(module).pages)


class _Number(IntegerConverter):
    """A number in an address that a database can hold; with a larger one there is no such page."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max": 2**31 - 1, **kwargs})


def _refuse_nul() -> None:
    """No text holds a NUL: a database may refuse it, and nobody types one."""
    sent = (request.path, *request.args.values(), *request.form.values())
    if any("\x00" in text for text in sent):
        raise BadRequest


def _require_sign_in() -> AnyResponse | None:
    found = signed.session_of(state.database(), session, now=state.now()) if request.endpoint != "static" else None
    if found is not None:
        g.session, g.actor = found, found.account.actor()
        return _hold(found)
    if request.endpoint not in OPEN_ENDPOINTS:
        return _to_sign_in()
    return None


def _hold(found: Session) -> AnyResponse | None:
    """Send who still has to prove more to where they do, or set it up; whatever else they asked for is not done."""
    if request.endpoint in OPEN_ENDPOINTS or not signed.is_held(state.config(), found):
        return None
    with state.database().read() as tx:
        has_second = ways_of(tx, found.account).has_second
    if request.path.startswith(PROVING_PATHS if has_second else HELD_PATHS):
        return None
    return _elsewhere("/confirm" if has_second else "/me/sign-in")


def _elsewhere(path: str) -> AnyResponse:
    if request.headers.get("HX-Request"):
        return Response(status=401, headers={"HX-Redirect": path})
    return redirect(path, 303)


def _to_sign_in() -> AnyResponse:
    """Send to the sign-in, and from there back to a page that was only to be seen."""
    wanted = request.method == "GET" and request.path != "/" and "HX-Request" not in request.headers
    return _elsewhere(f"/sign-in?next={quote(request.full_path.rstrip('?'))}" if wanted else "/sign-in")


def guarding(*, secure: bool) -> dict[str, str]:
    """Return the headers that every answer carries, whoever gives it. Over HTTPS browsers are to come by nothing else again."""
    return {**HEADERS, "Strict-Transport-Security": "max-age=31536000; includeSubDomains"} if secure else HEADERS


def _guard(response: Response) -> Response:
    for name, value in guarding(secure=request.is_secure).items():
        response.headers.setdefault(name, value)
    if request.endpoint != "static":
        response.headers.setdefault("Cache-Control", "no-store")
    return response
