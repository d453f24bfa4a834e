# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door says of itself on the wire, from what it knows. Pure; it names no tag and no person."""

from __future__ import annotations

from datetime import datetime

from access_contract.messages import Status
from door_agent.journal import Journal
from door_agent.state import Settings, State


def status_of(settings: Settings, state: State, journal: Journal, now: datetime, version: str, known_keys: list[str]) -> Status:
    """Return how the door is at `now`. Of the journal only its identity and numbers are read."""
    return Status(
        online=True,
        at=now,
        boot=journal.boot,
        nonce=state.nonce,
        journal=journal.id,
        last_sequence=journal.sequence,
        acknowledged=journal.acknowledged,
        snapshot_number=state.head.number,
        snapshot_digest=state.digest,
        mode=state.mode,
        unlocked=state.stands_unlocked,
        lock_down=state.lock_down,
        alarm_armed=state.alarm_armed,
        contact_open=state.contact_open,
        clock=state.clock,
        reader=", ".join(name for _, name in state.readers if name is not None) or None,
        attention=list(state.attention),
        version=version,
        simulated=settings.simulated,
        known_keys=known_keys,
    )
