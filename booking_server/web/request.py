# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a view may ask for while it answers: the database, the settings, the keys, the time, and who is acting.

One typed door to Flask's request state, so that no view reaches into `g`, the app or the session by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from flask import current_app, g, request

from booking_server.accounts.sessions import Session
from booking_server.actors import Actor, NotAllowed
from booking_server.clock import Clock
from booking_server.config import Config
from booking_server.db import Database
from booking_server.keys import Keys

EXTENSION = "booking_server"


@dataclass(frozen=True, slots=True)
class Hub:
    """What one web process serves from."""

    database: Database
    config: Config
    keys: Keys
    clock: Clock


def hub() -> Hub:
    return cast(Hub, current_app.extensions[EXTENSION])


def database() -> Database:
    return hub().database


def config() -> Config:
    return hub().config


def keys() -> Keys:
    return hub().keys


def clock() -> Clock:
    return hub().clock


def now() -> datetime:
    """Return the instant of this request by the hub's clock."""
    if "now" not in g:
        g.now = clock().now()
    return cast(datetime, g.now)


def actor() -> Actor:
    """Return who is signed in. Raise NotAllowed where nobody is."""
    if not is_signed_in():
        raise NotAllowed("nobody is signed in")
    return cast(Actor, g.actor)


def is_signed_in() -> bool:
    return "actor" in g


def signed_session() -> Session:
    """Return the session of whoever is signed in. Raise NotAllowed where nobody is."""
    if "session" not in g:
        raise NotAllowed("nobody is signed in")
    return cast(Session, g.session)


def address() -> str:
    """Return where this request came from, as a web server on this machine says it of its own visitors."""
    return request.remote_addr or ""


def device() -> str:
    """Return what the browser says it is."""
    return request.headers.get("User-Agent", "")
