# SPDX-License-Identifier: AGPL-3.0-or-later
"""What belongs to the hub and to no process, as figures: age of the last backup, room on disks, days that certificates last.

The process that speaks with the doors tells them, for it always runs.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from datetime import date, datetime
from math import inf
from pathlib import Path
from threading import Lock

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from booking_server.broker import expiring
from booking_server.clock import Clock
from booking_server.config import Config
from booking_server.doctor import looking

_DAY_SECONDS = 86_400


class HubFigures(Collector):
    """How backup, disks and certificates stand, looked up when somebody asks.

    A thousand doors' certificates are read anew once a day, and when one was issued.
    """

    def __init__(self, config: Config, clock: Clock, doors_in_use: Callable[[], Container[str]]) -> None:
        self._config, self._clock, self._doors_in_use = config, clock, doors_in_use
        self._ends: dict[tuple[str, str], datetime] = {}
        self._known: tuple[float, date] | None = None
        self._one_at_a_time = Lock()

    def collect(self) -> Iterator[Metric]:
        now = self._clock.now()
        yield self._backup(now)
        yield from self._disks()
        yield self._certificates(now)

    def _backup(self, now: datetime) -> Metric:
        last = looking.backup(self._config.folder)
        age = inf if last is None else (now - last.at).total_seconds()
        return GaugeMetricFamily(
            "hubkey_backup_age_seconds", "How old the last backup is; +Inf where none was made.", value=age
        )

    def _disks(self) -> Iterator[Metric]:
        free = GaugeMetricFamily("hubkey_disk_free_bytes", "Bytes free where this lies.", labels=["what"])
        part = GaugeMetricFamily(
            "hubkey_disk_free_ratio", "The part of the disk that is free, of bytes or files.", labels=["what"]
        )
        for room in looking.rooms(self._config):
            free.add_metric([room.what], room.free_bytes)
            files = room.free_files / room.files if room.files else 1.0
            part.add_metric([room.what], min(room.free_bytes / max(room.bytes, 1), files))
        yield from (free, part)

    def _certificates(self, now: datetime) -> Metric:
        days = GaugeMetricFamily(
            "hubkey_certificate_days_left",
            "Days that a certificate lasts: of the hub itself (own), or of a door by its id (door).",
            labels=["kind", "name"],
        )
        with self._one_at_a_time:
            known = (expiring.issued_at(self._config.folder), now.date())
            if known != self._known:
                self._ends, self._known = dict(self._all()), known
            ends = dict(self._ends)
        for (kind, name), until in ends.items():
            days.add_metric([kind, name], (until - now).total_seconds() / _DAY_SECONDS)
        return days

    def _all(self) -> Iterator[tuple[tuple[str, str], datetime]]:
        web, folder = self._config.web, self._config.folder
        pages = Path(web.certificate) if web.certificate else folder / "pages" / "pages.pem"
        for own in expiring.own(folder, self._config.broker.identity, pages if web.is_https else None):
            yield ("own", own.name), own.ends
        for door in expiring.of_doors(folder).values():
            if door.name in self._doors_in_use():
                yield ("door", door.name), door.ends
