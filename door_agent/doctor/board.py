# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a Pi tells of its own health by files: supply voltage, room on the disk, wear of its card. It only reads.

What a machine does not tell is None or missing, never good.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LOW_NOW, _LOW_SINCE_START = 1 << 0, 1 << 16
FREE_PARTS_LEAST = 0.05
FREE_BYTES_LEAST = 200 * 10**6
LIFE_USED_PERCENT_MOST = 90
SPARE_WARNING = 2


@dataclass(frozen=True, slots=True)
class Power:
    """Is the supply's voltage too low now, and was it since the start?"""

    low_now: bool
    low_since_start: bool


@dataclass(frozen=True, slots=True)
class Space:
    """Room where the state folder is. A file system that counts no files has `files` 0."""

    free_bytes: int
    bytes: int
    free_files: int
    files: int
    read_only: bool

    def is_short(self, factor: float = 1.0) -> bool:
        """True below a twentieth or 200 MB; `factor` moves these limits."""
        parts = min(self.free_bytes / max(self.bytes, 1), self.free_files / self.files if self.files else 1.0)
        return parts < FREE_PARTS_LEAST * factor or self.free_bytes < FREE_BYTES_LEAST * factor


@dataclass(frozen=True, slots=True)
class Wear:
    """What a card or eMMC says: how much of its life is used, at most; of its spare blocks 1 is well, 2 warns, 3 is urgent."""

    device: str
    life_used_percent: int | None
    spare: int | None

    @property
    def is_worn(self) -> bool:
        return (self.life_used_percent or 0) >= LIFE_USED_PERCENT_MOST or (self.spare or 0) >= SPARE_WARNING


def power(root: Path) -> Power | None:
    """Ask the Pi's firmware, else the kernel's sensor for it."""
    for file in sorted(root.glob("sys/devices/platform/soc*/*firmware/get_throttled")):
        bits = _number(file)
        if bits is not None:
            return Power(bool(bits & _LOW_NOW), bool(bits & _LOW_SINCE_START))
    for name in sorted(root.glob("sys/class/hwmon/hwmon*/name")):
        if text(name) == "rpi_volt" and (low := _number(name.with_name("in0_lcrit_alarm"))) is not None:
            return Power(bool(low), bool(low))
    return None


def space(folder: Path) -> Space | None:
    """Return how much room there is where `folder` is."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Space(
        free_bytes=found.f_bavail * found.f_frsize,
        bytes=found.f_blocks * found.f_frsize,
        free_files=found.f_favail,
        files=found.f_files,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def wear(root: Path) -> tuple[Wear, ...]:
    """Return what each card and eMMC says of its wear; most SD cards say nothing."""
    told = []
    for device in sorted(root.glob("sys/block/mmcblk*/device")):
        lives = [int(word, 16) * 10 for word in (text(device / "life_time") or "").split() if _is_hex(word)]
        spare = _number(device / "pre_eol_info")
        if any(lives) or spare:
            told.append(Wear(device.parent.name, max(lives, default=0) or None, spare or None))
    return tuple(told)


def text(file: Path) -> str | None:
    with suppress(OSError, UnicodeDecodeError):
        return file.read_text(encoding="utf-8").strip("\0\n ")
    return None


def _number(file: Path) -> int | None:
    said = text(file)
    return int(said, 16) if said and _is_hex(said) else None


def _is_hex(word: str) -> bool:
    try:
        int(word, 16)
    except ValueError:
        return False
    return True
