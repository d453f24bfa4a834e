# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a door online only as long as it is heard, and is what it says stored when it matters and no more often?"""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from access_contract.messages import Status
from access_contract.vocabulary import DoorId
from booking_server.doors.statuses import SILENT_SECONDS, STORE_SECONDS, Statuses

DOOR = DoorId("front")
SAID = Status(online=True, at=datetime(2026, 11, 24, 12, tzinfo=UTC), nonce="n1")


def test_a_status_is_stored_on_a_change_and_else_every_few_seconds() -> None:
    """A door that writes events all the time costs no more rows than one that does not."""
    statuses = Statuses()
    assert statuses.heard(DOOR, SAID, 0)
    assert not statuses.heard(DOOR, replace(SAID, last_sequence=7, acknowledged=7, at=None), 1)
    assert statuses.heard(DOOR, replace(SAID, nonce="n2"), 2)
    assert not statuses.heard(DOOR, replace(SAID, nonce="n2"), 2 + STORE_SECONDS - 0.1)
    assert statuses.heard(DOOR, replace(SAID, nonce="n2"), 2 + STORE_SECONDS)


def test_a_door_that_is_no_longer_heard_is_offline_once() -> None:
    """Also one that was online before this process started and was never heard since; a door that is heard again is online."""
    statuses = Statuses()
    statuses.begin([DoorId("gone")], 0)
    statuses.heard(DOOR, SAID, 1)
    assert statuses.fallen_silent(SILENT_SECONDS) == []
    assert statuses.fallen_silent(SILENT_SECONDS + 0.5) == ["gone"]
    assert statuses.of(DOOR) == SAID
    assert statuses.fallen_silent(SILENT_SECONDS + 1.5) == [DOOR]
    assert statuses.fallen_silent(SILENT_SECONDS + 2) == []
    assert statuses.of(DOOR) is None
    assert statuses.heard(DOOR, SAID, SILENT_SECONDS + 3)
    assert statuses.of(DOOR) == SAID
