# SPDX-License-Identifier: AGPL-3.0-or-later
"""The code at a box without a screen: the granted lamp blinks it, and the exit button says that the page shows the same.

Only where somebody named the pins. It never touches the lock's relay.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from door_agent.relays import use_pins

_ON_SECONDS, _OFF_SECONDS, _DIGIT_SECONDS, _AGAIN_SECONDS = 0.25, 0.25, 1.5, 4.0
_READY_SECONDS = 0.1


def pattern(code: str) -> list[tuple[bool, float]]:
    """Return how long the lamp is on and off, in seconds, to tell a code once: a digit is so many blinks, 0 is ten."""
    shown: list[tuple[bool, float]] = []
    for digit in code:
        for _ in range(int(digit) or 10):
            shown += [(True, _ON_SECONDS), (False, _OFF_SECONDS)]
        shown[-1] = (False, _DIGIT_SECONDS)
    shown[-1] = (False, _AGAIN_SECONDS)
    return shown


class Lamp:
    """Blinks a code again and again; `ready` flickers fast: now press the button."""

    def __init__(self, pin: int) -> None:
        self.device: Any = import_module("gpiozero").DigitalOutputDevice(pin)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, code: str) -> None:
        self._thread = threading.Thread(target=self._blink, args=(pattern(code),), name="lamp", daemon=True)
        self._thread.start()

    def ready(self) -> None:
        self._stop()
        self.device.blink(on_time=_READY_SECONDS, off_time=_READY_SECONDS)

    def close(self) -> None:
        self._stop()
        self.device.close()

    def _stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _blink(self, shown: list[tuple[bool, float]]) -> None:
        while not self._ended.is_set():
            for on, seconds in shown:
                self.device.value = on
                if self._ended.wait(seconds):
                    self.device.off()
                    return


@contextmanager
def lamp_and_button(lamp_pin: int | None, button_pin: int | None, *, mock: bool) -> Iterator[tuple[Lamp | None, Any]]:
    """Give the lamp and the button for as long as it lasts; None where no pin is named. Raise MissingPart."""
    if lamp_pin is None and button_pin is None:
        yield None, None
        return
    use_pins(mock=mock)
    lamp = None if lamp_pin is None else Lamp(lamp_pin)
    button: Any = None if button_pin is None else import_module("gpiozero").Button(button_pin)
    try:
        yield lamp, button
    finally:
        if lamp is not None:
            lamp.close()
        if button is not None:
            button.close()
