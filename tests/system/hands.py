# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff do to a hub with one door, and what they see of it, in plain words: the same hands for two versions of the server.

This is today's. The frozen ones of the version before stand in tests/system/previous/hands.py and are called from afar.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from access_contract.vocabulary import TagNumber
from booking_server.doors import commands, lock_down
from booking_server.doors import service as doors
from tests.system.desk import Desk

DOOR, MONTH = "front", "2026-03"


class Hands:
    """Each method takes and returns what JSON can hold."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tags: dict[str, int] = {}
        self._site = 0

    def make(self, may: str, other: str) -> None:
        """Make the hub: the first tag's holder may pass, the second's has no access."""
        desk, first = self._desk, date(2026, 3, 1)
        area = desk.site("Hub")
        space = desk.space(area, "Studio", "co-creation", capacity=5)
        desk.price(space, "entry", 420, from_day=first)
        desk.door(DOOR, "Front", leads_into=space)
        for number, name in ((may, "Aino Virtanen"), (other, "Eetu Korhonen")):
            person = desk.person(name)
            self._tags[number] = desk.tag(person, TagNumber.parse(number))
            if number == may:
                desk.grant(person, space, from_day=first)
        with desk.database.read() as tx:
            self._site = doors.door(tx, DOOR).site_id

    def taps(self) -> list[list[Any]]:
        """Granted, reason and who decided, newest first."""
        return [[tap.granted, tap.reason, tap.decided_by] for tap in self._desk.taps()]

    def entries(self) -> int:
        return len(self._desk.entries(MONTH))

    def block(self, number: str) -> None:
        self._desk.block(self._tags[number])

    def status(self) -> dict[str, Any]:
        """What the door last said, and whether it is online."""
        with self._desk.database.read() as tx:
            state = doors.door_states(tx).get(DOOR)
        return {} if state is None else {**msgspec.to_builtins(state.status), "online": state.online}

    def ask(self, kind: str, mode: str = "") -> str:
        """Command the door and return the command's id."""
        desk = self._desk
        with desk.database.write() as tx:
            now, actor = desk.clock.now(), desk.actor
            if kind == "open":
                return commands.ask_open(tx, actor, now=now, door_id=DOOR, reason="a test").command
            if kind == "capture":
                return commands.ask_capture(tx, actor, now=now, door_id=DOOR).command
            return commands.ask_mode(tx, actor, now=now, door_id=DOOR, mode=mode, reason="a test").command

    def came_of(self, command: str) -> list[Any]:
        """Return whether the door said that it is done, and why not if it was not."""
        with self._desk.database.read() as tx:
            found = commands.command(tx, command)
        return [found.done_at is not None, found.outcome]

    def lock_down(self, on: bool) -> None:  # noqa: FBT001
        """Lock the site down, or lift it."""
        desk, say = self._desk, lock_down.lock_down if on else lock_down.lift
        with desk.database.write() as tx:
            say(tx, desk.actor, now=desk.clock.now(), site_id=self._site, reason="a test")
