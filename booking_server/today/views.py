# SPDX-License-Identifier: AGPL-3.0-or-later
"""Today: taps as they happen, doors as they are, what needs a person, and the first steps of a new hub.

It shows a name only where the ledger gives one, and records who saw it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flask import Blueprint, current_app, redirect, render_template, request
from flask_babel import get_locale
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server.actors import STAFF, Role
from booking_server.billing import service as billing
from booking_server.doors import lock_down, showing
from booking_server.doors import service as doors
from booking_server.ledger import service as ledger
from booking_server.places import service as places
from booking_server.tags import exposure
from booking_server.today.first_steps import first_steps
from booking_server.web.looking import looked
from booking_server.web.request import actor, database, now
from booking_server.web.wording import day, zone

pages = Blueprint("today", __name__, template_folder="templates")
Answer = str | Response | tuple[str, int]

TAPS_SHOWN = 30


@dataclass(frozen=True, slots=True)
class DoorShown:
    """A door in use, as it last said of itself, and whether that is of now."""

    door: doors.Door
    state: doors.DoorState | None
    online: bool
    zone_name: str

    @property
    def needs_attention(self) -> bool:
        quiet = self.state is None or (self.online and not self.state.attention)
        return self.door.stolen_at is not None or not quiet


@pages.get("/")
def show() -> Answer:
    """Staff begin here, a member at their own page."""
    if not actor().is_staff:
        return redirect("/me", 303)
    with database().read() as tx:
        taps = _taps(tx)
        page = render_template(
            "today/today.html",
            steps=first_steps(tx, actor(), tapped=bool(taps)) if _may_see_taps() else (),
            taps=taps,
            may_see_taps=_may_see_taps(),
            today=day(now().astimezone(zone()).date()),
            newest=ledger.newest_event(tx),
            **_doors(tx),
        )
    looked("seen_at_doors", _people(taps))
    return page


@pages.get("/today/taps")
def taps() -> Answer:
    """The list of taps; those that came after the event `after` are marked as new."""
    actor().must_be(*STAFF)
    asked = request.args.get("after", "")
    after = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
    with database().read() as tx:
        newest = ledger.newest_event(tx)
        same = (
            _may_see_taps(),
            actor().sites(Role.HOST),
            actor().sites(*STAFF),
            str(get_locale()),
            after,
            newest,
            int(now().timestamp()),
        )

        def make() -> tuple[str, frozenset[int]]:
            found = _taps(tx)
            page = render_template("today/taps.html", taps=found, newest=newest, after=after, **_doors(tx))
            return page, _people(found)

        page, named = _once(same, make)
    looked("seen_at_doors", named)
    return page


@pages.get("/today/doors")
def doors_now() -> Answer:
    actor().must_be(*STAFF)
    with database().read() as tx:
        return render_template("today/doors.html", **_doors(tx))


def _once(same: tuple[object, ...], make: Callable[[], tuple[str, frozenset[int]]]) -> tuple[str, frozenset[int]]:
    """Return what was made for `same`, or make it: all open pages ask for the same list in the moment after a tap."""
    made: dict[tuple[object, ...], tuple[str, frozenset[int]]] = current_app.extensions.setdefault("today", {})
    found = made.get(same)
    if found is None:
        found = make()
        made.clear()
        made[same] = found
    return found


def _people(taps: Iterable[ledger.Tap]) -> frozenset[int]:
    """Return whose names stand in a list of taps."""
    return frozenset(tap.person_id for tap in taps if tap.person_id is not None)


def _may_see_taps() -> bool:
    return actor().may(Role.HOST)


def _taps(tx: Connection) -> list[ledger.Tap]:
    return ledger.recent_taps(tx, actor(), limit=TAPS_SHOWN, priced=billing.priced(tx)) if _may_see_taps() else []


def _doors(tx: Connection) -> dict[str, object]:
    states = doors.door_states(tx)
    where = actor().sites(*STAFF)
    sites, words = places.sites(tx, where), lock_down.last_words(tx)
    zones = {site.id: site.time_zone for site in sites}
    known = [door for door in doors.doors(tx) if where is None or door.site_id in where]
    shown = [
        DoorShown(door, states.get(door.id), showing.is_online(states.get(door.id), now()), zones[door.site_id])
        for door in known
        if door.retired_at is None
    ]
    shown.sort(key=lambda one: (not one.needs_attention, one.door.name.casefold()))
    return {
        "doors": shown,
        "to_exchange": exposure.count_exposed(tx) if _may_see_taps() else 0,
        "locked_down": [(site, words[site.id]) for site in sites if site.id in words and words[site.id].on],
        "silent": showing.nobody_listens((one.state for one in shown if one.state), now()),
        "door_names": {door.id: door.name for door in known},
        "door_zones": {door.id: zones[door.site_id] for door in known},
    }
