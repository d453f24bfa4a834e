# SPDX-License-Identifier: AGPL-3.0-or-later
"""What exactly do the pins do: at the start, in a pulse, in mode unlocked, at the end?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import msgspec
import pytest

from door_agent.config import Buzzer, Config, Lamps
from door_agent.errors import MissingPart
from door_agent.relays import Lamps as LampsOfDoor
from door_agent.relays import Relay, use_pins
from tests.door_agent.pins import RememberingPin, forget_pins, pin, remembering_pins
from tests.system.processes import wait_for

LOW, HIGH = False, True


@pytest.fixture
def relay_pin() -> Iterator[RememberingPin]:
    remembering_pins()
    yield pin(17)
    forget_pins()


def quiet(_name: str, _on: bool) -> None:  # noqa: FBT001
    pass


def test_a_relay_is_never_on_at_the_start_and_at_the_end(relay_pin: RememberingPin) -> None:
    """From the first instant the pin is driven low; after closing it is an input again, which the pull-down holds."""
    relay = Relay(17, active_high=True, watcher=quiet)
    assert relay_pin.levels == [LOW]
    relay.energise(60)
    relay.close()
    relay.close()
    assert relay_pin.levels == [LOW, HIGH, LOW]
    assert relay_pin.function == "input"


def test_a_board_that_switches_on_low_is_driven_high_at_rest(relay_pin: RememberingPin) -> None:
    """With active_high = false the same promise holds with the levels turned round."""
    relay = Relay(17, active_high=False, watcher=quiet)
    relay.energise(60)
    relay.close()
    assert relay_pin.levels == [HIGH, LOW, HIGH]


def test_a_pulse_lasts_as_long_as_it_should_and_ends_by_itself(relay_pin: RememberingPin) -> None:
    """One rise and one fall, pulse_seconds apart, though nobody calls again."""
    Relay(17, active_high=True, watcher=quiet).energise(0.2)
    wait_for(lambda: relay_pin.levels == [LOW, HIGH, LOW], "the pulse ends")
    lasted = relay_pin.driven[2][1] - relay_pin.driven[1][1]
    assert 0.19 < lasted < 0.4


def test_a_second_tap_in_a_pulse_moves_its_end_and_does_not_pulse_twice(relay_pin: RememberingPin) -> None:
    """Two taps are one rise and one fall; the fall is pulse_seconds after the second."""
    relay = Relay(17, active_high=True, watcher=quiet)
    relay.energise(0.3)
    wait_for(lambda: time.monotonic() > relay_pin.driven[1][1] + 0.15, "half of it is over")
    second = time.monotonic()
    relay.energise(0.3)
    wait_for(lambda: relay_pin.levels == [LOW, HIGH, LOW], "the pulse ends")
    assert relay_pin.driven[2][1] - second > 0.28


def test_the_end_of_a_pulse_is_armed_before_current_flows(relay_pin: RememberingPin) -> None:
    """When the pin rises, the timer that will let it fall already runs."""
    relay = Relay(17, active_high=True, watcher=quiet)
    relay.energise(60)
    relay.close()
    assert relay_pin.levels == [LOW, HIGH, LOW]
    assert relay_pin.armed[1]


def test_mode_unlocked_outlasts_a_pulse_and_its_end_is_off(relay_pin: RememberingPin) -> None:
    """A pulse that was running does not switch off what stands unlocked, and locking switches off at once."""
    relay = Relay(17, active_high=True, watcher=quiet)
    relay.energise(0.1)
    relay.stay(on=True)
    armed = time.monotonic()
    wait_for(lambda: time.monotonic() > armed + 0.2, "the pulse would be over")
    assert relay_pin.levels == [LOW, HIGH]
    relay.stay(on=False)
    assert relay_pin.levels == [LOW, HIGH, LOW]


def test_granted_and_refused_are_told_apart_without_colour(relay_pin: RememberingPin) -> None:
    """Granted is one steady light, refused three blinks and three beeps."""
    config = config_with(lamps=Lamps(granted=23, refused=24), buzzer=Buzzer(pin=25))
    lamps = LampsOfDoor(config, quiet)
    green, red, buzzer = (pin(number) for number in (23, 24, 25))
    lamps.show(granted=False)
    wait_for(lambda: len(red.levels) == 7 and len(buzzer.levels) == 7, "three blinks and beeps")
    lamps.show(granted=True)
    wait_for(lambda: len(green.levels) == 3, "one light")
    lamps.close()
    assert green.driven[2][1] - green.driven[1][1] > 0.9
    assert len(red.levels) == 7


def test_the_pre_alarm_beeps_once_a_second_and_ends_when_the_leaf_closes(relay_pin: RememberingPin) -> None:
    """A short beep and a long pause; ended in between, the buzzer is silent at once and stays so."""
    lamps = LampsOfDoor(config_with(buzzer=Buzzer(pin=25)), quiet)
    buzzer = pin(25)
    lamps.warn(10)
    wait_for(lambda: len(buzzer.levels) >= 4, "the second beep")
    lamps.warn(0)
    beeped = list(buzzer.driven)
    assert 0.05 < beeped[2][1] - beeped[1][1] < 0.4
    assert beeped[3][1] - beeped[1][1] > 0.9
    assert buzzer.levels[-1] is LOW
    lamps.close()


def test_a_watcher_is_told_of_each_move_of_the_relay(relay_pin: RememberingPin) -> None:
    """What the panel shows is what the pin did."""
    seen: list[tuple[str, bool]] = []
    over = threading.Event()

    def watch(name: str, on: bool) -> None:  # noqa: FBT001
        seen.append((name, on))
        if not on:
            over.set()

    Relay(17, active_high=True, watcher=watch).energise(0.05)
    assert over.wait(5)
    assert seen == [("relay", True), ("relay", False)]


def test_a_machine_without_pins_is_told_what_to_do() -> None:
    """Off a Pi a real door ends with one line that says what to install or to set, and never takes mock pins by itself."""
    with pytest.raises(MissingPart, match="demo = true"):
        use_pins(mock=False)


def config_with(**tables: object) -> Config:
    written = {
        "door": "front",
        "state_folder": "state",
        "tag_key_file": "tag.key",
        "broker": {"host": "127.0.0.1", "ca": "c", "certificate": "c", "key": "k"},
        "server": {"signing_keys": {"k1": "s"}, "sealing_key": "s"},
        "readers": [{"kind": "simulated", "access_point": "in"}],
    }
    return msgspec.structs.replace(msgspec.convert(written, Config), **tables)
