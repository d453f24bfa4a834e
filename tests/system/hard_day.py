# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hard day: hands tap at two doors without a break while a killer ends one part after the other, at random moments.

What was tapped and answered is written down here, beside the system, and afterwards compared with what the server holds. Which
part dies next, and after how long, comes from a seed; that two runs meet the very same instant no seed can promise.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from threading import Event

from sqlalchemy import text

from access_contract.vocabulary import TagHash, TagNumber, tag_hash
from booking_server.doors import service as doors
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.one_door import AT
from tests.system.processes import NotReady, wait_for

PULSE_SECONDS = 0.6
ANSWER_SECONDS = 2.5
"""A quarter of a second by the door itself; the rest is a test machine that starts other parts meanwhile."""
_TOGETHER_SECONDS, _LATE_SECONDS = 0.1, 1.0
"""Between relay and green light; and what the same machine may add to the end of a pulse."""
MEMBERS = [TagNumber(bytes((4, number)) + b"\x2e\x21\x80\x1d\x80") for number in range(8)]
STRANGER_EVERY = 8


@dataclass(frozen=True, slots=True)
class Tap:
    """One tag held to a reader at this monotonic second. `cut`: what should have read or answered it was killed meanwhile."""

    tag: TagHash
    at: float
    cut: bool


@dataclass
class Killer:
    """Ends one part after the other and brings each back. `dead` counts the deaths of each."""

    building: Building
    dead: Counter[str] = field(default_factory=Counter)

    def work(self, deaths: int, seed: int) -> None:
        random_, pause, order = random.Random(seed), Event(), list[str]()  # noqa: S311
        for _ in range(deaths):
            if not order:
                order = ["broker", "server", "pcscd", *self.building.doors]
                random_.shuffle(order)
            pause.wait(random_.uniform(0.05, 0.8))
            self._kill(order[-1])
            pause.wait(random_.uniform(0.0, 0.8))
            self._bring_back(order.pop())

    def _kill(self, part: str) -> None:
        self.dead[part] += 1
        room = self.building.room
        assert room is not None
        end: dict[str, Callable[[], None]] = {
            "broker": self.building.cut_broker,
            "server": self.building.kill_doors,
            "pcscd": room.crash_daemon,
        }
        end.get(part, lambda: self.building.doors[part].kill())()

    def _bring_back(self, part: str) -> None:
        room = self.building.room
        assert room is not None
        if part == "pcscd":
            room.kill_daemon()
        begin = {"broker": self.building.restore_broker, "server": self.building.start_doors, "pcscd": room.start_daemon}
        begin.get(part, lambda: self.building.doors[part].start())()


@dataclass
class Hand:
    """Taps at one door, one tag after the other, each once the one before was answered."""

    door: Door
    killer: Killer
    tapped: list[Tap] = field(default_factory=list)
    begun_at: float = 0.0
    seen: int = 0

    def work(self, taps: int, goes_on: Callable[[], bool], seed: int) -> None:
        """Tap at least so often, and for as long as it goes on."""
        random_, pause, until = random.Random(seed), Event(), len(self.tapped) + taps  # noqa: S311
        while len(self.tapped) < until or goes_on():
            if self.door.running:
                self._tap(self._next())
            pause.wait(random_.uniform(0.02, 0.3))

    def _next(self) -> TagNumber:
        self.seen += 1
        if self.seen % STRANGER_EVERY == 0:
            return TagNumber(b"\x04" + self.seen.to_bytes(5, "big") + b"\x81")
        return MEMBERS[self.seen % len(MEMBERS)]

    def _tap(self, number: TagNumber) -> None:
        deaths, at = self._deaths(), time.monotonic()
        try:
            self.door.tap(number)
        except NotReady:  # nobody is there to read it; who died while reading it may have written it down
            end = "cut" if deaths != self._deaths() else ""
        else:
            end = wait_for(
                lambda: self._answer(at) or ("cut" if deaths != self._deaths() else ""),
                f"{self.door.id} answers its tap {len(self.tapped)}",
                limit_seconds=ANSWER_SECONDS,
            )
        if end:
            self.tapped.append(Tap(tag_hash(self.tag_key, number), at, cut=end == "cut"))

    @property
    def tag_key(self) -> bytes:
        return (self.door.folder / "tag.key").read_bytes()

    def begin(self) -> None:
        """Forget what was tapped before."""
        self.tapped.clear()
        self.begun_at = time.monotonic()

    def relay_faults(self) -> list[str]:
        """When the relay went on without a tap, or off later than a pulse after the last one."""
        pins, faults = self.door.pins, []
        granted = [move.at for move in pins.rises("granted", self.begun_at)]
        cut = [tap.at for tap in self.tapped if tap.cut]
        for move in [*pins.rises("relay", self.begun_at), *pins.falls("relay", self.begun_at)]:
            last = max((at for at in granted if at <= move.at + _TOGETHER_SECONDS), default=0.0)
            killed_before_it_was_shown = any(at <= move.at <= at + ANSWER_SECONDS for at in cut)
            if move.on and move.at - last > _TOGETHER_SECONDS and not killed_before_it_was_shown:
                faults.append(f"on at {move.at:.3f}, last granted at {last:.3f}")
            elif not move.on and move.at - last > PULSE_SECONDS + _LATE_SECONDS and not killed_before_it_was_shown:
                faults.append(f"off at {move.at:.3f}, last granted at {last:.3f}")
        return faults

    def _answer(self, since: float) -> str:
        pins = self.door.pins
        return "answer" if pins.rises("granted", since) or pins.rises("refused", since) else ""

    def _deaths(self) -> int:
        """Of what this door needs to read and answer: pcscd counts where it reads through it."""
        return self.killer.dead[self.door.id] + (self.killer.dead["pcscd"] if self.door.reads_cards else 0)


@dataclass
class HardDay:
    """The building of such a day: a door read through pcscd and a simulated one, which is tapped oftener."""

    building: Building
    desk: Desk
    killer: Killer
    hands: list[Hand]

    def stored(self, door: Door) -> list[TagHash]:
        """The tags that the server holds as tapped at this door, in the door's own order."""
        asked = text(
            "select json_extract(b.content, '$.what.tag') from events e join event_bytes b on b.event_id = e.id"
            " where e.door_id = :door and e.kind = 'tapped' order by e.sequence"
        )
        with self.desk.database.read() as tx:
            return [TagHash(tag) for (tag,) in tx.execute(asked, {"door": door.id})]

    def number(self, query: str) -> int:
        with self.desk.database.read() as tx:
            return int(tx.execute(text(query)).scalar_one())


@contextmanager
def hard_day() -> Iterator[HardDay]:
    with Building(at=AT, readers=["front"], pulse_seconds=PULSE_SECONDS) as building:
        building.command("init")
        desk = building.desk()
        space = desk.space(desk.site("Hub"), "Studio", "co-creation", capacity=50)
        for door in ("front", "side"):
            desk.door(door, door.title(), leads_into=space)
        for place, number in enumerate(MEMBERS):
            person = desk.person(f"Member {place}", email=f"member{place}@example.org")
            desk.tag(person, number)
            desk.grant(person, space, from_day=date(2026, 3, 1))
        building.start_broker()
        building.start_doors()
        made = building.doors_made("front", "side", by_command=False)
        wait_for(lambda: _have_rights(desk) == 2, "the doors have their rights", limit_seconds=20)
        killer = Killer(building)
        yield HardDay(building, desk, killer, [Hand(door, killer) for door in made])


def unaccounted(tapped: list[Tap], stored: list[TagHash]) -> str | None:
    """None if what is stored is what was tapped, in order, each once, but for taps that were cut; else what is wrong."""
    place = 0
    for number, tap in enumerate(tapped):
        if place < len(stored) and stored[place] == tap.tag:
            place += 1
        elif not tap.cut:
            return f"tap {number} of {len(tapped)} was answered and is not stored in its place"
    return None if place == len(stored) else f"{len(stored) - place} stored taps were never made, or are stored twice"


def _have_rights(desk: Desk) -> int:
    with desk.database.read() as tx:
        return sum(state.status.snapshot_number > 0 for state in doors.door_states(tx).values())
