# SPDX-License-Identifier: AGPL-3.0-or-later
"""The copper that acts: relays of lock, operator and alarm, lamps and buzzer, over gpiozero; mock pins only in a demo.

Every output is off at the start and at the end. A pulse arms its own end before current flows, and needs nobody to end: no
slow disk, no watcher, no loop.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from door_agent.config import Config
from door_agent.errors import MissingPart

Watcher = Callable[[str, bool], None]
"""Told of each pin that moves. It must not wait for anybody: it is called while the relay is held."""
_PIPE_FOLDER = "LG_WD"
_SHOWN_SECONDS = 1.0
_BLINK_SECONDS = 0.15
_BLINKS = 3
_WARNING_SECONDS = 0.1


def use_pins(*, mock: bool) -> None:
    """Choose the pins: the Pi's own, or ones that are not there. Raise MissingPart, saying what to install."""
    gpiozero = _library("gpiozero", "pip install 'hubkey[door]'")
    if mock:
        gpiozero.Device.pin_factory = import_module("gpiozero.pins.mock").MockFactory()
        return
    lgpio = _lgpio()
    try:
        gpiozero.Device.pin_factory = import_module("door_agent.pi_pins").PiPins()
    except (gpiozero.GPIOZeroError, lgpio.error, OSError) as error:
        raise MissingPart(
            f"the GPIO pins cannot be opened ({error}): this must be a Raspberry Pi and the user a member of the group gpio;"
            " elsewhere set demo = true"
        ) from None


def _lgpio() -> Any:
    """Return lgpio. At its import it makes a pipe in $LG_WD, else in the current directory, and moves the process there: we do
    not move, and a directory that takes nothing is not tried. The pipe is open by then; its name is not needed any more."""
    here = Path.cwd()
    with ExitStack() as ends:
        if not os.environ.get(_PIPE_FOLDER):
            os.environ[_PIPE_FOLDER] = ends.enter_context(TemporaryDirectory(prefix="hubkey-door-"))
            ends.callback(os.environ.pop, _PIPE_FOLDER)
        ends.callback(os.chdir, here)
        try:
            return _library("lgpio", "apt-get install python3-lgpio")
        except OSError as error:
            folder = os.environ[_PIPE_FOLDER]
            raise MissingPart(
                f"the GPIO pins cannot be opened: LG_WD is {folder!r}, where nothing can be made ({error})"
            ) from None


def _library(name: str, install: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise MissingPart(
            f"{name} is not installed, and the pins need it: on a Raspberry Pi {install}; elsewhere set demo = true"
        ) from None


class Relay:
    """A relay: the lock's, where off means locked, or another output, where off means at rest."""

    def __init__(self, pin: int, *, active_high: bool, watcher: Watcher, name: str = "relay") -> None:
        output: Any = import_module("gpiozero").OutputDevice

        self._device: Any = output(pin, active_high=active_high, initial_value=False)
        self._watcher, self._name = watcher, name
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
        """Off, and the pin let go, so that the pull-down holds it. May be called twice."""
        if not self._device.closed:
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
        self._watcher(self._name, on)


class Lamps:
    """Green and red, and the buzzer: each may be missing.

    Granted is a steady green second; refused is three red blinks with the buzzer: to be told apart by eye and by ear, not by
    colour alone. A short beep in each second is the pre-alarm.
    """

    def __init__(self, config: Config, watcher: Watcher) -> None:
        output: Any = import_module("gpiozero").DigitalOutputDevice

        pins = {"granted": config.lamps.granted, "refused": config.lamps.refused, "buzzer": config.buzzer.pin}
        self._devices: dict[str, Any] = {name: output(pin) for name, pin in pins.items() if pin is not None}
        self._watcher = watcher
        self._lock = threading.Lock()
        self._ends: dict[str, threading.Timer] = {}

    def show(self, *, granted: bool) -> None:
        """Show it for a second; a newer word takes the place of an older."""
        name, other = ("granted", "refused") if granted else ("refused", "granted")
        self._off(other)
        self._told(name)
        for device in ("granted",) if granted else ("refused", "buzzer"):
            if device in self._devices:
                self._blink(self._devices[device], steady=granted)

    def warn(self, seconds: float) -> None:
        """Beep shortly once in each of so many seconds: the leaf is to be closed. 0 ends it."""
        buzzer = self._devices.get("buzzer")
        if seconds <= 0:
            self._over("warning")
            if buzzer is not None:
                buzzer.off()
            return
        self._told("warning", seconds)
        if buzzer is not None:
            buzzer.blink(on_time=_WARNING_SECONDS, off_time=1 - _WARNING_SECONDS, n=ceil(seconds))

    def close(self) -> None:
        """All dark and silent."""
        for device in self._devices.values():
            device.close()

    def _off(self, name: str) -> None:
        for device in ("granted",) if name == "granted" else ("refused", "buzzer"):
            if device in self._devices:
                self._devices[device].off()
        self._over(name)

    def _blink(self, device: Any, *, steady: bool) -> None:
        on = _SHOWN_SECONDS if steady else _BLINK_SECONDS
        device.blink(on_time=on, off_time=_BLINK_SECONDS, n=1 if steady else _BLINKS)

    def _told(self, name: str, seconds: float = _SHOWN_SECONDS) -> None:
        end = threading.Timer(seconds, self._over, (name,))
        end.daemon = True
        with self._lock:
            before = self._ends.pop(name, None)
            if before is not None:
                before.cancel()
            self._ends[name] = end
        self._watcher(name, True)
        end.start()

    def _over(self, name: str) -> None:
        with self._lock:
            end = self._ends.pop(name, None)
        if end is not None:
            end.cancel()
            self._watcher(name, False)
