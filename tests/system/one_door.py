# SPDX-License-Identifier: AGPL-3.0-or-later
"""The building that the laws are tested in: a broker, the server's process for doors, one door, two members.

One of the members may pass. Each test is handed it with the door locked and the server answering, and leaves it so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from access_contract.vocabulary import TagNumber
from booking_server.ledger.service import Tap
from door_agent.journal import Journal
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.pins import Move
from tests.system.processes import wait_for

AT = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
NUMBER, SECOND = TagNumber.parse("04782E21801D80"), TagNumber.parse("04A1B2C3D4E580")
STRANGER = TagNumber.parse("04D1E5A0C0FE80")
PULSE_SECONDS = 1.2
DEADLINE_SECONDS = 0.25
MACHINE_SECONDS = 0.35
"""What a busy test machine may add to a deadline."""


@dataclass
class OneDoor:
    """The building and what is in it."""

    building: Building
    desk: Desk
    door: Door
    space: int
    person: int
    second: int

    def tap(self, number: TagNumber = NUMBER) -> float:
        """Tap and return the monotonic second at which it began."""
        since = time.monotonic()
        self.door.tap(number)
        return since

    def opens(self, since: float, *, within: float = 5.0) -> Move:
        return wait_for(lambda: next(iter(self.door.pins.rises("relay", since)), None), "the relay moves", limit_seconds=within)

    def refuses(self, since: float) -> Move:
        return wait_for(lambda: next(iter(self.door.pins.rises("refused", since)), None), "the door refuses")

    def relocks(self, since: float) -> Move:
        return wait_for(lambda: next(iter(self.door.pins.falls("relay", since)), None), "the relay falls")

    def arrived(self, before: int, count: int) -> list[Tap]:
        """The `count` taps that reached the server after it had `before`; waits for all, and for the door to be done."""
        wait_for(lambda: len(self.desk.taps()) >= before + count, f"{count} taps stored", limit_seconds=20)
        wait_for(lambda: not unacknowledged(self.door), "everything acknowledged", limit_seconds=20)
        return self.desk.taps()[: len(self.desk.taps()) - before]

    def back(self, since: datetime) -> None:
        """Wait until the server has heard the door again, at `since` or later."""
        wait_for(lambda: self.desk.online(self.door.id, since=since), "the door is online again", limit_seconds=20)

    def ready(self) -> None:
        """Wait until the server answers the door's asks, and the door is locked."""
        wait_for(self._server_answers, "the server answers the door", limit_seconds=20)
        wait_for(lambda: not self.door.pins.is_on("relay"), "the door is locked")

    def _server_answers(self) -> bool:
        before, since = len(self.desk.taps()), self.tap()
        wait_for(lambda: self.door.pins.rises("granted", since) or self.door.pins.rises("refused", since), "the door reacts")
        return self.arrived(before, 1)[0].decided_by == "server"


def unacknowledged(door: Door) -> list[bytes]:
    journal = Journal(door.folder / "state" / "journal.sqlite")
    try:
        return journal.unacknowledged(10)
    finally:
        journal.close()


@contextmanager
def one_door(at: datetime = AT, clock: Path | None = None) -> Iterator[OneDoor]:
    """The building at `at`; `clock` is the file of a clock of the door's own, where it has one."""
    with Building(at=at, pulse_seconds=PULSE_SECONDS) as building:
        building.command("init")
        desk, first = building.desk(), at.date().replace(day=1)
        space = desk.space(desk.site("Hub"), "Studio", "co-creation", capacity=5)
        desk.price(space, "entry", 420, from_day=first)
        desk.door("front", "Front", leads_into=space)
        person, second = desk.person("Aino Virtanen"), desk.person("Eetu Korhonen")
        desk.tag(person, NUMBER)
        desk.tag(second, SECOND)
        desk.grant(person, space, from_day=first)
        building.start_broker()
        building.start_doors()
        door = building.door(
            "front", by_command=False, simulated={"control": "control", "clock": str(clock or building.hand.file)}
        )
        yield OneDoor(building, desk, door, space, person, second)
