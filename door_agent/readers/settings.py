# SPDX-License-Identifier: AGPL-3.0-or-later
"""The settings of a `[[readers]]` table: one struct for each kind, told apart by `kind`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Annotated, Literal

import msgspec


class _Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    access_point: str


class Pcsc(_Reader, frozen=True, kw_only=True, tag="pcsc"):
    """A PC/SC reader. `name` is how PC/SC's name for it begins; empty takes any."""

    name: str = ""


class Evdev(_Reader, frozen=True, kw_only=True, tag="evdev"):
    """A reader that types numbers like a keyboard. `device` is its file in /dev/input/by-id."""

    device: Annotated[str, msgspec.Meta(pattern="^/")]
    format: Literal["hex", "decimal", "8h10d"] = "hex"
    reversed_bytes: bool = False


class Osdp(_Reader, frozen=True, kw_only=True, tag="osdp"):
    """A reader on an RS-485 line of its own, spoken to under its own key only."""

    port: Annotated[str, msgspec.Meta(pattern="^/")]
    key_file: str
    address: Annotated[int, msgspec.Meta(ge=0, le=126)] = 0
    baud_rate: Literal[9600, 19200, 38400, 57600, 115200] = 9600
    format: Literal["uid", "wiegand34", "wiegand58"] = "uid"
    reversed_bytes: bool = False


class Simulated(_Reader, frozen=True, kw_only=True, tag="simulated"):
    """A reader that the control socket taps on: only with demo = true."""


ReaderSettings = Pcsc | Evdev | Osdp | Simulated


def conflict(readers: Sequence[ReaderSettings]) -> str | None:
    """Return the sentence that says which two readers cannot stand beside each other, or None."""
    points = [reader.access_point for reader in readers]
    if len(set(points)) != len(points):
        return f"readers name the access points {points}; each may stand once"
    for one, other in permutations(readers, 2):
        match one, other:
            case Pcsc(name=name), Pcsc(name=longer) if longer.startswith(name):
                return (
                    f"readers.name is {name!r} beside {longer!r}; both would take the same reader: give each the whole name"
                    " that `pcsc_scan` shows"
                )
            case Evdev(device=device), Evdev(device=same) if device == same:
                return f"readers.device is {device!r} twice; each reader has a device of its own"
            case Osdp(port=port), Osdp(port=same) if port == same:
                return f"readers.port is {port!r} twice; each OSDP reader needs an RS-485 line of its own"
    return None
