# SPDX-License-Identifier: AGPL-3.0-or-later
"""Mock pins that remember exactly what they did: each level a pin was driven to, in order, with its monotonic instant.

gpiozero's mock pins ignore bounce and forget who drove them; this keeps the levels that a relay board would see.
"""

from __future__ import annotations

import threading
import time
from importlib import import_module
from typing import Any

_gpiozero: Any = import_module("gpiozero")
_mock: Any = import_module("gpiozero.pins.mock")


class RememberingPin(_mock.MockPin):  # type: ignore[misc]
    """A pin whose `driven` lists (level, monotonic seconds) for each change while it is an output.

    `armed` says for each of them whether a timer was already running that would end it.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        self.driven: list[tuple[bool, float]] = []
        self.armed: list[bool] = []
        super().__init__(*args, **named)

    def _change_state(self, value: Any) -> Any:
        changed = super()._change_state(value)
        if self._function == "output" and (not self.driven or self.driven[-1][0] != bool(value)):
            self.driven.append((bool(value), time.monotonic()))
            self.armed.append(any(isinstance(thread, threading.Timer) for thread in threading.enumerate()))
        return changed

    @property
    def levels(self) -> list[bool]:
        return [level for level, _ in self.driven]


def remembering_pins() -> None:
    """Make gpiozero drive pins that remember."""
    _gpiozero.Device.pin_factory = _mock.MockFactory(pin_class=RememberingPin)


def forget_pins() -> None:
    """Let go of all pins; the next who needs some chooses."""
    _gpiozero.Device.pin_factory.reset()
    _gpiozero.Device.pin_factory = None


def pin(number: int) -> RememberingPin:
    """Return the pin of this GPIO number."""
    found: RememberingPin = _gpiozero.Device.pin_factory.pin(f"GPIO{number}")
    return found
