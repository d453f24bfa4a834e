# SPDX-License-Identifier: AGPL-3.0-or-later
"""One bounded inbox, one thread: takes what happened, steps the machine, carries out the effects in order.

Foreign threads only `put`. If this loop dies the relay is switched off and the process ends.
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import assert_never

import msgspec
import structlog
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from access_contract.messages import (
    EVENTS_IN_FLIGHT_MAX,
    Acknowledgement,
    Answer,
    Ask,
    Captured,
    Events,
    Request,
    SnapshotCurrent,
    SnapshotPart,
    Status,
    ToDoor,
    event_hash,
)
from access_contract.sealing import seal_number
from door_agent import happenings as h
from door_agent.clock import Clock
from door_agent.errors import JournalUnwritable
from door_agent.journal import Journal, Syncer
from door_agent.link import Link
from door_agent.machine import Settings, State, next_due, step
from door_agent.relays import Lamps, Relay
from door_agent.snapshots import SnapshotStore, write_durably

_log = structlog.get_logger("door")
_STATUS_SECONDS = 10.0
_REPEAT_SECONDS = 3.0
_EVENTS_IN_MESSAGE = 50


class Loop:
    """The door's one thread of thought. The parts are handed in by main.py."""

    def __init__(
        self, settings: Settings, state: State, clock: Clock, journal: Journal, snapshots: SnapshotStore, *, version: str
    ) -> None:
        self.settings, self.state, self.clock, self.journal, self.snapshots = settings, state, clock, journal, snapshots
        self.version = version
        self.inbox: queue.Queue[h.Happening | Callable[[], None] | None] = queue.Queue(1000)
        self.link: Link
        self.relay: Relay
        self.lamps: Lamps
        self.sealing_key: X25519PublicKey
        self.mode_file: Path
        self.journal_deadline_seconds = 2.0
        self.syncer = Syncer(journal.file, self._synced)
        self._sync_asked: dict[int, float] = {}
        self._sent: set[str] = set()
        self._status_at = self._repeat_at = 0.0
        self._events_due = True

    def put(self, item: h.Happening | Callable[[], None] | None) -> None:
        """Hand something in from another thread; None ends the loop."""
        self.inbox.put(item)

    def run(self) -> None:
        """Work until None is put in. Whatever ends it, the relay is off afterwards."""
        try:
            self._handle(h.Started(self.version))
            while True:
                try:
                    item = self.inbox.get(timeout=self._wait_seconds())
                except queue.Empty:
                    item = h.TimePassed()
                if item is None:
                    return
                if callable(item):
                    item()
                else:
                    self._handle(item)
                self._upkeep()
        finally:
            self.relay.close()
            self.syncer.close()

    def heard(self, body: ToDoor) -> None:
        """Take a verified message from the link's thread."""
        match body:
            case Answer():
                self.put(h.Answered(body))
            case Acknowledgement():
                self.put(lambda: self._acknowledged(body))
            case SnapshotPart():
                self.put(lambda: self._part(body))
            case SnapshotCurrent():
                pass
            case _:
                self.put(h.Commanded(body))

    def link_changed(self, up: bool) -> None:  # noqa: FBT001
        self.put(h.LinkChanged(up))
        if up:
            self.put(self._connected)

    def _wait_seconds(self) -> float:
        due = min(next_due(self.state) or self._status_at, self._status_at, self._repeat_at)
        return min(1.0, max(0.0, due - self.clock.monotonic()))

    def _handle(self, happening: h.Happening) -> None:
        stamp = h.Stamp(
            now=self.clock.now(),
            monotonic=self.clock.monotonic(),
            clock=self.clock.quality(),
            fresh=secrets.token_hex(16),
        )
        self.state, effects = step(self.settings, self.state, stamp, happening)
        failed: str | None = None
        for effect in effects:
            if isinstance(effect, h.Record):
                failed = self._record(effect, stamp) or failed
            elif not (failed and self.settings.unwritable_refuses and isinstance(effect, h.Energise)):
                self._carry_out(effect)
        if failed:
            self.put(h.JournalReported(failed, self.journal.sequence))

    def _record(self, effect: h.Record, stamp: h.Stamp) -> str | None:
        try:
            sequence = self.journal.append(effect.what, at=stamp.now, monotonic=stamp.monotonic, clock=stamp.clock)
        except JournalUnwritable as error:
            return str(error)
        self._sync_asked[sequence] = self.clock.monotonic()
        self.syncer.sync(sequence)
        self._events_due = True
        return None

    def _carry_out(self, effect: h.Effect) -> None:
        match effect:
            case h.Energise(seconds):
                self.relay.energise(seconds)
            case h.StayUnlocked(on):
                self.relay.stay(on=on)
            case h.SendAsk(ask, point, number, assurance):
                sealed = seal_number(number, door=self.settings.door, server_key=self.sealing_key)
                body = Ask(ask=ask, access_point=point, sealed=sealed, at=self.clock.now(), assurance=assurance)
                self.link.send("ask", body, qos=0)
            case h.SendCaptured(capture, number):
                sealed = seal_number(number, door=self.settings.door, server_key=self.sealing_key)
                self.link.send("captured", Captured(capture=capture, sealed=sealed), qos=1)
            case h.PublishStatus():
                self._status_at = 0.0
            case h.KeepMode(mode):
                write_durably(self.mode_file, mode.encode())
            case h.Show(granted):
                self.lamps.show(granted=granted)
            case h.Count(cause):
                self.link.drop(cause)
            case h.Record():
                pass
            case _:
                assert_never(effect)

    def _upkeep(self) -> None:
        now = self.clock.monotonic()
        if now >= self._status_at:
            self._status_at = now + _STATUS_SECONDS
            if self.state.link_up:
                self.link.publish_status(self._status())
        if self.state.link_up:
            self._send_events(now)

    def _send_events(self, now: float) -> None:
        if not self._events_due and now < self._repeat_at:
            return
        self._events_due = False
        waiting = self.journal.unacknowledged(EVENTS_IN_FLIGHT_MAX)
        new = [content for content in waiting if event_hash(content) not in self._sent]
        sending = waiting if now >= self._repeat_at else new
        self._sent = {event_hash(content) for content in waiting}
        self._repeat_at = now + _REPEAT_SECONDS
        for start in range(0, len(sending), _EVENTS_IN_MESSAGE):
            events = [msgspec.Raw(content) for content in sending[start : start + _EVENTS_IN_MESSAGE]]
            self.link.send("events", Events(events=events), qos=1)

    def _connected(self) -> None:
        self._sent.clear()
        self._repeat_at = 0.0
        self.link.send("request", Request(digest=self.state.digest), qos=0)

    def _acknowledged(self, body: Acknowledgement) -> None:
        try:
            self.journal.acknowledge(body.journal, body.up_to, body.missing)
        except JournalUnwritable as error:
            self._handle(h.JournalReported(str(error), self.journal.sequence))
            return
        self._events_due = True
        if body.missing:
            self._repeat_at = 0.0
        if body.forked and body.journal == self.journal.id:
            before = self.journal.start_new()
            self.state = replace(self.state, sequence=0, passes=())
            self._handle(h.Started(self.version, before))

    def _part(self, part: SnapshotPart) -> None:
        try:
            taken = self.snapshots.take(part, door=self.settings.door, at_least=self.state.snapshot.number)
        except OSError as error:
            self._handle(h.Noticed("snapshot_unwritable", True, str(error)))
            return
        if taken is not None:
            self._handle(h.SnapshotTaken(*taken))

    def _synced(self, sequence: int, error: str | None) -> None:
        now = time.monotonic()
        self.put(lambda: self._sync_reported(sequence, error, now))

    def _sync_reported(self, sequence: int, error: str | None, now: float) -> None:
        asked = [self._sync_asked.pop(number) for number in list(self._sync_asked) if number <= sequence]
        late = bool(asked) and now - min(asked) > self.journal_deadline_seconds
        if error is not None or late or not self.state.journal_writable:
            self._handle(h.JournalReported(error, self.journal.sequence, late))

    def _status(self) -> Status:
        state = self.state
        return Status(
            online=True,
            at=self.clock.now(),
            boot=self.journal.boot,
            nonce=state.nonce,
            journal=self.journal.id,
            last_sequence=self.journal.sequence,
            acknowledged=self.journal.acknowledged,
            snapshot_number=state.snapshot.number,
            snapshot_digest=state.digest,
            mode=state.mode,
            contact_open=state.contact_open,
            clock=state.clock,
            attention=list(state.attention),
            version=self.version,
            simulated=self.settings.simulated,
        )
