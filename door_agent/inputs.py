# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the Pi hears by its pins: leaf, bolt, exit button, box, fire and burglar alarm. It tells, and decides nothing.

Every input says at the start how it is, and then each move that lasts longer than a bounce (20 ms).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from door_agent import happenings as h
from door_agent.config import Config
from door_agent.wiring import Circuit

_BOUNCE_SECONDS = 0.02


def watch(pin: int, circuit: Circuit, moved: Callable[[bool], None], *, mock_rest: bool | None = None) -> Any:
    """Return the device, and call `moved(active)` now and at each move; active is while the pin's circuit is as `circuit` says.

    `mock_rest` says whether it is active at rest, for mock pins, which nothing holds.
    """
    device: Any = import_module("gpiozero").DigitalInputDevice(pin, pull_up=True, bounce_time=_BOUNCE_SECONDS)
    closed_is_active = circuit == "circuit_closed"
    if mock_rest is not None and mock_rest is closed_is_active:
        device.pin.drive_low()
    device.when_activated = lambda: moved(closed_is_active)
    device.when_deactivated = lambda: moved(not closed_is_active)
    moved(device.is_active is closed_is_active)
    return device


def watch_all(config: Config, put: Callable[[h.Happening], None]) -> list[Any]:
    """Return a device for each input that is wired; what they tell is put in. In a demo all are at rest at first."""
    wired: list[tuple[int | None, Circuit, Callable[[bool], h.Happening], bool]] = [
        (config.contact.pin, config.contact.leaf_closed, lambda closed: h.ContactMoved(not closed), True),
        (config.bolt.pin, config.bolt.thrown, h.BoltMoved, True),
        (config.exit_button.pin, config.exit_button.pressed, exit_moved, False),
        (config.tamper.pin, config.tamper.tampered, h.TamperMoved, False),
        (config.fire.pin, config.fire.alarm, h.FireMoved, False),
        (config.alarm.armed_pin, config.alarm.armed, h.AlarmMoved, False),
    ]
    return [
        watch(pin, circuit, _putting(put, told), mock_rest=rest if config.demo else None)
        for pin, circuit, told, rest in wired
        if pin is not None
    ]


def exit_moved(pressed: bool) -> h.Happening:  # noqa: FBT001
    return h.ExitPressed() if pressed else h.ExitReleased()


def _putting(put: Callable[[h.Happening], None], told: Callable[[bool], h.Happening]) -> Callable[[bool], None]:
    return lambda active: put(told(active))
