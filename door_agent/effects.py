# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries out what the machine decided: moves outputs, shows, asks, keeps. It decides nothing and waits for nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

from access_contract.messages import Ask, Captured
from access_contract.sealing import seal_number
from access_contract.vocabulary import AccessPointId, TagNumber
from door_agent import happenings as h
from door_agent.clock import Clock
from door_agent.durable import write_durably
from door_agent.journal import Journal
from door_agent.link import Link
from door_agent.mode_file import Kept, written
from door_agent.readers.port import Reader, Shown
from door_agent.relays import Lamps, Relay
from door_agent.renewing import Renewal
from door_agent.server_keys import ServerKeys
from door_agent.snapshots import SnapshotStore
from door_agent.state import Settings


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the loop works with."""

    clock: Clock
    journal: Journal
    snapshots: SnapshotStore
    relay: Relay
    operator: Relay | None
    disarm: Relay | None
    lamps: Lamps
    link: Link
    keys: ServerKeys
    renewal: Renewal
    mode_file: Path
    floor_file: Path
    readers: Mapping[AccessPointId, Reader]


class Effects:
    """Used by the loop's thread only. `put` takes what comes of an effect; `also` has slow work done beside the loop."""

    def __init__(
        self,
        settings: Settings,
        parts: Parts,
        put: Callable[[h.Happening], None],
        also: Callable[[Callable[[], None]], None],
    ) -> None:
        self._settings, self._parts, self._put, self._also = settings, parts, put, also
        self._kept: Kept | None = None

    def carry_out(self, effect: h.Effect) -> None:
        """Do it now. What is written down or published is the loop's."""
        match effect:
            case h.Energise() | h.StayUnlocked() | h.Operate() | h.Disarm() | h.Warn():
                self._move(effect)
            case h.SendAsk(ask, point, number, assurance):
                sealed = self._sealed(number, f"ask:{ask}")
                body = Ask(ask=ask, access_point=point, sealed=sealed, at=self._parts.clock.now(), assurance=assurance)
                self._parts.link.send("ask", body, qos=0)
            case h.SendCaptured(capture, number):
                sealed = self._sealed(number, f"captured:{capture}")
                self._parts.link.send("captured", Captured(capture=capture, sealed=sealed), qos=1)
            case h.KeepMode(kept):
                self._kept = kept
                self._also(self._keep_mode)
            case h.Show(granted, point):
                self._show(point, granted=granted)
            case h.Count(cause):
                self._parts.link.drop(cause)
            case h.Record() | h.PublishStatus():
                pass
            case _:
                assert_never(effect)

    def _move(self, effect: h.Energise | h.StayUnlocked | h.Operate | h.Disarm | h.Warn) -> None:
        match effect:
            case h.Energise(seconds):
                self._parts.relay.energise(seconds)
            case h.StayUnlocked(on):
                self._parts.relay.stay(on=on)
            case h.Operate(seconds):
                _pulse(self._parts.operator, seconds)
            case h.Disarm(seconds):
                _pulse(self._parts.disarm, seconds)
            case h.Warn(seconds):
                self._parts.lamps.warn(seconds)
                for reader in self._parts.readers.values() if seconds else ():
                    reader.show(Shown.PRE_ALARM)

    def _show(self, point: AccessPointId | None, *, granted: bool) -> None:
        self._parts.lamps.show(granted=granted)
        if point is not None and point in self._parts.readers:
            self._parts.readers[point].show(Shown.GRANTED if granted else Shown.REFUSED)

    def _sealed(self, number: TagNumber, about: str) -> bytes:
        return seal_number(number, door=self._settings.door, about=about, server_key=self._parts.keys.sealing)

    def _keep_mode(self) -> None:
        """Write the newest, beside the loop: a slow disk holds up no tap."""
        kept, trouble = self._kept, ""
        if kept is None:
            return
        try:
            write_durably(self._parts.mode_file, written(kept))
        except OSError as error:
            trouble = f"{self._parts.mode_file}: {error.strerror}"
        self._put(h.Noticed("mode_unwritable", bool(trouble), trouble))


def moves_an_output(effect: h.Effect) -> bool:
    """True for what must not happen in a step whose record could not be kept."""
    return isinstance(effect, h.Energise | h.Operate | h.Disarm) or (isinstance(effect, h.StayUnlocked) and effect.on)


def _pulse(output: Relay | None, seconds: float) -> None:
    if output is not None:
        output.energise(seconds)
