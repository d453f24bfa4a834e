# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does taking in events read only what they touch, however much the ledger holds already?"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from sqlalchemy import event, text

from access_contract.entries import Outcome
from access_contract.messages import Passed, RefusedAgain
from tests.booking_server.hub import NOW
from tests.booking_server.ledger.test_ingest import IN, Room, room, written

__all__ = ["room"]
GROWING = ("events", "event_bytes", "taps", "entries", "entry_people", "forks", "door_tags", "keytags", "assignments")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_statement_reads_a_table_that_grows_from_end_to_end(room: Room) -> None:
    """Taps, outcomes, repetitions and gaps are looked up by an index; entries in doubt by the small index of those alone."""
    refused = msgspec.structs.replace(room.tap(), granted=False, reason="no_grant")
    again = RefusedAgain(tap=3, access_point=IN, tag=room.tag, reason="no_grant", times=4, first_at=NOW, last_at=NOW)
    asked: list[tuple[str, Any]] = []

    def remember(_c: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:  # noqa: FBT001
        if not many and statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            asked.append((statement, values))

    event.listen(room.hub.desk.database.engine, "before_cursor_execute", remember)
    room.send(written(1, room.tap(), 0), written(3, refused, 2))
    room.send(written(6, again, 9), written(4, Passed(tap=1, outcome=Outcome.ENTERED), 3))
    room.send(written(2, Passed(tap=5, outcome=Outcome.ENTERED), 1), written(5, room.tap(), 4))
    event.remove(room.hub.desk.database.engine, "before_cursor_execute", remember)
    with room.hub.desk.database.read() as tx:
        plans = [
            (step.detail, asking)
            for asking, values in asked
            for step in tx.exec_driver_sql(f"explain query plan {asking}", values)
        ]
        assert tx.execute(text("select count(*) from entries")).scalar() == 2
    scans = [(detail, asking) for detail, asking in plans if detail.startswith("SCAN ") and detail.split()[1] in GROWING]
    assert [(detail, asking) for detail, asking in scans if not detail.endswith("INDEX ix_entries_doubtful")] == []
    assert any("SEARCH events" in detail for detail, _ in plans)
