# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does each input say how it is at the start and at each move, whichever way round its switch is wired?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from door_agent import happenings as h
from door_agent.config import Config
from door_agent.inputs import watch, watch_all
from door_agent.journal import Journal
from door_agent.wiring import Circuit
from tests.door_agent.pins import forget_pins, pin, remembering_pins
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.door_agent.test_disk import AGENT
from tests.door_agent.test_relays import config_with
from tests.system.processes import Processes

LEAF, BOLT, EXIT, BOX, FIRE, ARMED = range(5, 11)
INPUTS = {
    "contact": {"pin": LEAF},
    "bolt": {"pin": BOLT},
    "exit_button": {"pin": EXIT},
    "tamper": {"pin": BOX},
    "fire": {"pin": FIRE},
    "alarm": {"armed_pin": ARMED},
}


@pytest.fixture(autouse=True)
def pins() -> Iterator[None]:
    remembering_pins()
    yield
    forget_pins()


def wired(*, demo: bool) -> Config:
    types = {field.name: field.type for field in msgspec.structs.fields(Config)}
    return config_with(demo=demo, **{name: msgspec.convert(table, types[name]) for name, table in INPUTS.items()})


@pytest.mark.parametrize(("circuit", "active_at_low"), [("circuit_closed", True), ("circuit_open", False)])
def test_an_input_says_how_it_is_and_then_each_move(circuit: Circuit, active_at_low: bool) -> None:  # noqa: FBT001
    """A closed circuit pulls the pin low, and the setting says what that means."""
    seen: list[bool] = []
    device = watch(LEAF, circuit, seen.append)
    pin(LEAF).drive_low()
    pin(LEAF).drive_high()
    assert seen == [not active_at_low, active_at_low, not active_at_low]
    device.close()


def test_in_a_demo_every_input_is_at_rest_at_first() -> None:
    """Pins that are not there show a door at rest: closed, bolted, nobody at the button, no alarm of any kind."""
    told: list[h.Happening] = []
    for device in watch_all(wired(demo=True), told.append):
        device.close()
    assert told == [
        h.ContactMoved(False),
        h.BoltMoved(True),
        h.ExitReleased(),
        h.TamperMoved(False),
        h.FireMoved(False),
        h.AlarmMoved(False),
    ]


def test_a_cut_wire_counts_as_the_worse_of_the_two() -> None:
    """With nothing at the pin the leaf is open, the bolt withdrawn, the box open, there is fire and the alarm is armed."""
    told: list[h.Happening] = []
    for device in watch_all(wired(demo=False), told.append):
        device.close()
    assert told == [
        h.ContactMoved(True),
        h.BoltMoved(False),
        h.ExitReleased(),
        h.TamperMoved(True),
        h.FireMoved(True),
        h.AlarmMoved(True),
    ]


def test_every_input_that_stays_for_four_tenths_of_a_second_is_heard() -> None:
    """Each of them tells both its moves, also when all move at once."""
    told: list[h.Happening] = []
    devices = watch_all(wired(demo=False), told.append)
    told.clear()
    for number in (LEAF, BOLT, EXIT, BOX, FIRE, ARMED):
        pin(number).drive_low()
    ended = time.monotonic() + 0.4
    threading.Event().wait(ended - time.monotonic())
    for number in (LEAF, BOLT, EXIT, BOX, FIRE, ARMED):
        pin(number).drive_high()
    assert told[:6] == [
        h.ContactMoved(False),
        h.BoltMoved(True),
        h.ExitPressed(),
        h.TamperMoved(False),
        h.FireMoved(False),
        h.AlarmMoved(False),
    ]
    assert told[6:] == [
        h.ContactMoved(True),
        h.BoltMoved(False),
        h.ExitReleased(),
        h.TamperMoved(True),
        h.FireMoved(True),
        h.AlarmMoved(True),
    ]
    for device in devices:
        device.close()


def test_a_simulated_door_s_inputs_are_moved_by_hand(tmp_path: Path) -> None:
    """Over the control socket of a real agent: what needs a person is in the journal, once for each that moved."""
    toml = write_door(tmp_path)
    with Processes(tmp_path / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"])
        door.wait_until((tmp_path / "control").exists)
        for name in ("tamper", "fire"):
            assert say(tmp_path, do=name, on=True) == {"ok": True}
        for name, on in (("alarm", True), ("bolt", True), ("exit", True), ("exit", False)):
            assert say(tmp_path, do=name, on=on) == {"ok": True}
        assert say(tmp_path, do="tap", number=NUMBER) == {"ok": True}
        assert door.stop() == 0
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    lines = [msgspec.json.decode(line)["what"] for line in journal.unacknowledged(100)]
    journal.close()
    assert [line["about"] for line in lines if line["kind"] == "attention" and line["raised"]] == ["tamper", "fire"]
    assert [line["kind"] for line in lines].count("exit_requested") == 1
    assert [line["reason"] for line in lines if line["kind"] == "tapped"] == ["alarm_armed"]
