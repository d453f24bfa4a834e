# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 1 after the worst day: does a server that was put back say what it lacks, and get past what nobody has any more?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

import msgspec

from access_contract.messages import FIRST_PREVIOUS, Acknowledgement, Closed, Event
from access_contract.vocabulary import ClockQuality
from booking_server.doors.lookups import HubLookups
from booking_server.ledger import service as ledger
from booking_server.ledger.ingest import Sent, ingest_all, lost
from tests.booking_server.hub import NOW, Hub


def send(hub: Hub, journal: str, numbers: Iterable[int], gone: Mapping[str, int] | None = None) -> Acknowledgement:
    """Take in these events of the room's door, and return what it is told."""
    contents = [
        msgspec.json.encode(
            Event(
                journal=journal, sequence=number, boot="b", at=NOW + timedelta(seconds=number), monotonic_ms=number,
                clock=ClockQuality.SYNCED, previous=FIRST_PREVIOUS, what=Closed(),
            )
        )
        for number in numbers
    ]  # fmt: skip
    with hub.desk.database.write() as tx:
        return ingest_all(tx, HubLookups(), now=NOW, sent=[Sent("room", contents, gone or {})])[0][0]


def told(hub: Hub, journal: str, acknowledged: int) -> list[tuple[str, int, bool]]:
    with hub.desk.database.read() as tx:
        said = lost(tx, door_id="room", journal=journal, acknowledged=acknowledged)
    return [(one.journal, one.up_to, one.again) for one in said]


def test_a_door_is_told_how_far_its_journals_are_here(hub: Hub) -> None:
    """The one that it writes now only where it says that more was acknowledged, also if it was never heard of here."""
    send(hub, "a", range(1, 6))
    send(hub, "b", range(1, 4))
    assert told(hub, "b", 3) == [("a", 5, True)]
    assert told(hub, "b", 4) == [("a", 5, True), ("b", 3, True)]
    assert told(hub, "c", 0) == [("a", 5, True), ("b", 3, True)]
    assert told(hub, "c", 1) == [("a", 5, True), ("b", 3, True), ("c", 0, True)]
    with hub.desk.database.read() as tx:
        assert [one.up_to for one in lost(tx, door_id="lobby", journal="a", acknowledged=1)] == [0]


def test_what_a_door_has_no_more_does_not_hold_up_what_follows(hub: Hub) -> None:
    """The hole stays a gap with its numbers; what comes after it is stored, acknowledged, and not asked for again."""
    send(hub, "a", range(1, 6))
    assert send(hub, "a", range(9, 12)).up_to == 5
    said = send(hub, "a", range(12, 14), {"a": 8})
    assert (said.up_to, said.missing) == (13, [])
    assert send(hub, "a", range(14, 16)).up_to == 15
    assert told(hub, "a", 15) == []
    with hub.desk.database.read() as tx:
        [gap] = ledger.gaps(tx)
    assert (gap.up_to, gap.last, gap.missing) == (5, 15, 3)


def test_a_hole_that_fills_all_the_same_is_closed(hub: Hub) -> None:
    """A card that is found again brings what the door had given up."""
    send(hub, "a", range(1, 3))
    send(hub, "a", range(6, 8), {"a": 5})
    assert send(hub, "a", range(3, 6)).up_to == 7
    with hub.desk.database.read() as tx:
        assert ledger.gaps(tx) == []


def test_no_door_speaks_for_anothers_journal(hub: Hub) -> None:
    """What is gone is each door's own to say."""
    send(hub, "a", range(1, 3))
    with hub.desk.database.write() as tx:
        content = msgspec.json.encode({"journal": "a"})
        ingest_all(tx, HubLookups(), now=NOW, sent=[Sent("lobby", [content], {"a": 99})])
    assert send(hub, "a", range(5, 7)).up_to == 2
