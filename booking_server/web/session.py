# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which session a browser is in: a random token in a signed cookie, looked up at every request (accounts/sessions.py).

The cookie carries no rights. Beside the token it holds what is lost without harm: the language and a note to show once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, cast

from flask import Flask, Response, after_this_request, current_app, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

from booking_server.accounts import browsers, sessions, ways
from booking_server.accounts.service import Account
from booking_server.accounts.sessions import Session
from booking_server.config import Config
from booking_server.db import Database
from booking_server.logs import Security, security

LIFETIME = sessions.MEMBER_LIFE
"""How long a browser keeps the cookie; the server may end a session earlier. It is not written at each request: an answer
under way in another window would undo a sign-out."""


def cookie_name(*, secure: bool) -> str:
    """Return the session cookie's name. The prefix makes browsers insist on HTTPS, this host and the whole path."""
    return "__Host-hubkey" if secure else "hubkey"


def begin(
    database: Database,
    session: SessionMixin,
    account: Account,
    *,
    now: datetime,
    how: Collection[str],
    address: str,
    device: str,
) -> None:
    """Sign the account in: nothing of the session before stays but the language. A new browser is told of by mail."""
    language, before, name = session.get("language"), session.get("token"), _browser_name(current_app)
    with database.write() as tx:
        if before:
            sessions.end(tx, now=now, session_id=sessions.id_of(before))
        token = sessions.begin(tx, now=now, account_id=account.id, how=how, address=address, device=device)
        word = browsers.note(
            tx,
            account,
            now=now,
            word=request.cookies.get(name),
            address=address,
            device=device,
            is_told=set(how) != {"link"},
        )
    security(Security.SIGNED_IN, account=account.id, address=address, how="+".join(sorted(how)))
    _keep(name, word)
    session.clear()
    session.permanent = True
    session["token"] = token
    if language:
        session["language"] = language


def confirm(database: Database, session: SessionMixin, own: Session, *, now: datetime, how: str, address: str) -> None:
    """Note that who sits there proved once more, by `how`, who they are. The browser's token changes with it."""
    with database.write() as tx:
        if how != "federated":  # it proved who they are there; it brings no role and no second factor
            sessions.add_proof(tx, session_id=own.id, how=how)
        session["token"] = sessions.confirm(tx, now=now, session_id=own.id)
    security(Security.CONFIRMED, account=own.account.id, address=address, how=how)


def _browser_name(app: Flask) -> str:
    return f"{app.config['SESSION_COOKIE_NAME']}-browser"


def _keep(name: str, word: str) -> None:
    """Let the browser keep by what it is known again. It stays when somebody signs out."""

    @after_this_request
    def keep(response: Response) -> Response:
        response.set_cookie(
            name,
            word,
            max_age=browsers.KNOWN_FOR,
            path="/",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )
        return response


def end(database: Database, session: SessionMixin, *, now: datetime) -> None:
    """Sign out: the session is over, also for who kept a copy of its cookie."""
    if "token" in session:
        with database.write() as tx:
            sessions.end(tx, now=now, session_id=sessions.id_of(session["token"]))
    session.clear()


def session_of(database: Database, session: Mapping[str, Any], *, now: datetime) -> Session | None:
    """Return the session that the cookie stands for; None if none, or no longer. Now and then, note that it is in use."""
    token = session.get("token")
    if not isinstance(token, str):
        return None
    with database.read() as tx:
        found = sessions.session(tx, now=now, token=token)
    if found is not None and now - found.seen_at >= sessions.SEEN_EVERY:
        with database.write() as tx:
            sessions.seen(tx, now=now, session_id=found.id)
    return found


def is_held(config: Config, session: Session) -> bool:
    """True of a session that may only prove more, or set up what proves more. That its account has more by now frees no
    session that did not prove it: whoever has a stolen password would only have to wait."""
    return ways.may_be_held(config, session.account, session.how)


def read_cookie(app: Flask, value: str) -> dict[str, Any]:
    """Return what a session cookie holds; empty if it was not written by us or is too old."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    try:
        return cast(dict[str, Any], serializer.loads(value, max_age=int(LIFETIME.total_seconds()))) if serializer else {}
    except BadSignature:
        return {}
