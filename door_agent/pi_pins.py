# SPDX-License-Identifier: AGPL-3.0-or-later
"""The Pi's pins over lgpio, each made an output at the level that it is to have.

gpiozero's own pin is low for a moment before it gets its level, and a board that switches on a low level takes that for on.
Import it only where lgpio is there.
"""

from __future__ import annotations

import lgpio
from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin


class SteadyPin(LGPIOPin):
    """A pin that is never at a level nobody asked for."""

    def output_with_state(self, state: bool) -> None:  # noqa: FBT001
        """Be an output at this level from the first moment on: the kernel is told both at once."""
        lgpio.gpio_claim_output(self.factory._handle, self._number, int(state))


class PiPins(LGPIOFactory):
    """gpiozero's factory over lgpio with steady pins. Raise what LGPIOFactory raises where there are none."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pin_class = SteadyPin
