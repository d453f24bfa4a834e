# SPDX-License-Identifier: AGPL-3.0-or-later
"""The menu: at most six places, only those that exist and that the role may use. Everything else is reached from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request
from flask_babel import lazy_gettext

from booking_server.actors import Role
from booking_server.web import request as state

DESK = frozenset({Role.ADMINISTRATOR, Role.HOST})
STAFF = DESK | {Role.BILLING}
BOOKS = frozenset({Role.ADMINISTRATOR, Role.BILLING})


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the menu. It is shown if the blueprint exists; `under` are the paths at which it is the current one."""

    blueprint: str
    path: str
    label: Any
    roles: frozenset[Role]
    under: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        if self.path == "/":
            return request.path == "/"
        return request.path.startswith((self.path, *self.under))


PLACES = (
    Place("today", "/", lazy_gettext("Today"), STAFF),
    Place("people", "/people", lazy_gettext("People"), STAFF, ("/captures", "/keytags")),
    Place("places", "/spaces", lazy_gettext("Spaces"), DESK, ("/sites", "/doors", "/boxes", "/commands", "/areas")),
    Place("bookings", "/bookings", lazy_gettext("Bookings"), STAFF),
    Place("invoices", "/months", lazy_gettext("Months"), BOOKS, ("/invoices", "/entries")),
    Place("accounts", "/accounts", lazy_gettext("Accounts"), frozenset({Role.ADMINISTRATOR})),
)


def places() -> list[Place]:
    """Return the menu of whoever is signed in."""
    if not state.is_signed_in():
        return []
    who = state.actor()
    return [place for place in PLACES if place.blueprint in current_app.blueprints and who.may(*place.roles)]


def teach(app: Flask) -> None:
    """Give the templates `menu()`, and `actor` (None where nobody is signed in)."""
    app.jinja_env.globals["menu"] = places
    app.context_processor(lambda: {"actor": state.actor() if state.is_signed_in() else None})
