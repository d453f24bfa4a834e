# SPDX-License-Identifier: AGPL-3.0-or-later
"""Adds to a refused tap how often it was repeated right after, each time once, whatever order it is told in.

Nothing is priced by it: only a granted tap makes an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, case, select, update

from access_contract.messages import Event, RefusedAgain
from booking_server.ledger.tables import events, taps

AGAIN_MAX = 10**9
"""More than anybody taps, and less than the column holds."""


def add_again(tx: Connection, stored: Sequence[Event]) -> None:
    """Add the repetitions among these events to refused taps stored before; those stored just now have them."""
    just_now = {(event.journal, event.sequence) for event in stored}
    for (journal, sequence), times in times_again(stored).items():
        if (journal, sequence) not in just_now:
            tap = select(events.c.id).where((events.c.journal == journal) & (events.c.sequence == sequence)).scalar_subquery()
            raised = case((taps.c.again > AGAIN_MAX - times, AGAIN_MAX), else_=taps.c.again + times)
            tx.execute(update(taps).where((taps.c.event_id == tap) & ~taps.c.granted).values(again=raised))


def times_again(around: Iterable[Event]) -> dict[tuple[str, int], int]:
    """Return how often each refused tap, by journal and sequence, was repeated by what these events tell, each told once."""
    told = {(e.journal, e.sequence): e.what for e in around if isinstance(e.what, RefusedAgain)}
    found: dict[tuple[str, int], int] = {}
    for (journal, _), what in told.items():
        if what.tap is not None:
            found[journal, what.tap] = min(AGAIN_MAX, found.get((journal, what.tap), 0) + what.times)
    return found
