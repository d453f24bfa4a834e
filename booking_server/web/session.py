# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is signed in: an account's id and session number in a signed cookie, checked against the account at every request.

Closing an account or changing its password raises the session number and so ends its sessions everywhere. Signing out ends the
one session, on every copy of its cookie. The cookie carries no rights: the role is read from the account each time.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Flask
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from itsdangerous import BadSignature

from booking_server.actors import Actor
from booking_server.db import Database
from booking_server.people import service as people

LIFETIME = timedelta(hours=12)
"""How long a session lasts. It is not written at each request: an answer under way in another window would undo a sign-out."""


def cookie_name(*, secure: bool) -> str:
    """Return the session cookie's name. The prefix makes browsers insist on HTTPS, this host and the whole path."""
    return "__Host-hubkey" if secure else "hubkey"


def begin(session: SessionMixin, account: people.Account) -> None:
    """Sign the account in: nothing of the session before stays, but for the language."""
    language = session.get("language")
    session.clear()
    session.permanent = True
    session["account"] = account.id
    session["number"] = account.session_number
    session["id"] = secrets.token_hex(16)
    if language:
        session["language"] = language


def end(database: Database, session: SessionMixin, *, now: datetime) -> None:
    """Sign out: the session is over, also for who kept a copy of its cookie."""
    if "id" in session:
        with database.write() as tx:
            people.end_session(tx, now=now, session_id=session["id"], until=now + LIFETIME)
    session.clear()


def actor_of(database: Database, session: Mapping[str, Any]) -> Actor | None:
    """Return who the session stands for; None if nobody, or no longer."""
    if "account" not in session or "id" not in session:
        return None
    with database.read() as tx:
        account = people.account(tx, session["account"])
        ended = people.session_ended(tx, session["id"])
    if ended or account is None or account.closed or account.session_number != session.get("number"):
        return None
    return account.actor()


def read_cookie(app: Flask, value: str) -> dict[str, Any]:
    """Return what a session cookie holds; empty if it was not written by us or is too old."""
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    try:
        return cast(dict[str, Any], serializer.loads(value, max_age=int(LIFETIME.total_seconds()))) if serializer else {}
    except BadSignature:
        return {}
