# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is dropped once its days are over, all in one transaction: the only place that says so for the whole hub.

`booking-server forget` does it, by a timer. What staff froze and what the books need is left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, delete, insert, select

from booking_server.accounts import personal as accounts
from booking_server.audit import personal as audits
from booking_server.config import Config
from booking_server.doors import commands
from booking_server.doors import personal as doors
from booking_server.importing import personal as importing
from booking_server.invoices import personal as invoices
from booking_server.ledger.forgetting import forget_old_taps
from booking_server.messages import outbox
from booking_server.privacy import erasing, freezing, links
from booking_server.privacy.tables import forgettings

LATE_AFTER = timedelta(days=2)
KEPT = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgetting:
    """When it was done last, and how much of what was dropped."""

    at: datetime
    counts: dict[str, int]

    def is_late(self, now: datetime) -> bool:
        return now - self.at > LATE_AFTER


def forget(tx: Connection, *, now: datetime, config: Config) -> dict[str, int]:
    """Drop all whose days are over, and return how much of what. Twice is as good as once."""
    rules = config.privacy
    before = {days: now - timedelta(days=days) for days in (rules.sign_in_days, rules.boxes_days)}
    counts = {
        "ended": erasing.erase_ended(tx, now=now, config=config),
        "erased_on": erasing.go_on(tx, now=now, config=config),
        "taps": forget_old_taps(tx, now=now, frozen=freezing.frozen(tx, now=now)),
        "links": links.forget(tx, now=now, days=rules.contest_days),
        "buyers": invoices.drop_buyers(tx, today=now.astimezone(ZoneInfo(config.time_zone)).date(), years=rules.books_years),
        "messages": outbox.forget_sent(tx, now=now, after=timedelta(days=rules.messages_days)),
        "boxes": doors.drop_boxes(tx, before=before[rules.boxes_days]),
        "commands": commands.expire(tx, now=now),
        "imports": importing.drop_old(tx, now=now, runs_before=now - timedelta(days=rules.audit_days)),
        **accounts.drop_old(tx, before=before[rules.sign_in_days]),
        **audits.drop_old(
            tx,
            looks_before=now - timedelta(days=rules.audit_days),
            sign_ins_before=before[rules.sign_in_days],
            acts_before=now - timedelta(days=rules.acts_days),
        ),
    }
    tx.execute(delete(forgettings).where(forgettings.c.at < now - KEPT))
    tx.execute(insert(forgettings).values(at=now, counts=counts))
    return counts


def last(tx: Connection) -> Forgetting | None:
    """Return the last time; None before the first."""
    row = tx.execute(select(forgettings.c.at, forgettings.c.counts).order_by(forgettings.c.id.desc()).limit(1)).one_or_none()
    return None if row is None else Forgetting(at=row.at, counts=row.counts)
