# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks at the Pi's own health once a minute, beside the loop, and tells what needs a person: power_low, disk_full, disk_worn.

It puts words into the inbox and does nothing else. A word clears only once things are better for a while, so that a supply at
its limit does not fill the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from door_agent.doctor import board
from door_agent.happenings import Noticed

_EVERY_SECONDS = 60.0
_LOOKS_WITHOUT = 10
"""How many looks in a row must find the voltage well, before it counts as well."""
_ROOM_AGAIN = 1.2


class Health:
    """`look` returns what changed since the last one."""

    def __init__(self, state_folder: Path, root: Path = Path("/")) -> None:
        self._state_folder, self._root = state_folder, root
        self._raised: dict[str, str] = {}
        self._looks_without = 0

    def look(self) -> list[Noticed]:
        now = self._troubles()
        changed = [Noticed(about, True, why) for about, why in now.items() if about not in self._raised]
        changed += [Noticed(about, False) for about in self._raised if about not in now]
        self._raised = now
        return changed

    def _troubles(self) -> dict[str, str]:
        said = {"power_low": self._power(), "disk_full": self._space(), "disk_worn": self._wear()}
        return {about: why for about, why in said.items() if why}

    def _power(self) -> str:
        power = board.power(self._root)
        if power is not None and power.low_now:
            self._looks_without = 0
            return "the supply's voltage is too low"
        self._looks_without += 1
        return self._raised.get("power_low", "") if self._looks_without < _LOOKS_WITHOUT else ""

    def _space(self) -> str:
        space = board.space(self._state_folder)
        if space is None or not space.is_short(_ROOM_AGAIN if "disk_full" in self._raised else 1.0):
            return ""
        return f"{space.free_bytes // 10**6} MB of {space.bytes // 10**6} MB are free, and {space.free_files} files"

    def _wear(self) -> str:
        return "; ".join(worn(wear) for wear in board.wear(self._root) if wear.is_worn)


def worn(wear: board.Wear) -> str:
    """Return what a card says of its wear."""
    said = []
    if wear.life_used_percent is not None:
        said.append(f"up to {wear.life_used_percent} % of its life is used")
    if wear.spare is not None:
        said.append({1: "spare blocks are there", 2: "spare blocks run short"}.get(wear.spare, "spare blocks are used up"))
    return f"{wear.device}: {', '.join(said)}"


class Watching:
    """Looks from a thread of its own until it is closed."""

    def __init__(self, health: Health, put: Callable[[Noticed], None], every_seconds: float = _EVERY_SECONDS) -> None:
        self._health, self._put, self._every = health, put, every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End; a file that hangs is not waited for."""
        self._ended.set()
        self._thread.join(1.0)

    def _run(self) -> None:
        while True:
            for noticed in self._health.look():
                self._put(noticed)
            if self._ended.wait(self._every):
                return
