# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a tap dated right whatever the door's clock said, over any number of starts without a network?"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from access_contract.messages import FIRST_PREVIOUS, Booted, ClockSynced, Event, What
from access_contract.vocabulary import ClockQuality
from booking_server.ledger.tables import events, taps
from tests.booking_server.hub import NOW
from tests.booking_server.ledger.test_ingest import Room, room

__all__ = ["room"]
JOURNALS = itertools.count()
YEAR_1970 = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Start:
    """One start of a door: seconds after it at which somebody tapped, when the clock was set if ever, what it said before."""

    taps: list[int]
    synced_after: int | None
    says: datetime


STARTS = st.lists(
    st.builds(
        Start,
        taps=st.lists(st.integers(1, 100_000), max_size=4, unique=True),
        synced_after=st.none() | st.integers(1, 100_000),
        says=st.sampled_from([YEAR_1970, NOW - timedelta(days=400), NOW + timedelta(days=4000), NOW]),
    ),
    min_size=1,
    max_size=4,
)


def lived(journal: str, starts: list[Start], room: Room) -> tuple[list[bytes], dict[int, datetime]]:
    """Return what the door wrote, and when each tap is to be dated: the true time, or its own word where none tells better."""
    written: list[bytes] = []
    expected: dict[int, datetime] = {}
    for number, start in enumerate(starts):
        began = NOW + timedelta(days=2 * number)
        at_most = 10**9 if start.synced_after is None else start.synced_after
        happened: list[tuple[int, What]] = [(0, Booted(version="1")), *((seconds, room.tap()) for seconds in start.taps)]
        if start.synced_after is not None:
            happened.append((start.synced_after, ClockSynced()))
        for seconds, what in sorted(happened, key=lambda one: (one[0], isinstance(one[1], type(room.tap())))):
            trusted = seconds >= at_most
            true, said = began + timedelta(seconds=seconds), start.says + timedelta(seconds=seconds)
            event = Event(
                journal=journal,
                sequence=len(written) + 1,
                boot=f"{journal}-{number}",
                at=true if trusted else said,
                monotonic_ms=seconds * 1000,
                clock=ClockQuality.SYNCED if trusted else ClockQuality.UNTRUSTED,
                previous=FIRST_PREVIOUS,
                what=what,
            )
            written.append(msgspec.json.encode(event))
            if isinstance(what, type(room.tap())):
                expected[event.sequence] = said if start.synced_after is None else true
    return written, expected


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(starts=STARTS, seed=st.integers(0, 10**6))
def test_a_tap_is_dated_by_the_first_trusted_instant_of_its_start(room: Room, starts: list[Start], seed: int) -> None:
    """At 1970, years ahead or right, in one message or many, in order or not, twice: a start whose clock was set tells the true
    time of all its taps; one that never was tells what it said; and no other start's setting touches it."""
    journal, chance = f"redated-{next(JOURNALS)}", random.Random(seed)  # noqa: S311
    written, expected = lived(journal, starts, room)
    sent = [*written, *chance.sample(written, len(written) // 2)]
    if chance.random() < 0.7:
        chance.shuffle(sent)
    while sent:
        share = chance.randint(1, len(sent))
        room.send(*sent[:share])
        sent = sent[share:]
    with room.hub.desk.database.read() as tx:
        joined = taps.join(events, events.c.id == taps.c.event_id)
        found = tx.execute(select(events.c.sequence, taps.c.at).select_from(joined).where(events.c.journal == journal)).all()
    assert {row.sequence: row.at for row in found} == expected
