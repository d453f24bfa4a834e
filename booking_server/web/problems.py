# SPDX-License-Identifier: AGPL-3.0-or-later
"""The page for each thing that can go wrong: what happened and what to do, in the reader's language. A bug is logged whole
and shown as one sentence; nothing of its inside reaches the page."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, render_template, request
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException, InternalServerError

from booking_server.actors import NotAllowed
from booking_server.errors import BookingServerError, Invalid, NotFound
from booking_server.logs import Security, security
from booking_server.web.forms import say
from booking_server.web.request import actor, config, is_signed_in

log = structlog.get_logger()
Answer = tuple[str, int]


def answer(app: Flask) -> None:
    """Let the app answer each family of faults with its own status and page."""
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(Invalid, _invalid)
    app.register_error_handler(NotAllowed, _not_allowed)
    app.register_error_handler(CSRFError, _form_too_old)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(InternalServerError, _bug)


def _page(status: int, title: str, advice: str) -> Answer:
    return render_template("problem.html", title=title, advice=advice), status


def _not_found(problem: BookingServerError) -> Answer:
    return _page(404, gettext("Not found"), say(problem))


def _invalid(problem: BookingServerError) -> Answer:
    return _page(422, gettext("That did not work"), say(problem))


def _not_allowed(_problem: NotAllowed) -> Answer:
    security(Security.NOT_ALLOWED, **_who())
    advice = gettext("Your account may not do this. Ask an administrator of the hub if you need it.")
    return _page(403, gettext("Not allowed"), advice)


def _form_too_old(_problem: CSRFError) -> Answer:
    security(Security.FORM_REFUSED, **_who())
    if config().web.secure_cookies and not request.is_secure and not request.cookies:
        advice = gettext("These pages work only over HTTPS. Open the address that begins with https://.")
        return _page(400, gettext("Please send the form again"), advice)
    advice = gettext("The form had become too old and nothing was changed. Go back, reload the page and send it again.")
    return _page(400, gettext("Please send the form again"), advice)


def _who() -> dict[str, Any]:
    """Return who asked for what, as a log may say it."""
    account = actor().account_id if is_signed_in() else None
    return {"account": account, "address": request.remote_addr, "endpoint": request.endpoint or "none"}


def _http(problem: HTTPException) -> Any:
    if problem.code is None or problem.code < 400:
        return problem.get_response()
    title, advice = _words(problem.code)
    return _page(problem.code, title, advice)


def _words(status: int) -> tuple[str, str]:
    if status == 404:
        return gettext("Not found"), gettext("There is no such page. Use the menu to find what you need.")
    if status == 405:
        return gettext("Not found"), gettext("This address only takes a form. Use the menu to find what you need.")
    if status == 413:
        return gettext("Too large"), gettext("The form was too large and nothing was changed. Shorten what you wrote.")
    return gettext("That did not work"), gettext("The server did not understand the request. Go back and try again.")


def _bug(problem: InternalServerError) -> Answer:
    log.error("page_failed", endpoint=request.endpoint, exc_info=problem.original_exception or problem)
    advice = gettext("The server made a mistake. It has been written to the log; what you sent was not saved.")
    return _page(500, gettext("Something broke here"), advice)
