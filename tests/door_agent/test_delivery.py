# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are events sent at once, repeated until acknowledged, never too many, and ever more rarely where nobody answers?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_contract.messages import EVENTS_IN_FLIGHT_MAX, MESSAGE_BYTES_MAX, Attention
from access_contract.vocabulary import ClockQuality
from door_agent.delivery import Delivery
from door_agent.journal import Journal


class Wire:
    """A journal, its delivery, and what went out."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder / "journal")
        self.sent: list[list[bytes]] = []
        self.delivery = Delivery(self.journal, self.sent.append)

    def happen(self, count: int = 1, detail: str = "") -> None:
        for _ in range(count):
            what = Attention(about="held_open", raised=True, detail=detail)
            self.journal.append(what, at=datetime(2026, 1, 31, tzinfo=UTC), monotonic=1e9, clock=ClockQuality.SYNCED)
        self.delivery.more()

    def work(self, now: float) -> int:
        """Return how many events went out."""
        self.sent.clear()
        self.delivery.work(now, up_to=self.journal.sequence)
        return sum(len(batch) for batch in self.sent)


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path)


def test_new_events_go_out_once_and_are_repeated_after_a_while(wire: Wire) -> None:
    """At once, then not again until three seconds without an answer have passed, then ever more rarely."""
    wire.work(0)
    wire.happen()
    assert [wire.work(now) for now in (10, 10.1, 12.9, 13.1, 14, 19.2)] == [1, 0, 0, 1, 0, 1]


def test_a_steady_stream_does_not_keep_the_lost_ones_from_being_repeated(wire: Wire) -> None:
    """A busy door repeats what was not acknowledged although something new comes every second."""
    wire.work(0)
    sent = 0
    for second in range(10, 20):
        wire.happen()
        sent += wire.work(second)
    assert sent > 10


def test_no_more_than_allowed_are_on_their_way(wire: Wire) -> None:
    """A thousand events wait at the door, not on the wire; an acknowledgement makes room."""
    wire.happen(1000)
    assert wire.work(0) == EVENTS_IN_FLIGHT_MAX
    wire.journal.acknowledge(wire.journal.id, 60, [])
    wire.delivery.acknowledged(0.1)
    assert wire.work(0.1) == 60


def test_exactly_what_the_server_misses_goes_again_at_once(wire: Wire) -> None:
    """It does not wait for the next repeat, and what the server holds beyond the hole is not sent again."""
    wire.happen(5)
    wire.work(0)
    wire.journal.acknowledge(wire.journal.id, 1, [2, 4])
    wire.delivery.acknowledged(0.1, journal=wire.journal.id, missing=[2, 4])
    assert wire.work(0.1) == 2
    assert [b'"sequence":%d,' % n in e for n, e in zip((2, 4), wire.sent[0], strict=True)] == [True, True]


def test_a_hole_named_many_times_in_a_row_is_filled_once(wire: Wire) -> None:
    """Ten acknowledgements that name the same hole cost one sending; named again later, it is sent again."""
    wire.happen(5)
    wire.work(0)
    for _ in range(10):
        wire.delivery.acknowledged(0.1, journal=wire.journal.id, missing=[2])
    assert wire.work(0.1) + wire.work(0.2) == 1
    wire.delivery.acknowledged(1.0, journal=wire.journal.id, missing=[2])
    assert wire.work(1.0) == 1


def test_what_was_never_written_or_is_not_on_the_disk_is_not_made_up(wire: Wire) -> None:
    """A server that asks for more than there is gets what there is."""
    wire.happen(5)
    wire.work(0)
    wire.delivery.acknowledged(0.1, journal=wire.journal.id, missing=[1, 4, 7, 2**31 - 1])
    wire.sent.clear()
    wire.delivery.work(0.1, up_to=3)
    assert sum(len(batch) for batch in wire.sent) == 1
    assert wire.work(0.2) == 0
    wire.delivery.acknowledged(1.0, journal="another", missing=[1])
    assert wire.work(1.0) == 2


def test_a_new_connection_sends_all_again(wire: Wire) -> None:
    """What was on its way when the line broke is not trusted to have arrived."""
    wire.happen(5)
    wire.work(0)
    wire.delivery.connected()
    assert wire.work(0.1) == 5


def test_long_events_are_cut_into_messages_that_the_broker_takes(wire: Wire) -> None:
    """Whatever stands in them, no message comes near the limit."""
    wire.happen(50, detail="x" * 5000)
    assert wire.work(0) == 50
    assert max(sum(map(len, batch)) for batch in wire.sent) < MESSAGE_BYTES_MAX * 0.8
