# SPDX-License-Identifier: AGPL-3.0-or-later
"""Carries snapshots to the doors beside everything else: as what changed where that fits one message, else whole in parts.

A thread of its own does the packing, the comparing and the sending, a message for each door in turn and few at a time on the
way to the broker, so that a hundred thousand tags keep no answer waiting. What cannot be sent is dropped: a door that holds
another snapshot says so again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from access_contract.messages import SnapshotDelta, SnapshotPart
from access_contract.vocabulary import DoorId
from booking_server.access.door_rights import DoorRights
from booking_server.access.snapshots import delta_between, snapshot_of
from booking_server.clock import Clock
from booking_server.doors.measuring import SNAPSHOTS
from booking_server.doors.sending import Sender

IN_FLIGHT_MAX = 4
"""How many messages the broker may not have taken yet: an answer waits behind no more."""
MESSAGE_SECONDS = 0.01
"""A door is sent no more than one message in this time (some 35 Mbit/s), so that its answers need not queue behind parts."""
TAKES_SECONDS, TAKES_SECONDS_EACH = 5.0, 0.25
"""A door needs a moment to take a snapshot on and to say so, and longer for more messages."""
BROKER_SECONDS = 10.0
"""A broker that takes nothing for so long is away."""


@dataclass(slots=True)
class _Errand:
    """What one door is to be brought, in order; `digest` is what it then holds, `sent` how many messages that took so far."""

    jobs: deque[tuple[DoorRights | None, DoorRights]] = field(default_factory=deque)
    messages: Iterator[SnapshotPart | SnapshotDelta] | None = None
    digest: str = ""
    sent: int = 0
    last_at: float = 0.0

    @property
    def is_done(self) -> bool:
        return not self.jobs and self.messages is None


class Courier:
    """Any thread may call. A bug ends up in `fault`, so that the process can end and be started again."""

    def __init__(self, sender: Sender, clock: Clock) -> None:
        self.fault: BaseException | None = None
        self._sender, self._clock = sender, clock
        self._errands: dict[DoorId, _Errand] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, limit_seconds: float = 5) -> None:
        """Send nothing more."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(limit_seconds)

    def bring(self, door: DoorId, before: DoorRights | None, now: DoorRights) -> None:
        """Make a door that holds `before` (None: something else) hold `now`, after what is already on its way."""
        with self._changed:
            errand = self._errands.setdefault(door, _Errand())
            if before is None:
                errand.jobs.clear()
                errand.messages = None
            if errand.is_done:
                errand.sent = 0
            errand.jobs.append((before, now))
            errand.digest, errand.last_at = now.digest, self._clock.monotonic()
            self._changed.notify()

    def forget(self, door: DoorId) -> None:
        """Think no more of a door that is gone: it lost what was on its way."""
        with self._changed:
            self._errands.pop(door, None)

    def on_its_way(self, door: DoorId) -> str | None:
        """Return the digest of what the door will soon hold, or should by now have said that it does; None if nothing is."""
        with self._changed:
            errand = self._errands.get(door)
            if errand is None:
                return None
            takes = TAKES_SECONDS + TAKES_SECONDS_EACH * errand.sent
            late = errand.is_done and self._clock.monotonic() - errand.last_at >= takes
            return None if late else errand.digest

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._round()
        except BaseException as error:
            self.fault = error

    def _round(self) -> None:
        """Send each door its next message."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._open())
            these = self._open()
        begun = self._clock.monotonic()
        for door in these:
            self._one(door)
        with self._changed:
            rest = MESSAGE_SECONDS - (self._clock.monotonic() - begun)
            if rest > 0 and any(door in these for door in self._open()):
                self._changed.wait(rest)

    def _open(self) -> list[DoorId]:
        return [door for door, errand in self._errands.items() if not errand.is_done]

    def _one(self, door: DoorId) -> None:
        with self._changed:
            errand = self._errands.get(door)
            if errand is None or errand.is_done:
                return
            if errand.messages is None:
                errand.messages = _messages(*errand.jobs.popleft())
            messages = errand.messages
        message = next(messages, None)
        taken = message is None or self._sender.snapshot(door, message, in_flight_max=IN_FLIGHT_MAX, seconds=BROKER_SECONDS)
        with self._changed:
            if not taken:
                self._errands.pop(door, None)
            elif errand.messages is messages:
                errand.messages = None if message is None else messages
                errand.sent += message is not None
                errand.last_at = self._clock.monotonic()


def _messages(before: DoorRights | None, now: DoorRights) -> Iterator[SnapshotPart | SnapshotDelta]:
    delta = None if before is None else delta_between(before, now)
    SNAPSHOTS.labels("whole" if delta is None else "change").inc()
    if delta is not None:
        yield delta
    else:
        yield from snapshot_of(now).parts()
