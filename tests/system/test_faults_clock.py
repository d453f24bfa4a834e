# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door whose clock is wrong, in a hub whose clock is right: at 1970, stepped both ways; and the night with an hour twice.

The door's clock is turned by a hand of its own, under the rules by which a real one is believed or doubted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest

from access_contract.vocabulary import Reason
from tests.system import parts
from tests.system.one_door import MACHINE_SECONDS, PULSE_SECONDS, OneDoor, one_door
from tests.system.processes import wait_for
from tests.system.turned_clock import ClockHand

pytestmark = pytest.mark.soak
"""It takes half a minute; quickly, the rules of the clock are asked in tests/door_agent/test_clock.py."""

NIGHT = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)
"""In Helsinki the clocks go back from four to three at 01:00 UTC."""
YEAR_1970 = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEAR = timedelta(seconds=30)


@dataclass
class Clocked:
    """The hub, and the hand of the door's own clock."""

    hub: OneDoor
    hand: ClockHand

    def now(self) -> datetime:
        return self.hub.building.hand.now()

    def turn_both_to(self, at: datetime) -> None:
        self.hub.building.hand.turn_to(at)
        self.hand.turn_to(at)

    def tap_opens(self) -> None:
        self.hub.relocks(self.hub.opens(self.hub.tap()).at)

    def tap_opens_alone(self) -> None:
        """It does once the door believes its clock."""
        wait_for(lambda: self.hub.door.pins.rises("relay", self._answered()), "the door opens alone", limit_seconds=20)
        wait_for(lambda: not self.hub.door.pins.is_on("relay"), "the door is locked")

    def _answered(self) -> float:
        since, pins = self.hub.tap(), self.hub.door.pins
        wait_for(lambda: pins.rises("granted", since) or pins.rises("refused", since), "the door answers")
        return since


@pytest.fixture(scope="module")
def clocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clocked]:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    hand = ClockHand(tmp_path_factory.mktemp("clock") / "door")
    hand.turn_to(NIGHT)
    with one_door(at=NIGHT, clock=hand.file) as hub:
        hub.ready()
        yield Clocked(hub, hand)


def test_the_night_that_has_an_hour_twice_is_one_night(clocked: Clocked) -> None:
    """Half past three comes twice: both times the door opens, once alone, and the server has two entries of one service day,
    an hour apart."""
    hub, first = clocked.hub, NIGHT + timedelta(hours=1, minutes=30)
    before = len(hub.desk.taps())
    for at, alone in ((first, False), (first + HOUR, True)):
        clocked.turn_both_to(at)
        if alone:
            hub.door.plug.pull()
        since = hub.tap()
        hub.opens(since)
        hub.door.open_leaf()
        hub.relocks(since)
        hub.door.close_leaf()
    hub.door.plug.put_back()
    second_tap, first_tap = hub.arrived(before, 2)
    assert abs(first_tap.at - first) < NEAR
    assert abs(second_tap.at - first_tap.at - HOUR) < NEAR
    assert (first_tap.clock, second_tap.clock, second_tap.decided_by) == ("synced", "synced", "door")
    wait_for(lambda: len(hub.desk.entries("2026-10")) == 2, "both are entries")
    assert [entry.service_day for entry in hub.desk.entries("2026-10")] == [date(2026, 10, 24)] * 2


def test_a_door_that_starts_in_1970_refuses_alone_and_its_taps_are_dated_anew(clocked: Clocked) -> None:
    """Alone it opens for nobody and says why; with the server's answer it opens all the same; once its clock is right it opens
    alone again; and the server has each tap at the time when it really was."""
    hub = clocked.hub
    hub.ready()
    before, began = len(hub.desk.taps()), clocked.now()
    hub.door.kill()
    clocked.hand.turn_to(YEAR_1970, in_step=False)
    hub.door.plug.pull()
    hub.door.start()
    hub.refuses(hub.tap())
    hub.door.plug.put_back()
    hub.back(began)
    clocked.tap_opens()
    hub.door.plug.pull()
    clocked.hand.turn_to(clocked.now())
    clocked.tap_opens_alone()
    hub.door.plug.put_back()
    hub.arrived(before, 3)
    taps = hub.desk.taps()[: len(hub.desk.taps()) - before]
    assert [(tap.reason, tap.decided_by) for tap in taps[-2:]] == [(None, "server"), (Reason.CLOCK_UNTRUSTED, "door")]
    assert (taps[0].granted, taps[0].decided_by) == (True, "door")
    for tap in taps:
        assert began - NEAR < tap.at < clocked.now() + NEAR
    assert [tap.at for tap in taps] == sorted((tap.at for tap in taps), reverse=True)


def test_a_clock_that_is_stepped_changes_no_pulse_and_is_not_followed_back(clocked: Clocked) -> None:
    """An hour ahead, in the middle of a pulse, it is followed; set back it stands still and is doubted, also after a start,
    until the time has come that it was at; the server's answer opens meanwhile, and no tap is lost."""
    hub = clocked.hub
    hub.ready()
    before = len(hub.desk.taps())
    since = hub.tap()
    on = hub.opens(since)
    clocked.hand.turn_by(HOUR)
    off = hub.relocks(since)
    assert PULSE_SECONDS - 0.1 < off.at - on.at < PULSE_SECONDS + MACHINE_SECONDS
    hub.door.plug.pull()
    clocked.tap_opens()
    clocked.hand.turn_to(clocked.now())
    hub.refuses(hub.tap())
    hub.door.kill()
    hub.door.start()
    hub.refuses(hub.tap())
    hub.door.plug.put_back()
    hub.back(clocked.now())
    clocked.tap_opens()
    hub.door.plug.pull()
    clocked.turn_both_to(clocked.now() + HOUR + NEAR)
    clocked.tap_opens_alone()
    hub.door.plug.put_back()
    arrived = hub.arrived(before, 6)
    told = [(tap.reason, tap.decided_by) for tap in reversed(arrived)]
    doubted = (Reason.CLOCK_UNTRUSTED, "door")
    assert told[:5] == [(None, "server"), (None, "door"), doubted, doubted, (None, "server")]
    assert told[-1] == (None, "door")
