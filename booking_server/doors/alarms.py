# SPDX-License-Identifier: AGPL-3.0-or-later
"""Where the burglar alarm is armed: by the last word of the door that it is wired to, for every other door of the site.

A door that says itself how the alarm stands judges by its own wire. While the wired door is away its last word stands.
"""

from __future__ import annotations

from collections.abc import Mapping

from access_contract.messages import Status
from access_contract.vocabulary import DoorId


class Alarms:
    """Any thread may call; a word that comes meanwhile counts for the next tap."""

    def __init__(self) -> None:
        self._site_of: Mapping[DoorId, int] = {}
        self._armed: dict[DoorId, bool] = {}

    def begin(self, last: Mapping[DoorId, Status]) -> None:
        """Take on what each door last said before this process started."""
        for door, status in last.items():
            self.heard(door, status)

    def know(self, site_of: Mapping[DoorId, int]) -> None:
        """Take on which doors are in use, and at which site each is."""
        self._site_of = site_of

    def heard(self, door: DoorId, status: Status) -> None:
        """Take on what a door says of its alarm. A last will says nothing of it."""
        if status.alarm_armed is not None:
            self._armed[door] = status.alarm_armed
        elif status.online:
            self._armed.pop(door, None)

    def armed_at(self, door: DoorId) -> bool:
        """True if another door of the same site last said that the alarm is armed, and this one says nothing of it."""
        site = self._site_of.get(door)
        if site is None or door in self._armed:
            return False
        return any(armed and self._site_of.get(other) == site for other, armed in list(self._armed.items()))
