# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is wired to the Pi beside readers and lamps: settings of lock, operator and inputs, and profiles of usual wirings.

Off means locked, at every output and for every kind of lock; no setting can turn that round.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec

Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
Circuit = Literal["circuit_closed", "circuit_open"]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
Pulse = Annotated[float, msgspec.Meta(gt=0, le=60)]
Pause = Annotated[float, msgspec.Meta(ge=0, le=60)]


class _Wired(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Lock(_Wired, frozen=True, kw_only=True):
    """The relay: off means locked, by the wiring. It is on for `pulse_seconds` at each tap.

    A motor needs `unlock_delay_seconds` to withdraw the bolt, and the lock keeps it so for `stays_unlocked_seconds` once the
    relay is off again. Without `extended_pulse_seconds` those who need longer get twice the pulse.
    """

    pin: Pin = 17
    active_high: bool = True
    pulse_seconds: Pulse = 5.0
    extended_pulse_seconds: Annotated[float, msgspec.Meta(gt=0, le=120)] | None = None
    unlock_delay_seconds: Pause = 0.0
    stays_unlocked_seconds: Pause = 0.0

    @property
    def extended_seconds(self) -> float:
        return self.extended_pulse_seconds or 2 * self.pulse_seconds

    @property
    def after_pulse_seconds(self) -> float:
        """How long the door may still be opened once the relay is off."""
        return self.unlock_delay_seconds + self.stays_unlocked_seconds


class Operator(_Wired, frozen=True, kw_only=True):
    """The motor that swings the leaf: started for a moment, `delay_seconds` after the lock, and never against a thrown bolt."""

    pin: Pin | None = None
    active_high: bool = True
    pulse_seconds: Pulse = 1.0
    delay_seconds: Pause = 1.0


class Bolt(_Wired, frozen=True, kw_only=True):
    """The lock's own contact: which circuit means that the bolt is thrown, and how soon it must be once the door is to lock."""

    pin: Pin | None = None
    thrown: Circuit = "circuit_closed"
    deadline_seconds: Seconds = 10.0


class Contact(_Wired, frozen=True, kw_only=True):
    """The door position switch: which circuit means that the leaf is closed (a switch may be normally open or closed)."""

    pin: Pin | None = None
    leaf_closed: Circuit = "circuit_closed"


class ExitButton(_Wired, frozen=True, kw_only=True):
    """The button by the way out; pressed for longer than `stuck_seconds` it is stuck and excuses no opening."""

    pin: Pin | None = None
    pressed: Circuit = "circuit_closed"
    stuck_seconds: Annotated[float, msgspec.Meta(ge=5, le=3600)] = 30.0


class Tamper(_Wired, frozen=True, kw_only=True):
    """The contact at the box's lid. A cut wire counts as tampered."""

    pin: Pin | None = None
    tampered: Circuit = "circuit_open"


class Fire(_Wired, frozen=True, kw_only=True):
    """The fire alarm's second contact, to be heard only: its first stands in the lock's supply. A cut wire counts as fire."""

    pin: Pin | None = None
    alarm: Circuit = "circuit_open"


class Alarm(_Wired, frozen=True, kw_only=True):
    """The burglar alarm: the input that says it is armed (a cut wire counts as armed), the output that asks it to disarm."""

    armed_pin: Pin | None = None
    armed: Circuit = "circuit_open"
    disarm_pin: Pin | None = None
    disarm_active_high: bool = True
    disarm_pulse_seconds: Pulse = 1.0
    confirmation_seconds: Pulse = 5.0


def profiles() -> list[str]:
    """Return the names of the usual wirings."""
    return sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml"))


def profile(name: str) -> dict[str, Any] | None:
    """Return what a profile settles, table by table, and the settings it `needs`; None if there is no such profile."""
    if name not in profiles():
        return None
    return tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def under(own: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, Any]:
    """Return the file's own settings with a profile's under them: what the file says stands."""
    merged = dict(settled)
    for key, value in own.items():
        both_tables = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = under(value, merged[key]) if both_tables else value
    return merged


def _folder() -> Any:
    return files("firmware_config") / "wiring"
