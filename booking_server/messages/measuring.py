# SPDX-License-Identifier: AGPL-3.0-or-later
"""The figures of the process that empties the outbox: how many, never to whom or about what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import structlog
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import SQLAlchemyError

from booking_server.clock import Clock
from booking_server.db import Database
from booking_server.messages.tables import messages

SENT = Counter("hubkey_mail_sent", "Messages that the mail server took.")
REFUSED = Counter("hubkey_mail_refused", "Attempts that the mail server refused, or at which it was not reached.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is in the outbox still: how many, since when the oldest, and since when sending fails (None: it does not)."""

    count: int
    oldest_at: datetime | None
    trouble_since: datetime | None
    trouble: str | None = None


def waiting(tx: Connection) -> Waiting:
    """Return what waits to be sent."""
    these = messages.c.state.in_(("waiting", "sending"))
    row = tx.execute(select(func.count(), func.min(messages.c.put_at), func.min(messages.c.trouble_since)).where(these)).one()
    last = select(messages.c.trouble).where(these & messages.c.trouble.is_not(None)).order_by(messages.c.id.desc()).limit(1)
    return Waiting(count=row[0], oldest_at=row[1], trouble_since=row[2], trouble=tx.execute(last).scalar())


@dataclass(frozen=True, eq=False)
class Outbox(Collector):
    """How the outbox stands, looked up when somebody asks."""

    database: Database
    clock: Clock

    def collect(self) -> Iterator[Metric]:
        try:
            with self.database.read() as tx:
                found = waiting(tx)
        except SQLAlchemyError as error:
            structlog.get_logger().warning("figures_cannot_be_read", exc_info=error)
            return
        now = self.clock.now()
        age = 0.0 if found.oldest_at is None else (now - found.oldest_at).total_seconds()
        trouble = 0.0 if found.trouble_since is None else (now - found.trouble_since).total_seconds()
        yield GaugeMetricFamily("hubkey_mail_waiting", "Messages that wait to be sent.", value=found.count)
        yield GaugeMetricFamily("hubkey_mail_oldest_seconds", "How long the oldest of them has waited.", value=age)
        yield GaugeMetricFamily(
            "hubkey_mail_trouble_seconds", "For how long sending has failed; 0 where it does not.", value=trouble
        )
