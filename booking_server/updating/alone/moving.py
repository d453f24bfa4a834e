# SPDX-License-Identifier: AGPL-3.0-or-later
"""Goes from step to step until the hub is in the new version, or back in the old one. Each step may be done twice.

An interruption at any point is met by doing the step again that was begun. What fails on the way forward turns it back; what
fails on the way back is said, with what to do, and tried again at the next run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from . import record as records
from .record import Record

Say = Callable[[str], None]


class Failed(Exception):
    """A step could not be done; the message is one line."""


class Stuck(Exception):
    """The way back could not be gone to its end; the message is one line that says what to do."""


class Steps(Protocol):
    """What is done to the machine. Each raises Failed or OSError, and may be done again after it was interrupted."""

    def keep(self) -> None: ...
    def stop(self) -> None: ...
    def copy(self) -> None: ...
    def copy_again(self) -> None: ...
    def install(self) -> None: ...
    def migrate(self) -> None: ...
    def start(self) -> None: ...
    def check(self) -> None: ...
    def downgrade(self) -> None: ...
    def undo_package(self) -> None: ...
    def undo_data(self) -> None: ...
    def undo_settings(self) -> None: ...


def move(folder: Path, steps: Callable[[Record], Steps], say: Say) -> Record:
    """Finish what stands in `folder`, and return it with its result. Raise Stuck, or OSError where it cannot be recorded."""
    found = records.read(folder)
    if found is None:
        raise Stuck("there is no update to go on with")
    while found.under_way:
        say(_SAYS[found.step].format(before=found.plan.version_before, after=found.plan.version_after))
        if found.step == "start" and found.way == "forward" and not found.served:
            found = replace(found, served=True)
            records.write(folder, found)
        found = _after(found, steps(found), say)
        records.write(folder, found)
        if found.stuck:
            raise Stuck(found.stuck)
    return found


def _after(found: Record, steps: Steps, say: Say) -> Record:
    try:
        getattr(steps, found.step)()
    except (Failed, OSError) as error:
        why = str(error) if isinstance(error, Failed) else f"{error.filename or 'the disk'}: {error.strerror}"
        say(f"  ! {why}")
        if found.can_turn_back:
            return found.turned_back(f"{found.step}: {why}")
        return replace(found, stuck=f"{found.step}: {why}")
    return found.next()


_SAYS = {
    "keep": "keeping the package {before} and the settings",
    "stop": "stopping the hub; its doors decide alone meanwhile",
    "copy": "copying the database",
    "copy_again": "copying the database as it is now",
    "install": "installing {after}",
    "migrate": "bringing the database to {after}",
    "start": "starting the hub",
    "check": "looking whether all is well",
    "downgrade": "bringing the database back to {before}",
    "undo_package": "putting the package {before} back",
    "undo_data": "putting the database back where it has to be",
    "undo_settings": "putting the settings back",
}
