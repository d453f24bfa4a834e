# SPDX-License-Identifier: AGPL-3.0-or-later
"""The copper: relay, lamps, contact and exit button over gpiozero; mock pins in a demo.

The relay is off at the start and at the end. A pulse arms its own end before current flows, and needs nobody to end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from door_agent.config import Config

Watcher = Callable[[str, bool], None]


def use_mock_pins() -> None:
    """Let gpiozero drive pins that are not there."""
    import_module("gpiozero").Device.pin_factory = import_module("gpiozero.pins.mock").MockFactory()


class Relay:
    """The lock's relay. Off means locked."""

    def __init__(self, pin: int, *, active_high: bool, watcher: Watcher) -> None:
        output: Any = import_module("gpiozero").OutputDevice

        self._device: Any = output(pin, active_high=active_high, initial_value=False)
        self._watcher = watcher
        self._lock = threading.RLock()
        self._end: threading.Timer | None = None
        self._stays = False

    def energise(self, pulse_seconds: float) -> None:
        """Current for `pulse_seconds` from now; a second call moves the end, it does not pulse twice."""
        with self._lock:
            self._disarm()
            end = threading.Timer(pulse_seconds, self._pulse_over)
            end.daemon = True
            end.start()
            self._end = end
            self._switch(on=True)

    def stay(self, *, on: bool) -> None:
        """Keep the door unlocked, or no longer."""
        with self._lock:
            self._disarm()
            self._stays = on
            self._switch(on=on)

    def close(self) -> None:
        self.stay(on=False)
        self._device.close()

    def _pulse_over(self) -> None:
        with self._lock:
            if self._end is threading.current_thread():
                self._end = None
                self._switch(on=self._stays)

    def _disarm(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _switch(self, *, on: bool) -> None:
        if bool(self._device.value) is on:
            return
        self._device.value = on
        self._watcher("relay", on)


class Lamps:
    """Green and red, and the buzzer: each may be missing."""

    def __init__(self, config: Config, watcher: Watcher) -> None:
        output: Any = import_module("gpiozero").OutputDevice

        pins = {"granted": config.lamps.granted, "refused": config.lamps.refused}
        self._devices: dict[str, Any] = {name: output(pin) for name, pin in pins.items() if pin is not None}
        self._buzzer: Any = None if config.buzzer.pin is None else output(config.buzzer.pin)
        self._watcher = watcher

    def show(self, *, granted: bool) -> None:
        """Light the lamp for a second; the buzzer sounds at a refusal."""
        name = "granted" if granted else "refused"
        self._watcher(name, True)
        for device in (self._devices.get(name), None if granted else self._buzzer):
            if device is not None:
                device.on()
                self._later(device.off)
        self._later(lambda: self._watcher(name, False))

    def _later(self, call: Callable[[], None]) -> None:
        timer = threading.Timer(1.0, call)
        timer.daemon = True
        timer.start()


def listen(pin: int, on_change: Callable[[bool], None]) -> Any:
    """Return a button on `pin` that says when it is pressed (True: the circuit is closed) and let go."""
    button: Any = import_module("gpiozero").Button(pin, bounce_time=0.02)
    button.when_pressed = lambda: on_change(True)
    button.when_released = lambda: on_change(False)
    return button
