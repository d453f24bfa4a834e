# SPDX-License-Identifier: AGPL-3.0-or-later
"""How doors, writer and rights stand, as figures. It is looked up when somebody asks, on the asker's own thread: no tap pays
for it. A label names a door, never a person."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from threading import Lock

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from access_contract.vocabulary import DoorId
from booking_server.access import service as access
from booking_server.clock import Clock
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.doors.index import Index
from booking_server.doors.showing import is_online
from booking_server.doors.snapshots import Snapshots
from booking_server.doors.writer import Writer
from booking_server.ledger import service as ledger


@dataclass(kw_only=True, eq=False)
class Standing(Collector):
    """How doors, writer and rights stand. `seen` is the newest event so far: disagreements are counted from there on."""

    database: Database
    clock: Clock
    index: Index
    snapshots: Snapshots
    writer: Writer
    subscribed: Callable[[], bool]
    seen: int
    disagreements: int = 0
    _one_at_a_time: Lock = field(default_factory=Lock)

    def collect(self) -> Iterator[Metric]:
        yield _gauge("hubkey_broker_connected", "1 while the broker sends what doors write.", float(self.subscribed()))
        yield _gauge("hubkey_writer_waiting", "Pieces of work that wait for the writer; it takes 10 000.", self.writer.waiting)
        known, holders = self.snapshots.holders()
        try:
            with self.database.read() as tx:
                yield from [*self._doors(tx, frozenset(holders)), *self._told(tx, known)]
        except SQLAlchemyError as error:
            structlog.get_logger().warning("figures_cannot_be_read", exc_info=error)

    def _doors(self, tx: Connection, holders: Container[DoorId]) -> Iterator[Metric]:
        online = GaugeMetricFamily(
            "hubkey_door_online", "1 if the door was heard just now; absent before its first word.", labels=["door"]
        )
        attention = GaugeMetricFamily("hubkey_door_attention", "How many things at the door need attention.", labels=["door"])
        waiting = GaugeMetricFamily(
            "hubkey_door_events_waiting", "Events that the door told of and the server has not acknowledged.", labels=["door"]
        )
        states, now, behind = doors.door_states(tx), self.clock.now(), 0
        for door in self.index.known.rights:
            if (state := states.get(door)) is not None:
                is_there = is_online(state, now)
                behind += is_there and door not in holders
                online.add_metric([door], float(is_there))
                attention.add_metric([door], len(state.status.attention))
                waiting.add_metric([door], max(0, state.status.last_sequence - state.status.acknowledged))
        yield from (online, attention, waiting)
        yield _gauge("hubkey_doors_behind", "Doors online that do not say that they hold what is right by now.", behind)

    def _told(self, tx: Connection, known: int) -> Iterator[Metric]:
        lag = access.latest_change(tx) - known
        yield _gauge(
            "hubkey_rights_changes_unknown", "Changes of rights that this process does not answer by yet.", max(0, lag)
        )
        with self._one_at_a_time:
            newest = ledger.newest_event(tx)
            self.disagreements += ledger.disagreements(tx, after=self.seen, up_to=newest)
            self.seen = newest
        yield CounterMetricFamily(
            "hubkey_disagreements",
            "Taps that the server, in time, granted and the door alone would have refused, or the other way round.",
            value=self.disagreements,
        )


def _gauge(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=value)
