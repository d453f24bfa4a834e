# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes the reader that a `[[readers]]` table asks for, and turns what it tells into happenings at its access point."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import assert_never

from access_contract.vocabulary import AccessPointId, Assurance, TagNumber
from door_agent import happenings as h
from door_agent.readers.evdev import EvdevReader
from door_agent.readers.osdp import OsdpReader, key_of
from door_agent.readers.pcsc import PcscReader
from door_agent.readers.port import Heard, Reader
from door_agent.readers.settings import Evdev, Osdp, Pcsc, ReaderSettings, Simulated
from door_agent.readers.simulated import SimulatedReader

Put = Callable[[h.Happening], None]


def opened(settings: ReaderSettings, heard: Heard, config_file: Path, *, virtual_allowed: bool) -> Reader:
    """Return the reader, already listening. Raise MissingPart or BadConfiguration with one clear sentence."""
    match settings:
        case Pcsc(name=name):
            return PcscReader(name, heard, virtual_allowed=virtual_allowed)
        case Simulated():
            return SimulatedReader(heard)
        case Evdev():
            return EvdevReader(settings, heard)
        case Osdp():
            return OsdpReader(settings, key_of(config_file, settings), heard)
        case _:
            assert_never(settings)


class Hearing:
    """Turns what all readers of a door tell into happenings, each at its access point."""

    def __init__(self, *, put: Put, offer: Put) -> None:
        """`put` takes what must not be lost, `offer` what may be if the loop is behind; neither waits."""
        self._put, self._offer = put, offer
        self._lock = threading.Lock()
        self._raised: dict[str, dict[AccessPointId, str]] = {}

    def at(self, point: AccessPointId) -> Heard:
        """Return whom the reader of this access point tells."""
        return Heard(
            tapped=partial(self._tapped, point),
            unreadable=lambda: self._offer(h.TagUnreadable(point)),
            moved=lambda name, why: self._put(h.ReaderMoved(point, name, why)),
            noticed=partial(self._noticed, point),
        )

    def _tapped(self, point: AccessPointId, number: TagNumber, assurance: Assurance) -> None:
        self._offer(h.TagRead(point, number, assurance))

    def _noticed(self, point: AccessPointId, about: str, raised: bool, detail: str) -> None:  # noqa: FBT001
        """Raise a word while it holds for any reader, and clear it only when it holds for none."""
        with self._lock:
            points = self._raised.setdefault(about, {})
            if raised:
                points[point] = detail
            else:
                points.pop(point, None)
            said = "; ".join(f"{point}: {why}" for point, why in points.items())
            self._put(h.Noticed(about, bool(points), said))
