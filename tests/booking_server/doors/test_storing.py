# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can one door's flood stop what the others send from being stored?"""

from datetime import timedelta

import msgspec
import pytest

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, Event, Passed
from access_contract.vocabulary import ClockQuality
from booking_server.doors.lookups import HubLookups
from booking_server.doors.storing import EventStore
from booking_server.ledger.ingest import Sent
from tests.booking_server.hub import NOW, Hub, StillClock

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
MESSAGES, EVENTS = 165, 200
"""More values in one statement than PostgreSQL takes, 65 535, if each event is named by two."""


def test_a_flood_is_stored_whatever_it_holds(hub: Hub) -> None:
    """Far more than a door may have in flight, all taken up at once: the last event of all is acknowledged."""
    flood = [
        Sent("room", [_passed(first + number) for number in range(EVENTS)]) for first in range(1, MESSAGES * EVENTS, EVENTS)
    ]
    with hub.desk.database.write() as tx:
        *_, said = EventStore(HubLookups(), StillClock()).write_all(tx, flood)
    assert isinstance(said, list)
    assert [(one.up_to, one.missing) for one in said] == [(MESSAGES * EVENTS, [])]


def _passed(sequence: int) -> bytes:
    return msgspec.json.encode(
        Event(
            journal="j",
            sequence=sequence,
            boot="b",
            at=NOW + timedelta(seconds=sequence),
            monotonic_ms=sequence,
            clock=ClockQuality.SYNCED,
            previous=FIRST_PREVIOUS,
            what=Passed(tap=sequence, outcome=Outcome.ENTERED),
        )
    )
