# SPDX-License-Identifier: AGPL-3.0-or-later
"""From a tap to the relay, through the whole of a hub: online by the server's answer, and offline by the door's own snapshot.

Measured from the moment the number is handed to the door's process until its relay pin moves, one tap at a time, paced. The
floor is a bare request and reply of the same size over mutual TLS through the same Mosquitto with the same settings.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from datetime import UTC, date, datetime

from access_contract.vocabulary import TagNumber
from tests.benchmarks.measure import Result, alternate, compared, paced
from tests.benchmarks.round_trip import RoundTrip
from tests.system.building import Building
from tests.system.door import Door
from tests.system.processes import wait_for

TAPS, EVERY_SECONDS = 150, 0.1
NUMBER = TagNumber.parse("04 78 2E 21 80 1D 80")
GOAL_ONLINE, GOAL_OFFLINE = 6.0, 2.0


def run() -> list[Result]:
    """Return online and offline beside their floors."""
    with Building(at=datetime.now(UTC)) as building, ExitStack() as stack:  # noqa: TID251
        door = _hub(building)
        floor = RoundTrip(building, stack)
        hand = stack.enter_context(_Hand(door))
        online = _beside(floor, hand, "tap to relay, online", GOAL_ONLINE)
        _check_decided_by(building, "server")
        door.plug.pull()
        wait_for(lambda: hand.tap() < 1, "a tap opens alone")
        offline = _beside(floor, hand, "tap to relay, offline", GOAL_OFFLINE)
        return [online, offline]


def _beside(floor: RoundTrip, hand: _Hand, name: str, goal: float) -> Result:
    floors, products = alternate(
        lambda: paced(floor.take, count=TAPS, every_seconds=EVERY_SECONDS),
        lambda: paced(hand.tap, count=TAPS, every_seconds=EVERY_SECONDS),
        rounds=3,
    )
    return compared(name, "bare request-reply through Mosquitto, mutual TLS", floors, products, goal=goal, unit="ms", scale=1e3)


def _hub(building: Building) -> Door:
    """One door that one tag may open, and both server processes."""
    building.command("init")
    building.start_servers()
    desk = building.desk()
    space = desk.space(desk.site("Bench"), "Bench", "co-creation")
    desk.door("bench", "Bench", leads_into=space)
    person = desk.person("Bench Tapper")
    desk.tag(person, NUMBER)
    desk.grant(person, space, from_day=date(2026, 1, 1))
    door = building.door("bench", lock={"pin": 17, "pulse_seconds": EVERY_SECONDS / 4}, contact={})
    wait_for(lambda: desk.online("bench"), "the door is online")
    door.tap(NUMBER)
    wait_for(lambda: door.pins.rises("relay"), "the door holds its snapshot")
    return door


def _check_decided_by(building: Building, who: str) -> None:
    """The figures would be worth nothing if the door had stopped waiting for the server."""
    desk = building.desk()
    wait_for(lambda: len(desk.taps()) >= TAPS, "the taps are stored", limit_seconds=30)
    wrong = [tap for tap in desk.taps() if tap.decided_by != who]
    if len(wrong) > TAPS // 20:
        raise RuntimeError(f"{len(wrong)} taps were not decided by the {who}")


class _Hand:
    """Taps over one held connection, and waits for the relay."""

    def __init__(self, door: Door) -> None:
        self._pins = door.pins
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(door.control))
        self._wish = json.dumps({"do": "tap", "number": NUMBER.uid.hex()}).encode() + b"\n"

    def tap(self) -> float:
        """Return the seconds from the tap to the relay's move, both by the machine's monotonic clock."""
        wait_for(lambda: not self._pins.is_on("relay"), "the relay is off")
        began = time.monotonic()
        self._socket.sendall(self._wish)
        self._socket.recv(1024)
        return wait_for(lambda: self._pins.rises("relay", began), "the relay moves")[0].at - began

    def __enter__(self) -> _Hand:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
