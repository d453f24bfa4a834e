# SPDX-License-Identifier: AGPL-3.0-or-later
"""What to do with each message from a door: answer from memory, or hand it to the writer and say so after the commit.

No message is fatal. One that cannot be read, comes from a door that the server does not have, or that the database refuses is
counted by name and told once; it opens nothing and is acknowledged to nobody. Runs on the wire's thread and waits for nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from access_contract.messages import Acknowledgement, Ask, Captured, Events, Renew, Renewed, Request, Status
from access_contract.sealing import Unsealable
from access_contract.snapshot import LiveFacts
from access_contract.vocabulary import DoorId, Moment, Reason, TagNumber
from booking_server.clock import Clock
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.alarms import Alarms
from booking_server.doors.announcing import Announcer
from booking_server.doors.answering import answer, unsealed
from booking_server.doors.holes import Holes
from booking_server.doors.index import Index
from booking_server.doors.measuring import ACKNOWLEDGED_SECONDS, ASK_SECONDS, ASKS, DROPPED, EVENTS
from booking_server.doors.reading import Heard, Unreadable, read
from booking_server.doors.recalls import Recalls
from booking_server.doors.renewals import give_next
from booking_server.doors.sending import Sender
from booking_server.doors.snapshots import Snapshots
from booking_server.doors.statuses import Statuses
from booking_server.doors.storing import Dropped, EventStore, Stored
from booking_server.doors.writer import Shared, Taken, Work, Writer
from booking_server.errors import NotFound
from booking_server.ledger.ingest import Sent, count, lost, wanted
from booking_server.rotating import Keyring

ASKS_REMEMBERED = 4096

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a receiver works with."""

    clock: Clock
    keyring: Keyring
    demo: bool
    folder: Path
    index: Index
    statuses: Statuses
    snapshots: Snapshots
    sender: Sender
    announcer: Announcer
    alarms: Alarms
    writer: Writer
    events: EventStore


class Receiver:
    """Takes messages from the wire. A bug ends up in `fault`, so that the process can end and be started again."""

    def __init__(self, parts: Parts) -> None:
        self.fault: BaseException | None = None
        self._parts = parts
        self._asked: OrderedDict[tuple[DoorId, str], None] = OrderedDict()
        self._told: set[tuple[str, str]] = set()
        self._holes, self._recalls = Holes(), Recalls()

    def received(self, topic: str, content: bytes, retained: bool) -> None:  # noqa: FBT001
        """Take on one message."""
        try:
            self._take(topic, content, retained=retained)
        except BaseException as error:
            self.fault = error

    def _take(self, topic: str, content: bytes, *, retained: bool) -> None:
        match read(topic, content):
            case Unreadable(cause=cause, door=source):
                self._drop(cause, source)
            case Heard(door=door, message=Status() as status):
                self._status(door, status, retained=retained)
            case Heard(door=door, message=Ask() as ask):
                self._ask(door, ask)
            case Heard(door=door, message=Request() as request):
                if not self._parts.snapshots.requested(door, request.digest):
                    self._drop("unknown_door", door)
            case Heard(door=door, message=Renew() as asked):
                self._renew(door, asked)
            case Heard(door=door, message=Events() as events):
                self._events(door, events)
            case Heard(door=door, message=Captured() as captured):
                self._captured(door, captured)

    # --- answered from memory ---

    def _ask(self, door: DoorId, ask: Ask) -> None:
        known, now, began = self._parts.index.known, self._parts.clock.now(), self._parts.clock.monotonic()
        rights, key = known.rights.get(door), known.tag_keys.get(door)
        if rights is None or key is None or not self._is_new(door, ask.ask):
            self._drop("unknown_door" if rights is None or key is None else "replayed_ask", door)
            return
        moment = Moment(now=now, access_point=ask.access_point, assurance=ask.assurance)
        openers = self._parts.keyring.keys.openers
        live = LiveFacts(alarm_armed=self._parts.alarms.armed_at(door))
        said = answer(ask, index=rights, tag_key=key, openers=openers, moment=moment, live=live, known=known.number)
        self._parts.sender.answer(door, said)
        ASK_SECONDS.observe(self._parts.clock.monotonic() - began)
        ASKS.labels(said.reason or "granted").inc()
        if said.reason == Reason.TAG_UNREADABLE:
            self._drop("unreadable_number", door)

    def _is_new(self, door: DoorId, ask: str) -> bool:
        if (door, ask) in self._asked:
            return False
        self._asked[door, ask] = None
        if len(self._asked) > ASKS_REMEMBERED:
            self._asked.popitem(last=False)
        return True

    # --- stored ---

    def _status(self, door: DoorId, status: Status, *, retained: bool) -> None:
        at = self._parts.clock.monotonic()
        self._parts.alarms.heard(door, status)
        if self._parts.statuses.heard(door, status, at):
            self._store(door, lambda tx: self._keep(tx, door, status, retained=retained))
        if status.simulated and not self._parts.demo:
            self._tell("simulated_door", door)
        self._parts.snapshots.reported(door, status)
        self._parts.announcer.reported(door, status, at)
        if not retained and self._recalls.is_due(door, status):
            self._ask_for_lost(door, status)
        if not retained and self._holes.is_stuck(door, status, at):
            self._ask_for_missing(door, status)

    def _ask_for_lost(self, door: DoorId, status: Status) -> None:
        """Tell a door how far its journals are here: where this server was put back, that is less than it acknowledged."""

        def write(tx: Connection) -> list[Acknowledgement]:
            try:
                doors.door(tx, door)
            except NotFound:
                return []
            return lost(tx, door_id=door, journal=status.journal or "", acknowledged=status.acknowledged)

        self._put(Work(write=write, done=lambda said: self._acknowledge(door, said)))

    def _ask_for_missing(self, door: DoorId, status: Status) -> None:
        """Name to a door exactly what it tells of and has not sent; it may not know that it was lost on the way."""
        journal, last = status.journal or "", status.last_sequence

        def done(wanted: Acknowledgement | None) -> None:
            if wanted is not None:
                self._parts.sender.acknowledge(door, wanted)

        self._put(Work(write=lambda tx: wanted(tx, door_id=door, journal=journal, last=last), done=done))

    def _keep(self, tx: Connection, door: DoorId, status: Status, *, retained: bool) -> None:
        doors.keep_status(tx, now=self._parts.clock.now(), door_id=door, status=status, retained=retained)

    def _events(self, door: DoorId, events: Events) -> None:
        came = self._parts.clock.monotonic()
        self._holes.arrived(door, came)

        def done(stored: Stored) -> None:
            if isinstance(stored, Dropped):
                self._tell(stored.cause, door)
                return
            for acknowledgement in stored:
                self._parts.sender.acknowledge(door, acknowledgement)
            EVENTS.inc(len(events.events))
            ACKNOWLEDGED_SECONDS.observe(self._parts.clock.monotonic() - came)

        sent = Sent(door, [bytes(event) for event in events.events], events.gone)
        self._put(Shared(item=sent, write_all=self._parts.events.write_all, done=done))

    def _acknowledge(self, door: DoorId, said: list[Acknowledgement]) -> None:
        for one in said:
            self._recalls.told(door, one.journal, one.up_to)
            self._parts.sender.acknowledge(door, one)

    def _captured(self, door: DoorId, captured: Captured) -> None:
        try:
            about, openers = f"captured:{captured.capture}", self._parts.keyring.keys.openers
            number = unsealed(captured.sealed, door=door, about=about, openers=openers)
        except Unsealable:
            self._drop("unreadable_number", door)
            return
        self._store(door, lambda tx: self._keep_number(tx, door, captured.capture, number))

    def _keep_number(self, tx: Connection, door: DoorId, capture: str, number: TagNumber) -> None:
        vault, now = self._parts.keyring.keys.vault, self._parts.clock.now()
        commands.captured(tx, now=now, vault=vault, door_id=door, capture_id=capture, number=number)

    def _renew(self, door: DoorId, asked: Renew) -> None:
        def write(tx: Connection) -> Renewed | Dropped:
            now, folder = self._parts.clock.now(), self._parts.folder
            try:
                given = give_next(tx, now=now, state_folder=folder, door=door, asked=asked)
            except NotFound:
                return self._counted(tx, "unknown_door", door)
            return given or self._counted(tx, "not_renewed", door)

        def done(given: Renewed | Dropped) -> None:
            if isinstance(given, Dropped):
                self._tell(given.cause, door)
            else:
                self._parts.sender.certificate(door, given)

        self._put(Work(write=write, done=done))

    def _store(self, door: DoorId, write: Callable[[Connection], None]) -> None:
        """Have `write` done for a door that the server has."""

        def guarded(tx: Connection) -> Dropped | None:
            try:
                doors.door(tx, door)
                with tx.begin_nested():
                    write(tx)
                return None
            except NotFound:
                return self._counted(tx, "unknown_door", door)
            except (DataError, IntegrityError):
                return self._counted(tx, "unstorable", door)

        def after(result: Dropped | None) -> None:
            if result is not None:
                self._tell(result.cause, door)

        self._put(Work(write=guarded, done=after))

    # --- dropped ---

    def _drop(self, cause: str, door: str) -> None:
        self._put(Work(write=lambda tx: self._counted(tx, cause, door), done=lambda _: self._tell(cause, door)))

    def _counted(self, tx: Connection, cause: str, door: str) -> Dropped:
        count(tx, cause, door, self._parts.clock.now())
        return Dropped(cause)

    def _put(self, work: Taken) -> None:
        if not self._parts.writer.put(work):
            self._tell("writer_full", "")

    def _tell(self, cause: str, door: str) -> None:
        """Say once for each door, not once for each message; the counters know how often."""
        if cause != "simulated_door":
            DROPPED.labels(cause).inc()
        if (cause, door) not in self._told:
            self._told.add((cause, door))
            _log.warning("message_dropped" if cause != "simulated_door" else cause, cause=cause, door=door)
