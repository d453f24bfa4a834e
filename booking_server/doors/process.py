# SPDX-License-Identifier: AGPL-3.0-or-later
"""The process that speaks with the doors: wires its parts together and runs until it is told to stop.

Four threads: the wire's answers asks, the writer stores, the courier brings snapshots, and this one follows what others commit.
If the database or a part of its own fails it ends, so that it can be started again; doors decide alone meanwhile and lose
nothing.
"""

from __future__ import annotations

import fcntl
import signal
import ssl
import sys
import threading
from typing import IO

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server import metrics, schema
from booking_server.config import BadConfiguration, Config, clock_of
from booking_server.db import Database
from booking_server.doctor.measuring import HubFigures
from booking_server.doors import commands, knowing
from booking_server.doors import service as doors
from booking_server.doors.alarms import Alarms
from booking_server.doors.announcing import Announcer
from booking_server.doors.courier import Courier
from booking_server.doors.dispatching import Dispatcher
from booking_server.doors.evicting import Evictor
from booking_server.doors.index import Index
from booking_server.doors.lookups import HubLookups
from booking_server.doors.notice import Notice, notice_of
from booking_server.doors.receiving import Parts, Receiver
from booking_server.doors.sending import Sender
from booking_server.doors.snapshots import Snapshots
from booking_server.doors.standing import Standing
from booking_server.doors.statuses import Statuses
from booking_server.doors.storing import EventStore
from booking_server.doors.wire import Wire, tls_context
from booking_server.doors.writer import Work, Writer
from booking_server.errors import BookingServerError
from booking_server.ledger import service as ledger
from booking_server.rotating import Keyring
from booking_server.service_manager import tell_ready

UPKEEP_SECONDS = 1.0
SWITCH_SECONDS = 0.0005
"""How long the writer, or an index being rebuilt, may keep an ask waiting for the interpreter; by default ten times that."""

_log = structlog.get_logger()


def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT. Raise BadConfiguration where a part is missing, or whatever ended the process."""
    alone = _alone(config)
    sys.setswitchinterval(SWITCH_SECONDS)
    database = Database(config.database)
    try:
        metrics.serve(config, config.metrics.doors)
        hub = Hub(config, database)
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        hub.run(stopping)
    finally:
        database.close()
        alone.close()


class Ended(BookingServerError):
    """A thread of this process ended by a bug."""


class Hub:
    """All parts of the process."""

    def __init__(self, config: Config, database: Database) -> None:
        self._keyring, self._clock = Keyring(config.folder), clock_of(config)
        self._config, self._database = config, database
        self._confirmed: dict[DoorId, int] = {}
        self._wire = Wire(identity=config.broker.identity, tls=_tls(config))
        schema.must_be_current(database)
        self._writer, self._statuses, self._index = Writer(database), Statuses(), Index(database, self._keyring.keys.vault)
        self._sender = sender = Sender(self._wire, self._keyring, self._statuses, self._clock)
        self._announcer, self._courier = Announcer(self._keyring, sender), Courier(sender, self._clock)
        self._snapshots = Snapshots(self._index, self._statuses, sender, self._courier)
        self._dispatcher = Dispatcher(database, self._writer, self._statuses, sender, self._clock)
        self._evictor, self._alarms = Evictor(config, database, self._clock), Alarms()
        self._receiver = Receiver(
            Parts(
                clock=self._clock,
                keyring=self._keyring,
                demo=config.demo,
                folder=config.folder,
                index=self._index,
                statuses=self._statuses,
                snapshots=self._snapshots,
                sender=sender,
                announcer=self._announcer,
                alarms=self._alarms,
                writer=self._writer,
                events=EventStore(HubLookups(), self._clock),
            )
        )

    def run(self, stopping: threading.Event) -> None:
        """Build the index, connect, and work until `stopping`. Raise what ended a thread."""
        notice = notice_of(self._database)
        self._writer.start()
        self._courier.start()
        try:
            self._begin()
            self._follow(notice, stopping)
        finally:
            self._courier.stop()
            self._wire.stop()
            self._writer.stop()
            notice.close()
        self._check()
        _log.info("stopped")

    def _begin(self) -> None:
        self._index.refresh(self._clock.now())
        with self._database.read() as tx:
            states, newest = doors.door_states(tx), ledger.newest_event(tx)
        self._statuses.begin([DoorId(door) for door, state in states.items() if state.online], self._clock.monotonic())
        self._alarms.begin({DoorId(door): state.status for door, state in states.items()})
        self._snapshots.begin({DoorId(door): state.status for door, state in states.items()})
        self._wire.start(self._config.broker.host, self._config.broker.port, self._receiver.received)
        metrics.look_up(HubFigures(self._config, self._clock, lambda: self._index.known.rights))
        metrics.look_up(
            Standing(
                database=self._database,
                clock=self._clock,
                index=self._index,
                snapshots=self._snapshots,
                writer=self._writer,
                subscribed=lambda: self._wire.subscribed,
                seen=newest,
            )
        )

    def _follow(self, notice: Notice, stopping: threading.Event) -> None:
        said_ready, upkeep_at = False, self._clock.monotonic()
        while not stopping.is_set():
            changed = notice.wait()
            self._check()
            if not said_ready and self._wire.subscribed:
                said_ready = True
                tell_ready()
                _log.info("ready", doors=len(self._index.known.rights), known=self._index.known.number)
            due = self._clock.monotonic() >= upkeep_at
            if due:
                upkeep_at = self._clock.monotonic() + UPKEEP_SECONDS
                self._upkeep()
            if changed or due:
                self._look_at_doors()
                self._snapshots.changed(self._index.refresh(self._clock.now()))
                self._dispatcher.look()
            self._confirm()

    def _confirm(self) -> None:
        """Keep which doors say that they hold what is right up to the last change known, once for each."""
        known, holders = self._snapshots.holders()
        new = [door for door in holders if self._confirmed.get(door, -1) < known]
        if not new or self._writer.put(Work(write=lambda tx: knowing.confirm(tx, new, known), done=lambda _: None)):
            self._confirmed = dict.fromkeys(holders, known)

    def _look_at_doors(self) -> None:
        """Say nothing more to stolen boxes, before anything else is told, and have them put out; know who shares an alarm."""
        with self._database.read() as tx:
            self._sender.silenced = doors.stolen(tx)
            self._alarms.know({door.id: door.site_id for door in doors.doors(tx) if door.retired_at is None})
        self._evictor.look()

    def _upkeep(self) -> None:
        """Give up on commands whose time is over and on doors that are no longer heard."""
        if self._keyring.refresh():
            _log.info("keys_changed", signing=self._keyring.keys.current.id, announced=sorted(self._keyring.keys.known_keys))
            for door, status in self._statuses.online():
                self._announcer.reported(door, status, self._clock.monotonic())
        now, silent = self._clock.now(), self._statuses.fallen_silent(self._clock.monotonic())

        def write(tx: Connection) -> object:
            commands.expire(tx, now=now)
            for door in silent:
                doors.keep_status(tx, now=now, door_id=door, status=Status(online=False))
            return None

        self._writer.put(Work(write=write, done=lambda _: None))

    def _check(self) -> None:
        faults = (
            ("writer", self._writer.fault),
            ("wire", self._receiver.fault),
            ("courier", self._courier.fault),
            ("evictor", self._evictor.fault),
        )
        for thread, fault in faults:
            if isinstance(fault, SQLAlchemyError):
                raise fault
            if fault is not None:
                _log.critical("ended", thread=thread, exc_info=fault)
                raise Ended(
                    "The {thread} ended by a fault of its own ({kind}); the log says where.",
                    thread=thread,
                    kind=type(fault).__name__,
                )


def _alone(config: Config) -> IO[str]:
    """Hold this identity: two processes with one name would take the broker's line from each other for ever."""
    try:
        lock = (config.folder / f"{config.broker.identity}.lock").open("a")
    except OSError as error:
        raise BadConfiguration(f"state_folder is {config.state_folder!r}, which cannot be used ({error.strerror})") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BadConfiguration(f"another `booking-server doors` runs as {config.broker.identity!r}; stop it first") from None
    return lock


def _tls(config: Config) -> ssl.SSLContext:
    folder = config.folder / "identities" / config.broker.identity
    try:
        return tls_context(folder)
    except OSError as error:
        raise BadConfiguration(
            f"{folder}: this server's certificate cannot be used ({error.strerror or error}); make it with: booking-server init"
        ) from None
