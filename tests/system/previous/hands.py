# SPDX-License-Identifier: AGPL-3.0-or-later
"""The hands of tests/system/hands.py as version 0.1.0 had them; run under that version, a line of JSON for each call.

Frozen with the wheel beside it, and not checked against today's code.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from access_contract.vocabulary import TagNumber
from booking_server.access import service as access
from booking_server.actors import Actor, Role
from booking_server.billing import service as billing
from booking_server.config import clock_of, load
from booking_server.db import Database
from booking_server.doors import adding, commands, lock_down
from booking_server.doors import service as doors
from booking_server.keys import load_keys
from booking_server.ledger import service as ledger
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags

DOOR, MONTH = "front", "2026-03"
HOST = Actor(name="host", role=Role.ADMINISTRATOR)


class Hands:
    def __init__(self, settings: Path) -> None:
        config = load(settings)
        self.database, self.keys, self.clock = Database(config.database), load_keys(config.folder), clock_of(config)
        self._tags: dict[str, int] = {}
        self._site = 0

    def make(self, may: str, other: str) -> None:
        now, vault = self.clock.now(), self.keys.vault
        with self.database.write() as tx:
            site = places.add_site(tx, HOST, now=now, name="Hub", time_zone="Europe/Helsinki")
            space = places.add_space(
                tx, HOST, now=now, parent_id=site.area_id, name="Studio", kind="co-creation", capacity=5, bookable=False
            ).area_id
            first = date(2026, 3, 1)
            billing.set_price(
                tx, HOST, now=now, space_id=space, unit="entry", amount_cents=420, vat_permille=255, from_day=first
            )
            adding.add_door(
                tx, HOST, now=now, vault=vault, door_id=DOOR, site_id=site.id, name="Front", to_area_id=space,
                log_named="priced", log_reason="",
            )  # fmt: skip
            for number, name in ((may, "Aino"), (other, "Eetu")):
                person = people.add_person(
                    tx, HOST, now=now, name=name, email=f"{name}@example.org", language="fi", address="Katu 1"
                ).id
                self._tags[number] = tags.hand_out_tag(
                    tx, HOST, now=now, vault=vault, number=TagNumber.parse(number), person_id=person
                ).id
                if number == may:
                    access.grant_access(tx, HOST, now=now, person_id=person, area_id=space, from_day=first, standing=False)
        self._site = site.id

    def taps(self) -> list[list[Any]]:
        with self.database.read() as tx:
            return [[tap.granted, tap.reason, tap.decided_by] for tap in ledger.recent_taps(tx, HOST, limit=500)]

    def entries(self) -> int:
        with self.database.read() as tx:
            return len(ledger.entries_of_month(tx, HOST, MONTH))

    def block(self, number: str) -> None:
        with self.database.write() as tx:
            tags.block_tag(tx, HOST, now=self.clock.now(), keytag_id=self._tags[number], reason="lost")

    def status(self) -> dict[str, Any]:
        with self.database.read() as tx:
            state = doors.door_states(tx).get(DOOR)
        return {} if state is None else {**msgspec.to_builtins(state.status), "online": state.online}

    def ask(self, kind: str, mode: str = "") -> str:
        with self.database.write() as tx:
            now = self.clock.now()
            if kind == "open":
                return commands.ask_open(tx, HOST, now=now, door_id=DOOR, reason="a test").command
            if kind == "capture":
                return commands.ask_capture(tx, HOST, now=now, door_id=DOOR).command
            return commands.ask_mode(tx, HOST, now=now, door_id=DOOR, mode=mode, reason="a test").command

    def came_of(self, command: str) -> list[Any]:
        with self.database.read() as tx:
            found = commands.command(tx, command)
        return [found.done_at is not None, found.outcome]

    def lock_down(self, on: bool) -> None:  # noqa: FBT001
        say = lock_down.lock_down if on else lock_down.lift
        with self.database.write() as tx:
            say(tx, HOST, now=self.clock.now(), site_id=self._site, reason="a test")


hands = Hands(Path(sys.argv[1]))
for line in sys.stdin:
    do, words = json.loads(line)
    sys.stdout.write(json.dumps(getattr(hands, do)(*words)) + "\n")
    sys.stdout.flush()
