# SPDX-License-Identifier: AGPL-3.0-or-later
"""Records who of the staff saw whose name or movements on a page that shows many, or shows them along with other things.

One row for each viewer, person, kind of look and hour: a page that follows the doors live would else write one for each tap.
What is opened on purpose (a person's taps, an entry, a copy of all data) is recorded each time, where it is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from threading import Lock

from flask import current_app

from booking_server.audit import service as audit
from booking_server.web.request import actor, database, now


class Looks:
    """What this process has recorded in this hour. After a restart a look may be recorded twice, never not at all."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hour: datetime | None = None
        self._noted: set[tuple[str, str, int]] = set()

    def new(self, hour: datetime, viewer: str, act: str, person_ids: Iterable[int]) -> set[int]:
        """Return those of these people of whom it is not recorded yet."""
        with self._lock:
            if hour != self._hour:
                self._hour, self._noted = hour, set()
            return {number for number in person_ids if (viewer, act, number) not in self._noted}

    def noted(self, hour: datetime, viewer: str, act: str, person_ids: Iterable[int]) -> None:
        """Remember that it is recorded."""
        with self._lock:
            if hour == self._hour:
                self._noted.update((viewer, act, number) for number in person_ids)


def looked(act: str, person_ids: Iterable[int]) -> None:
    """Record that whoever is signed in saw this of these people; who sees themselves is not recorded."""
    who, hour = actor(), now().replace(minute=0, second=0, microsecond=0)
    looks: Looks = current_app.extensions.setdefault("looks", Looks())
    new = looks.new(hour, who.name, act, {number for number in person_ids if number != who.person_id})
    if not new:
        return
    with database().write() as tx:
        for number in sorted(new):
            audit.note(tx, who, now=now(), act=act, subject=f"person:{number}")
    looks.noted(hour, who.name, act, new)
