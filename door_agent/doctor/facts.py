# SPDX-License-Identifier: AGPL-3.0-or-later
"""What was found out about a door's box, as plain values. What could not be found out is None."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from door_agent.config import Config
from door_agent.doctor.board import Power, Space, Wear
from door_agent.doctor.boot import Line
from door_agent.telling import Told

AGENTS_USER = "hubkey-door"


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file or folder that the settings name. `owner` and `group` by name, by number where there is none."""

    setting: str
    path: str
    secret: bool
    mode: int
    owner: str
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pcscd:
    """What pcscd answers the agent's user. `code` is PC/SC's own number, 0 for good; `said` its text."""

    code: int = 0
    said: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`at` is the machine's time. `synced_at` is when a time server was last heard, `battery_off_seconds` how far the battery
    clock, if there is one, differs."""

    at: datetime
    synced: bool
    synced_at: datetime | None = None
    has_battery: bool | None = None
    battery_off_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """`bytes` with its write-ahead log."""

    bytes: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """How long it took to put 64 KiB on the disk, or why that failed."""

    seconds: float = 0.0
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """`renews` is True where the agent renews it by itself."""

    name: str
    ends: datetime
    renews: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """How the broker took the door's certificate: `trouble` None if it did, after `seconds`."""

    address: str
    seconds: float = 0.0
    trouble: str | None = None
    revoked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    agent: str
    python: str
    bits: int
    machine: str
    system: str | None = None
    debian: str | None = None
    pcscd: str | None = None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """`config` None: the settings cannot be used, and `trouble` says why. `runs`: an agent holds the state folder, `told` what
    it says of itself. `modules` are the kernel's; `chips` and `devices` are files with the group that may use them."""

    config_file: Path
    config: Config | None = None
    trouble: str | None = None
    agents_user_is_there: bool = False
    files: tuple[File, ...] = ()
    runs: bool | None = None
    told: Told | None = None
    pcscd: Pcscd | None = None
    devices: dict[str, str] = field(default_factory=dict)
    drop_ins: frozenset[str] = frozenset()
    modules: frozenset[str] | None = None
    model: str | None = None
    chips: dict[str, str] = field(default_factory=dict)
    pin_library: bool = True
    boot_file: str | None = None
    boot_lines: tuple[Line, ...] = ()
    keeps_outputs: bool | None = None
    clock: Clock
    space: Space | None = None
    wear: tuple[Wear, ...] = ()
    journal: Journal | None = None
    sync: Sync | None = None
    power: Power | None = None
    certificate: Certificate | None = None
    broker: Broker | None = None
    versions: Versions
    unit: dict[str, str] | None = None
