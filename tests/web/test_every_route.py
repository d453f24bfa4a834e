# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does every address answer those it is for, and nobody else? Each is tried by everybody, at one's own site and at another.

What is asked for is there once at the site "here", where Aino is the member, and once "there", where Ville is. An address that
is in no table fails: whoever adds one says who may.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from access_contract.vocabulary import TagNumber
from booking_server import schema
from booking_server.accounts import service as accounts
from booking_server.accounts import sessions
from booking_server.actors import COMMAND_LINE, STAFF, Actor, Holds, Role
from booking_server.config import Config, Seller, SignIn
from booking_server.db import Database
from booking_server.doors import commands, hours
from booking_server.invoices import service as invoices
from booking_server.keys import make_keys
from booking_server.ledger import service as ledger
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.privacy import asking, freezing
from booking_server.web import request as state
from booking_server.web.app import create_app
from tests.booking_server.hub import StillClock
from tests.booking_server.invoices.office import TurnedByHand
from tests.system.desk import Desk
from tests.web.playing import PlayedDoor
from tests.web.rights import OWN, RIGHTS, Right

OCTOBER, NOW = datetime(2026, 10, 6, 9, 0, tzinfo=UTC), datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SELLER = Seller(name="Omnia Oy", address="Katu 1, 02100 Espoo", business_id="2077474-0", iban="FI2112345600000785")
HTTPS = "https://hub.example"

NEEDS_MORE = {
    "boxes.approve": "a box that waits",
    "boxes.refuse": "a box that waits",
    "boxes.show": "a box that waits",
    "boxes.state": "a box that waits",
    "exchange.exchange": "a keytag that was exposed",
    "federated.back": "a provider",
    "federated.begin": "a provider",
    "importing.apply": "a file that waits",
    "importing.drop": "a file that waits",
    "importing.report": "a file that waits",
    "importing.show": "a file that waits",
    "links.look": "a link",
    "links.use": "a link",
    "links.choose": "a link",
    "links.which": "a link",
    "box_api.reveal": "a box that waits",
    "box_api.standing": "a box that waits",
    "tags.capture": "a capture begun in this browser",
    "tags.hand_out": "a capture begun in this browser",
    "messages.leave": "a message",
    "messages.send_again": "a message",
    "passkeys.remove": "a passkey",
    "passkeys.rename": "a passkey",
    "passkeys.asking": "a reason to ask",
    "me.end_session": "another session",
    "changing.putting_out": "a stolen box",
    "federated.remove": "an account known elsewhere",
    "passkeys.sign_in": "a passkey",
    "signing_in.give_code": "a password just given",
    "signing_in.give_recovery_code": "a password just given",
    "signing_in.second": "a password just given",
    "signing_in.sign_out": "",
}
"""What these answer without what they need is "there is no such thing", also to those whom they are for."""


@dataclass(frozen=True, slots=True)
class Place:
    """What there is at one site, and whose."""

    site_id: int
    owner: int
    ids: dict[str, object]


@dataclass(frozen=True, slots=True)
class Town:
    """A hub with two sites, somebody of each kind, and the file that holds it as it is before anybody asks."""

    app: Flask
    file: Path
    here: Place
    there: Place
    tokens: dict[str, tuple[Actor, str]]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    database, keys = Database(f"sqlite:///{folder / 'hub.sqlite'}"), make_keys(folder / "state")
    schema.upgrade(database)
    clock = TurnedByHand(OCTOBER)
    desk = Desk(database, keys, clock)
    here, there = (_fill(desk, clock, name, who, digit) for name, who, digit in (("Omnia", "Aino", 1), ("Kera", "Ville", 2)))
    clock.at = NOW
    with database.write() as tx:
        made = invoices.close_month(
            tx, desk.actor, now=NOW, month="2026-10", seller=SELLER, demo=False, left_open="the doors are played"
        )
        for place in (here, there):
            own = next(one for one in made if one.customer_id == place.ids["customer_id"])
            place.ids["invoice_id"] = own.id
        tokens = dict(_people(tx, here, there))
    _fold(folder / "hub.sqlite")
    config = Config(
        database="", state_folder=str(folder / "state"), language="en", seller=SELLER, sign_in=SignIn(second_factor="nobody")
    )
    app = create_app(database, config, keys, StillClock(NOW))
    app.config["WTF_CSRF_ENABLED"] = False  # tests/web/test_guarded.py holds every form to its token
    yield Town(app, folder / "hub.sqlite", here, there, tokens)
    database.close()


def _fill(desk: Desk, clock: TurnedByHand, site: str, name: str, digit: int) -> Place:
    """Make a site with a space, a door and a person who tapped and booked there, and return what can be asked for."""
    clock.at = OCTOBER
    root = desk.site(site)
    space = desk.space(root, f"{site} studio", "pop-up", bookable=True)
    desk.price(space, "entry", 420, from_day=date(2026, 10, 1))
    person, door_id, number = desk.person(f"{name} Test"), f"door-{digit}", TagNumber.parse(f"04 78 2E 21 80 1D 8{digit}")
    desk.door(door_id, f"{site} door", leads_into=space)
    tag, grant = desk.tag(person, number), desk.grant(person, space, from_day=date(2026, 10, 1))
    door = PlayedDoor(desk, door_id)
    door.tap(number)
    clock.at = NOW
    booking = desk.book(space, person, NOW + timedelta(days=2), NOW + timedelta(days=2, hours=1))
    with desk.database.write() as tx:
        asked = commands.ask_open(tx, desk.actor, now=NOW, door_id=door_id, reason="a parcel")
        own_hours = hours.add_hours(
            tx, desk.actor, now=NOW, door_id=door_id, weekdays=1, from_time=time(8), until_time=time(16)
        )
        freeze = freezing.freeze(
            tx,
            desk.actor,
            now=NOW,
            door_id=door_id,
            from_day=date(2026, 11, 20),
            through_day=date(2026, 11, 24),
            kept_until=date(2026, 12, 24),
            reason="a window",
        )
        site_id = places.area(tx, space).site_id
        entry = _entry(tx, desk.actor, space)
        customer = _customer(tx, person)
    return Place(
        site_id=site_id,
        owner=person,
        ids={
            "site_id": site_id,
            "area_id": space,
            "space_id": space,
            "root": root,
            "person_id": person,
            "customer_id": customer,
            "door_id": door_id,
            "keytag_id": tag,
            "grant_id": grant,
            "booking_id": booking,
            "command": asked.command,
            "hours_id": own_hours.id,
            "freeze_id": freeze.id,
            "entry_id": entry,
            "month": "2026-10",
            "box_id": "none",
            "enrolment_id": "none",
            "token": "none",
            "session_id": "none",
            "passkey_id": 999,
            "message_id": 999,
            "upload_id": 999,
        },
    )


def _entry(tx: Connection, actor: Actor, space: int) -> int:
    """Return the entry that was made in a space."""
    return next(one.id for one in ledger.entries_of_month(tx, actor, "2026-10") if one.space_id == space)


def _customer(tx: Connection, person_id: int) -> int:
    return people.person(tx, COMMAND_LINE, person_id).customer_id


def _people(tx: Connection, here: Place, there: Place) -> Iterator[tuple[str, tuple[Actor, str]]]:
    """Yield everybody who asks: each role of the staff in the whole hub and at one site, and two members."""
    held: dict[str, tuple[set[Holds], int | None]] = {}
    for role in sorted(STAFF):
        held[f"{role} of the hub"] = {(role, None)}, None
        held[f"{role} here"] = {(role, here.site_id)}, None
    for name, place in (("Aino", here), ("Ville", there)):
        held[name] = {(Role.MEMBER, None)}, place.owner
    for name, (roles, person_id) in held.items():
        role, site_id = next(iter(roles))
        made = accounts.add_account(
            tx,
            COMMAND_LINE,
            now=NOW,
            sign_in_name=name,
            name=name,
            role=role,
            site_id=site_id,
            password=None,
            person_id=person_id,
        )
        place_of = here if person_id == here.owner else there if person_id == there.owner else None
        if place_of is not None:
            place_of.ids["wish_id"] = asking.ask(tx, made.actor(), now=NOW, kind="correct", text="My name is wrong.").id
        token = sessions.begin(tx, now=NOW, account_id=made.id, how=("passkey",), address="192.0.2.1", device="a browser")
        yield name, (made.actor(), token)
    for place in (here, there):
        other = accounts.add_account(
            tx, COMMAND_LINE, now=NOW, sign_in_name=f"other {place.site_id}", name="", role=Role.HOST, password=None
        )
        place.ids["account_id"] = other.id


def _fold(file: Path) -> None:
    """Let the file hold all by itself, to be copied."""
    with sqlite3.connect(file) as database:
        database.execute("pragma wal_checkpoint(truncate)")


def _forms(ids: dict[str, object]) -> dict[str, dict[str, object]]:
    """What is typed where a form must name a thing for the question who may to arise at all."""
    return {
        "access.grant": {"area_id": ids["space_id"], "from_day": "1.12.2026", "weekdays": ["0"]},
        "billing.set_price": {"unit": "entry", "amount": "5", "vat": "25,5", "from_day": "1.12.2026"},
        "bookings.book": {
            "space_id": ids["space_id"],
            "person_id": ids["person_id"],
            "start_day": "1.12.2026",
            "start_time": "9",
            "end_time": "10",
        },
        "boxes.approve": {"door_id": ids["door_id"], "code": "123456"},
        "changing.mark_stolen": {"reason": "torn off the wall"},
        "changing.move": {"name": "Another name", "leads_into": ids["space_id"]},
        "doors.add": {
            "leads_into": ids["space_id"],
            "door_id": "new-door",
            "name": "New",
            "log_named": "never",
            "log_days": "30",
        },
        "doors.change_log": {"log_named": "never", "log_days": "30"},
        "doors.open_once": {"reason": "a parcel"},
        "doors.set_mode": {"mode": "blocked", "reason": "painting"},
        "lock_down.begin": {"reason": "a fire"},
        "own.add_hours": {"weekdays": ["0"], "from_time": "8", "until_time": "9"},
        "own.change_rules": {"snapshot_expiry_days": "7", "minimum_assurance": "0"},
        "places.add_area": {"parent_id": ids["root"], "kind": "floor", "name": "Second floor"},
        "places.add_site": {"name": "Third site", "time_zone": "Europe/Helsinki"},
        "places.add_space": {"parent_id": ids["root"], "kind": "office", "capacity": "1", "name": "Office"},
        "places.change": {"kind": "office", "capacity": "1", "name": "Office"},
        "privacy.freeze": {
            "door_id": ids["door_id"],
            "from_day": "20.11.2026",
            "through_day": "24.11.2026",
            "kept_until": "24.12.2026",
            "reason": "a window was broken",
        },
        "tags.ask": {"door_id": ids["door_id"]},
    }


def test_every_address_says_who_may(town: Town) -> None:
    """Each endpoint of the pages is in the table of rights, and nothing else is."""
    assert {rule.endpoint for rule in town.app.url_map.iter_rules()} == set(RIGHTS)


def _rules() -> list[str]:
    return sorted(RIGHTS.keys() - {"static"})


@pytest.mark.parametrize("endpoint", _rules())
def test_an_address_is_for_those_it_says(town: Town, endpoint: str) -> None:
    """Whoever may is answered, here and there; whoever may not is refused, and is shown nothing of it."""
    right = RIGHTS[endpoint]
    wrong = []
    for rule in (one for one in town.app.url_map.iter_rules() if one.endpoint == endpoint):
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            for name, (who, token) in _askers(town, right):
                for place in (town.here, town.there):
                    may = right.allows(who, site_id=place.site_id, owner=place.owner)
                    with _as_it_was(town) if may and method == "POST" else nullcontext():
                        answer = _ask(town, rule, method, place, token)
                    if not _fits(endpoint, answer, may=may):
                        where = "here" if place is town.here else "there"
                        wrong.append(f"{method} {rule.rule} by {name} {where}: {answer.status_code}, may: {may}")
    assert wrong == []


def _askers(town: Town, right: Right) -> list[tuple[str, tuple[Actor | None, str]]]:
    """Everybody; where roles do not matter, nobody and two who are signed in."""
    everybody: list[tuple[str, tuple[Actor | None, str]]] = [("nobody", (None, "")), *town.tokens.items()]
    few = ("nobody", "Aino", f"{Role.REPORTS} here")
    return [one for one in everybody if one[0] in few] if right.anybody or right.signed_in else everybody


def _ask(town: Town, rule: Rule, method: str, place: Place, token: str) -> TestResponse:
    client = town.app.test_client()
    if token:
        with client.session_transaction(base_url=HTTPS) as session:
            session["token"] = token
    path = town.app.url_map.bind("hub.example").build(rule.endpoint, {n: place.ids[n] for n in rule.arguments}, method)
    return client.open(path, method=method, base_url=HTTPS, data=_forms(place.ids).get(rule.endpoint, {}))


@contextmanager
def _as_it_was(town: Town) -> Iterator[None]:
    """Let what is asked meanwhile be asked of a copy of the hub: nobody finds what another's act left."""
    copy = town.file.with_name("asked.sqlite")
    for old in town.file.parent.glob("asked.sqlite*"):
        old.unlink()
    shutil.copy(town.file, copy)
    hub: state.Hub = town.app.extensions[state.EXTENSION]
    database = Database(f"sqlite:///{copy}")
    town.app.extensions[state.EXTENSION] = replace(hub, database=database)
    try:
        yield
    finally:
        town.app.extensions[state.EXTENSION] = hub
        database.close()


def _fits(endpoint: str, answer: TestResponse, *, may: bool) -> bool:
    """A refusal is 403, 404 as if there were no such thing, or leads to the sign-in; an answer is anything else but a fault."""
    refused = answer.status_code in (401, 403, 404) or answer.headers.get("Location", "").startswith("/sign-in?")
    refused = refused or answer.headers.get("Location") == "/sign-in"
    refused = refused or (endpoint == "today.show" and answer.headers.get("Location") == "/me")  # a member's own page
    if answer.status_code >= 500:
        return False
    if endpoint in NEEDS_MORE or RIGHTS[endpoint] == OWN:
        return True if may else refused or RIGHTS[endpoint].anybody
    return refused is not may
