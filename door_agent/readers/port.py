# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a reader is to the door, whatever is on the wall: it tells of each tap once, shows a word, and says if it is well.

A reader speaks from its own thread and only through `Heard`. Showing never waits and never fails a tap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from access_contract.vocabulary import Assurance, TagNumber


class Shown(StrEnum):
    """What a person at the reader is told by lamp and sound."""

    GRANTED = "granted"
    REFUSED = "refused"
    PRE_ALARM = "pre_alarm"


@dataclass(frozen=True, kw_only=True)
class Heard:
    """Whom a reader tells, from any thread; none of these waits.

    `tapped(number, assurance)` once for each tag laid on, however long it lies; `unreadable()` for one that gave no number;
    `moved(name or None, why)` when the reader comes or goes; `noticed(about, raised, detail)` for what needs a person though
    the reader is there: `reader_deaf`, `tamper`.
    """

    tapped: Callable[[TagNumber, Assurance], None]
    unreadable: Callable[[], None]
    moved: Callable[[str | None, str], None]
    noticed: Callable[[str, bool, str], None]


class Reader(Protocol):
    """One reader at one access point."""

    def is_alive(self) -> bool:
        """True while tags are really looked for, whether or not the device is plugged in. The watchdog is fed by this."""

    def show(self, shown: Shown) -> None:
        """Show a word at the reader as soon as it can. Never waits, never raises; a word may be dropped for a newer one."""

    def close(self) -> None:
        """End the thread and let the device go."""
