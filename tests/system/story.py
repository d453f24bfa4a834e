# SPDX-License-Identifier: AGPL-3.0-or-later
"""The whole story, told step by step: an empty hub, a keytag handed out, doors opened with and without the network, an invoice.

Staff act only through the pages' own forms, the doors' part is played by real agents. A step that is not as it must be ends
the story with its name and what was seen instead. The figures are those of plan.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

from access_contract.vocabulary import TagNumber
from booking_server.ledger.service import Entry, Tap
from tests.system import plan
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.pins import Move
from tests.system.processes import NotReady, wait_for
from tests.system.visitor import Page, PageProblem, Visitor

NUMBER = TagNumber.parse("04782E21801D80")
DIGITS = "1D80"
PERSON = "Aino Virtanen"
ZONE = ZoneInfo("Europe/Helsinki")
STUDIO, SHOP = "studio", "shop"
"""The doors of the story, each with one reader."""
PULSE_SECONDS = 1.0
REACTION_SECONDS = 6.0
KNOWN_WITHIN_SECONDS = 0.25
"""What staff change is true at every door that is online this soon; nobody walks to a door faster."""


class StoryFailed(Exception):
    """A step was not as it must be; the message names it and says what was seen."""


def must_be(seen: object, wanted: object, what: str) -> None:
    """Raise StoryFailed naming `what` unless it is as wanted."""
    if seen != wanted:
        raise StoryFailed(f"{what} is {seen!r} instead of {wanted!r}")


@dataclass
class Story:
    """What the steps share: the building, a member of staff at a browser, and what was made so far."""

    building: Building
    invoices_to: Path
    staff: Visitor = field(init=False, repr=False)
    desk: Desk = field(init=False, repr=False)
    password: str = field(default="", repr=False)
    made: dict[str, str] = field(default_factory=dict)
    """The pages of what was made, by what it is: "studio", "shop", "person", "keytag", "invoice"."""
    invoice: Path | None = None

    def door(self, door_id: str) -> Door:
        return self.building.doors[door_id]

    def number(self, name: str) -> str:
        """The number at the end of a made thing's page."""
        return self.made[name].rstrip("/").rpartition("/")[2]

    def tap(self, door_id: str, *, opens: bool) -> Reaction:
        """Tap the story's keytag and return how the door reacted. Raise StoryFailed if it reacted otherwise."""
        door = self.door(door_id)
        wait_for(lambda: not door.pins.is_on("relay"), f"the door {door_id} has locked again")
        before, since = len(self.desk.taps()), time.monotonic()
        tapped_at = door.tap(NUMBER)
        lamp = wait_for(lambda: _lamp(door, since), f"the door {door_id} reacts to the tap", limit_seconds=REACTION_SECONDS)
        relay = door.pins.rises("relay", since)
        if (lamp.pin == "granted", bool(relay)) != (opens, opens):
            raise StoryFailed(f"the door {door_id} showed {lamp.pin!r} and its relay moved {len(relay)} times")
        return Reaction(before, (relay[0] if relay else lamp).at - tapped_at)

    def walk_to_the_door(self) -> None:
        """Let the shortest time pass in which a change must be known; the next tap proves that it is."""
        since = time.monotonic()
        wait_for(lambda: time.monotonic() - since > KNOWN_WITHIN_SECONDS, "a short walk")

    def tap_stored(self, after: int) -> Tap:
        """The one tap that reached the server since it had `after` of them. Raise NotReady or StoryFailed."""
        taps = wait_for(lambda: (known := self.desk.taps())[: len(known) - after], "the tap reaches the server")
        if len(taps) != 1:
            raise StoryFailed(f"{len(taps)} taps reached the server instead of one")
        return taps[0]

    def pass_through(self, door_id: str) -> None:
        """Open the leaf and let it fall shut."""
        self.door(door_id).open_leaf()
        self.door(door_id).close_leaf()

    def entries(self, count: int) -> list[Entry]:
        """The month's entries once there are `count`. Raise NotReady; StoryFailed if there are more."""
        wait_for(lambda: len(self.desk.entries(plan.MONTH)) >= count, f"{count} entries stored")
        found = self.desk.entries(plan.MONTH)
        if len(found) != count:
            raise StoryFailed(f"{len(found)} entries are stored instead of {count}")
        return found

    def page_says(self, path: str, *texts: str, limit_seconds: float = 10.0) -> Page:
        """The page at `path` as soon as it says each of `texts`. Raise PageProblem with what it said instead."""

        def said() -> Page | None:
            page = self.staff.see(path)
            return page if all(text in page.words for text in texts) else None

        try:
            return wait_for(said, path, limit_seconds=limit_seconds)
        except NotReady:
            return self.staff.see(path).must_say(*texts)


@dataclass(frozen=True, slots=True)
class Reaction:
    """`taps_before` were stored when it was tapped; the relay (or the red lamp) came on after `seconds`."""

    taps_before: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.seconds * 1000:.0f} ms after the tap"


def _lamp(door: Door, since: float) -> Move | None:
    return next(iter([*door.pins.rises("granted", since), *door.pins.rises("refused", since)]), None)


Step = tuple[str, Callable[[Story], str]]


def play(story: Story, steps: Sequence[Step], say: Callable[[str], None]) -> None:
    """Play the steps in order, each told in one line: what, what was seen, milliseconds. Raise StoryFailed at the first
    that is not as it must be."""
    for number, (name, work) in enumerate(steps, start=1):
        started = time.perf_counter()
        try:
            seen = work(story)
        except (NotReady, PageProblem, StoryFailed, AssertionError) as problem:
            raise StoryFailed(f"step {number}, {name}: {problem}{_fault(story)}") from None
        say(f"{number:2}  {name:<44} {(time.perf_counter() - started) * 1000:6.0f} ms   {seen}")


def _fault(story: Story) -> str:
    """What else went wrong: a part that ended by itself is the likelier cause."""
    fault = story.building.fault()
    return f"\n{fault}" if fault else ""
