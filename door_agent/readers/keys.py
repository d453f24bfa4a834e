# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a keyboard that is a reader types, from the kernel's input events to lines. Pure.

Enter ends a line. Keys that are further apart than a machine types them belong to different lines.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

EVENT = struct.Struct("@llHHi")
"""The kernel's input_event on 64-bit: seconds, microseconds, type, code, value (linux/input.h)."""
INTER_KEY_SECONDS = 0.2
UNKNOWN = "?"
"""Stands for a key that no number has, so that the line cannot be taken for one."""
_SYN, _KEY = 0, 1
_SYN_DROPPED = 3
_PRESSED = 1
_ENDS = (28, 96)
_SHIFTS = (42, 54)
_KEYS = {
    **dict(zip((11, *range(2, 11)), "0123456789", strict=True)),
    **dict(zip((82, 79, 80, 81, 75, 76, 77, 71, 72, 73), "0123456789", strict=True)),
    30: "A",
    48: "B",
    46: "C",
    32: "D",
    18: "E",
    33: "F",
}
"""Digits above the letters, digits of the number pad, and A to F (linux/input-event-codes.h). Shift changes none of them."""


class Lines:
    """Puts keys together to lines."""

    def __init__(self) -> None:
        self._typed = ""
        self._at = 0.0

    def take(self, events: bytes) -> Iterator[tuple[float, str]]:
        """Yield (seconds, line) for each line that whole input events end; the instants are the kernel's own."""
        for seconds, micros, kind, code, value in EVENT.iter_unpack(events):
            at = seconds + micros / 1e6
            if kind == _SYN and code == _SYN_DROPPED:  # the kernel could not keep up: what was typed has a hole
                self._typed, self._at = UNKNOWN, at
            elif kind == _KEY and value == _PRESSED and code not in _SHIFTS:
                if at - self._at > INTER_KEY_SECONDS:
                    self._typed = ""
                self._at = at
                if code in _ENDS:
                    line, self._typed = self._typed, ""
                    if line:
                        yield at, line
                else:
                    self._typed += _KEYS.get(code, UNKNOWN)
