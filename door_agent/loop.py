# SPDX-License-Identifier: AGPL-3.0-or-later
"""One inbox, one thread: takes what happened, steps the machine, carries out the effects in order.

Foreign threads only put something in and never wait. If this loop dies, for whatever reason, the relay is switched off and
the process ends.
"""

from __future__ import annotations

import queue
import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from access_contract import messages
from access_contract.messages import (
    Acknowledgement,
    Answer,
    SnapshotCurrent,
    SnapshotDelta,
    SnapshotPart,
    ToDoor,
)
from access_contract.vocabulary import ClockQuality, tag_hash
from door_agent import happenings as h
from door_agent.delivery import Delivery
from door_agent.effects import Effects, Parts, moves_an_output
from door_agent.errors import JournalUnwritable
from door_agent.floor import keep_floor
from door_agent.inbox import Inbox
from door_agent.intake import Intake
from door_agent.journal_file import suspected
from door_agent.log import Log
from door_agent.machine import Settings, State, next_due, step
from door_agent.server_keys import BadKeys
from door_agent.status import status_of
from door_agent.syncing import Mark, Syncer, check_beside
from door_agent.telling import Teller
from door_agent.watchdog import Watchdog

_log = Log("door")
_STATUS_SECONDS = 10.0
_NEARLY_FULL, _ROOM_AGAIN = 0.9, 0.8
_FLOOR_SECONDS = 600.0
_TOLD_SECONDS = 1.0
Item = h.Happening | Callable[[], None] | None


class Loop:
    """The door's one thread of thought. `parts` is handed in before `run`, because the parts put things into its inbox."""

    parts: Parts

    def __init__(self, settings: Settings, state: State, *, version: str, journal_deadline_seconds: float = 2.0) -> None:
        self.settings, self.state, self.version = settings, state, version
        self.inbox: Inbox[Item] = Inbox()
        self._journal_deadline_seconds = journal_deadline_seconds
        self._sync_asked: dict[int, float] = {}
        self._synced_up_to = 0
        self._late_said = False
        self._status_at = self._alive_at = self._tick_at = self._told_at = 0.0
        self.teller = Teller(settings, version)
        self._watchdog = Watchdog()

    def put(self, item: Item) -> None:
        """Take in what the door itself saw, from any thread; None ends the loop."""
        self.inbox.put(item)

    def offer(self, item: Item) -> None:
        """Take in what may be lost when the loop is behind: a tap, a message."""
        self.inbox.offer(item)

    def broken(self, error: BaseException) -> None:
        """End the loop with the error that ended another thread: a door without one of its parts must not look alive."""

        def end() -> None:
            raise error

        self.put(end)

    def run(self) -> None:
        """Work until None is put in. Whatever ends it, the relay is off afterwards."""
        self._syncer = Syncer(self.parts.journal.file, self._on_disk, self._probed)
        journal, link = self.parts.journal, self.parts.link
        self._delivery = Delivery(journal, lambda events: link.send_events(events, gone=journal.gone))
        self._effects = Effects(self.settings, self.parts, self.put, self._syncer.also)
        self._intake = Intake(self.parts.snapshots, self.parts.link, self.parts.clock, put=self.put, handle=self._handle)
        try:
            if self.parts.journal.on_disk:
                self._syncer.sync((self.parts.journal.id, self.parts.journal.sequence))
            if not self.parts.journal.checked:
                check_beside(self.parts.journal.file, lambda why: self.broken(suspected(self.parts.journal.file, why)))
            self._floor_at = self.parts.clock.monotonic() + _FLOOR_SECONDS
            self._handle(h.Started(self.version))
            self._intake.start()
            self._watchdog.ready()
            while self._once():
                pass
            self._handle(h.Ending())
            self._syncer.also(self._keep_floor)
        finally:
            with ExitStack() as ends:  # one that cannot be closed keeps none of the others on
                for output in (self.parts.disarm, self.parts.operator, self.parts.relay):
                    if output is not None:
                        ends.callback(output.close)
            self._watchdog.ending()
            self._syncer.close()
            self._intake.close()

    def heard(self, body: ToDoor) -> None:
        """Take a verified message from the link's thread."""
        match body:
            case Answer():
                self.offer(h.Answered(body))
            case Acknowledgement():
                self.offer(lambda: self._acknowledged(body))
            case SnapshotPart() | SnapshotDelta() | SnapshotCurrent():
                self.offer(lambda: self._intake.heard(body))
            case messages.Renewed():
                self.offer(lambda: self.parts.renewal.taken(body, self.parts.clock.monotonic()))
            case messages.ServerKeys():
                self.offer(lambda: self._keys_told(body))
            case _:
                self.offer(h.Commanded(body))

    def link_changed(self, up: bool) -> None:  # noqa: FBT001
        self.put(h.LinkChanged(up))
        if up:
            self.put(self._connected)

    def _once(self) -> bool:
        try:
            item = self.inbox.take(self._wait_seconds())
        except queue.Empty:
            item = h.TimePassed()
        if item is None:
            return False
        if callable(item):
            item()
        else:
            self._handle(item)
        self._upkeep()
        return True

    def _wait_seconds(self) -> float:
        due = [self._status_at, next_due(self.state)]
        if self.state.link_up:
            due.append(self._delivery.repeat_at)
        return min(1.0, max(0.0, min(at for at in due if at is not None) - self.parts.clock.monotonic()))

    # --- the machine's effects ---------------------------------------------------------------------------------------

    def _handle(self, happening: h.Happening) -> None:
        stamp, before = self._stamp(), self.state
        if isinstance(happening, h.TagRead):
            tag = tag_hash(self.settings.tag_key, happening.number)
            happening = replace(happening, rights=self._intake.look_up(tag))
        self.state, effects = step(self.settings, before, stamp, happening)
        self.teller.saw(stamp, before, self.state, effects)
        failed: str | None = None
        for effect in effects:
            if isinstance(effect, h.Record):
                failed = failed or self._record(effect, stamp)
            elif isinstance(effect, h.PublishStatus):
                self._status_at = 0.0
            elif failed is None or not self.settings.unwritable_refuses:
                self._effects.carry_out(effect)
            elif not moves_an_output(effect):
                self._effects.carry_out(replace(effect, granted=False) if isinstance(effect, h.Show) else effect)
        if failed:
            self._handle(h.JournalReported(failed, self.parts.journal.sequence))

    def _stamp(self) -> h.Stamp:
        clock = self.parts.clock
        return h.Stamp(now=clock.now(), monotonic=clock.monotonic(), clock=clock.quality(), fresh=secrets.token_hex(16))

    def _record(self, effect: h.Record, stamp: h.Stamp) -> str | None:
        journal = self.parts.journal
        try:
            sequence = journal.append(effect.what, at=stamp.now, monotonic=stamp.monotonic, clock=stamp.clock)
        except JournalUnwritable as error:
            return str(error)
        if journal.on_disk:
            self._sync_asked[sequence] = self.parts.clock.monotonic()
            self._syncer.sync((journal.id, sequence))
        if not (journal.on_disk and self.state.journal_writable):
            self._delivery.more()
        return None

    # --- upkeep ------------------------------------------------------------------------------------------------------

    def _upkeep(self) -> None:
        now = self.parts.clock.monotonic()
        self._pet(now)
        self.parts.link.date_anew()
        self._look_at_disk(now)
        if now >= self._tick_at:
            self._tick_at = now + _STATUS_SECONDS
            self._tick()
        if now >= self._status_at:
            self._status_at = now + _STATUS_SECONDS
            if self.state.link_up:
                parts = self.parts
                said = status_of(self.settings, self.state, parts.journal, parts.clock.now(), self.version, parts.keys.known)
                parts.link.publish_status(said)
        if now >= self._told_at:
            self._told_at = now + _TOLD_SECONDS
            self.teller.tell(self._stamp(), self.state, self.parts.journal, self.parts.renewal.ends)
        if self.state.link_up:
            self._delivery.work(now, up_to=self._synced_up_to if self.state.journal_writable else self.parts.journal.sequence)
            self._intake.work(now)

    def _pet(self, now: float) -> None:
        every = self._watchdog.every_seconds
        if every is not None and now >= self._alive_at and all(reader.is_alive() for reader in self.parts.readers.values()):
            self._alive_at = now + every
            self._watchdog.alive()

    def _look_at_disk(self, now: float) -> None:
        """Say it while a sync is late, not only once it is done: a disk that hangs never reports."""
        oldest = next(iter(self._sync_asked.items()), None)
        if oldest is None or now - oldest[1] <= self._journal_deadline_seconds:
            self._late_said = False
        elif not self._late_said:
            self._late_said = True
            last = self.parts.journal.sequence
            self._handle(h.JournalLate(f"events {oldest[0]} to {last} were not on the disk in time"))

    def _look_at_room(self) -> None:
        """Say well before the end that the journal fills up, and say it until there is room again."""
        journal = self.parts.journal
        raised = journal.waiting >= journal.events_max * (
            _ROOM_AGAIN if "journal_full" in self.state.attention else _NEARLY_FULL
        )
        if raised is not ("journal_full" in self.state.attention):
            detail = f"{journal.waiting} of {journal.events_max} events wait for the server" if raised else ""
            self._handle(h.Noticed("journal_full", raised, detail))

    def _keep_floor(self) -> None:
        keep_floor(self.parts.floor_file, self.parts.clock)

    def _tick(self) -> None:
        self._look_at_room()
        if self.parts.clock.monotonic() >= self._floor_at:
            self._floor_at = self.parts.clock.monotonic() + _FLOOR_SECONDS
            self._syncer.also(self._keep_floor)
        clock = self.parts.clock
        trusted = None if clock.quality() is ClockQuality.UNTRUSTED else clock.now()
        self.parts.renewal.look(trusted, clock.monotonic(), link_up=self.state.link_up)
        if not self.state.journal_writable and self.parts.journal.has_room:
            self._syncer.probe()
        self._intake.write()
        if self.inbox.dropped:
            _log.warning("the loop was behind", dropped=self.inbox.dropped)
            self.inbox.dropped = 0

    def _on_disk(self, mark: Mark, error: str | None) -> None:
        self.put(lambda: self._sync_reported(mark, error))

    def _sync_reported(self, mark: Mark, error: str | None) -> None:
        if mark[0] == self.parts.journal.id:
            for number in [number for number in self._sync_asked if number <= mark[1]]:
                del self._sync_asked[number]
            if error is None:
                self._synced_up_to = mark[1]
                self._delivery.more()
        if error is not None:
            self._handle(h.JournalReported(error, self.parts.journal.sequence))

    def _probed(self, error: str | None) -> None:
        if error is None:
            self.put(self._disk_is_back)

    def _disk_is_back(self) -> None:
        if not self.parts.journal.on_disk:
            raise JournalUnwritable(f"{self.parts.journal.file}: can be written again; starting anew with it")
        self._handle(h.JournalReported(None, self.parts.journal.sequence))

    # --- the server's word -------------------------------------------------------------------------------------------

    def _connected(self) -> None:
        self.parts.renewal.connected()
        self._delivery.connected()
        self._intake.ask()

    def _keys_told(self, told: messages.ServerKeys) -> None:
        try:
            self.parts.keys.judge(told)
        except BadKeys:
            self.parts.link.drop("bad_keys")
            return
        self._syncer.also(lambda: self._keep_keys(told))

    def _keep_keys(self, told: messages.ServerKeys) -> None:
        trouble = self.parts.keys.keep(told)
        self.put(h.Noticed("keys_unwritable", trouble is not None, trouble or ""))
        if trouble is None:
            self.put(lambda: self._hold_keys(told))

    def _hold_keys(self, told: messages.ServerKeys) -> None:
        self.parts.keys.hold(told)
        self._status_at = 0.0

    def _acknowledged(self, body: Acknowledgement) -> None:
        journal = self.parts.journal
        clock = self.parts.clock
        now = None if clock.quality() is ClockQuality.UNTRUSTED else clock.now()
        try:
            if body.again:
                self._send_again(body)
            gone = journal.acknowledge(body.journal, body.up_to, body.missing, forked=body.forked, now=now)
        except JournalUnwritable as error:
            self._handle(h.JournalReported(str(error), journal.sequence))
            return
        if gone:
            self._syncer.forgot(gone)
        self._delivery.acknowledged(self.parts.clock.monotonic(), journal=body.journal, missing=body.missing)
        if body.forked and body.journal == journal.id:
            before = journal.id
            self._start_new_journal()
            self._handle(h.Noticed("journal_forked", True, f"the server held other events under numbers of {before}"))

    def _send_again(self, body: Acknowledgement) -> None:
        """Send what a server lost that was put back. Where some of it is not here any more, another journal makes that an end
        which staff can close; and it is told of the certificate, which it may not know."""
        whole = self.parts.journal.send_again(body.journal, body.up_to)
        if whole is None:
            return
        _log.warning("the server was put back and asks again", journal=body.journal, from_number=body.up_to + 1, whole=whole)
        self._delivery.connected()
        self.parts.renewal.tell_again()
        if not whole and body.journal == self.parts.journal.id:
            self._start_new_journal()

    def _start_new_journal(self) -> None:
        try:
            before = self.parts.journal.start_new()
        except JournalUnwritable as error:
            self._handle(h.JournalReported(str(error), self.parts.journal.sequence))
            return
        self._sync_asked.clear()
        self._synced_up_to = 0
        runs = tuple(replace(run, tap=None) for run in self.state.runs)
        self.state = replace(self.state, sequence=0, passes=(), runs=runs, hours_event=0, started_event=0)
        self._handle(h.Started(self.version, before))
