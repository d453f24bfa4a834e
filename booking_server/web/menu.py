# SPDX-License-Identifier: AGPL-3.0-or-later
"""The menu: at most six places, only those that exist and that the role may use. Everything else is reached from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request
from flask_babel import lazy_gettext

from booking_server.actors import STAFF, Actor, Role
from booking_server.web import request as state

DESK = frozenset({Role.HOST})
BOOKS = frozenset({Role.BILLING})
DESK_AND_BOOKS = DESK | BOOKS
ADMINISTRATORS = frozenset({Role.ADMINISTRATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the menu: for who has one of `roles` (`everywhere`: in the whole hub) and none of `but`, who have it
    elsewhere. `under` are the paths at which it is the current one."""

    blueprint: str
    path: str
    label: Any
    roles: frozenset[Role]
    everywhere: bool = False
    but: frozenset[Role] = frozenset()
    under: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        if self.path == "/":
            return request.path == "/"
        return request.path.startswith((self.path, *self.under))

    def is_for(self, who: Actor) -> bool:
        if self.blueprint not in current_app.blueprints or (self.but and who.may(*self.but)):
            return False
        return who.may_everywhere(*self.roles) if self.everywhere else who.may(*self.roles)


AROUND_SPACES = ("/sites", "/doors", "/boxes", "/commands", "/areas")
PLACES = (
    Place(blueprint="today", path="/", label=lazy_gettext("Today"), roles=STAFF),
    Place(
        blueprint="people", path="/people", label=lazy_gettext("People"), roles=DESK_AND_BOOKS, under=("/captures", "/keytags")
    ),
    Place(blueprint="places", path="/spaces", label=lazy_gettext("Spaces"), roles=DESK, under=AROUND_SPACES),
    Place(blueprint="boxes", path="/boxes", label=lazy_gettext("New boxes"), roles=frozenset({Role.CARETAKER}), but=DESK),
    Place(blueprint="bookings", path="/bookings", label=lazy_gettext("Bookings"), roles=DESK_AND_BOOKS),
    Place(
        blueprint="invoices",
        path="/months",
        label=lazy_gettext("Months"),
        roles=BOOKS,
        everywhere=True,
        under=("/invoices", "/entries"),
    ),
    Place(blueprint="reports", path="/reports", label=lazy_gettext("Reports"), roles=frozenset({Role.REPORTS}), but=BOOKS),
    Place(blueprint="me", path="/me", label=lazy_gettext("My page"), roles=frozenset({Role.MEMBER}), but=STAFF),
    Place(blueprint="accounts", path="/accounts", label=lazy_gettext("Accounts"), roles=ADMINISTRATORS, everywhere=True),
)


def places() -> list[Place]:
    """Return the menu of whoever is signed in."""
    who = state.actor() if state.is_signed_in() else None
    return [] if who is None else [place for place in PLACES if place.is_for(who)]


def teach(app: Flask) -> None:
    """Give the templates `menu()`, and `actor` (None where nobody is signed in)."""
    app.jinja_env.globals["menu"] = places
    app.context_processor(lambda: {"actor": state.actor() if state.is_signed_in() else None})
