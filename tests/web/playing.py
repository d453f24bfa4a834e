# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door played for the pages' tests: what it says reaches the database by the same services as a real door's word."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, CommandDone, Event, Passed, Status, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, TagNumber, tag_hash
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.ledger.ingest import ingest
from tests.system.desk import Desk


@dataclass(slots=True)
class PlayedDoor:
    """One door with one reader, and its journal."""

    desk: Desk
    door_id: str
    sequence: int = field(default=0)

    def status(self, at: datetime | None = None, **more: object) -> None:
        """Say how the door is; online, unless said otherwise."""
        at = at or self.desk.clock.now()
        says = {"online": True, "at": at, "clock": ClockQuality.SYNCED, "reader": "played reader", "contact_open": False}
        with self.desk.database.write() as tx:
            doors.keep_status(tx, now=at, door_id=self.door_id, status=Status(**{**says, **more}))  # type: ignore[arg-type]

    def tap(self, number: TagNumber, *, reason: str | None = None, enters: bool = True, **more: object) -> None:
        """A tag is tapped: granted and gone in, unless there is a reason why not."""
        with self.desk.database.read() as tx:
            key = doors.tag_key(tx, self.desk.keys.vault, self.door_id)
        granted = reason is None
        said = {"decided_by": "server", **more}
        self._write(
            Tapped(
                access_point=AccessPointId("in"),
                tag=tag_hash(key, number),
                granted=granted,
                reason=reason,
                **said,  # type: ignore[arg-type]
            )
        )
        if granted and enters:
            self._write(Passed(tap=self.sequence, outcome=Outcome.ENTERED))

    def did(self, command: str, refusal: str | None = None, did: str = "open") -> None:
        """Say what became of a command."""
        self._write(CommandDone(command=command, did=did, refusal=refusal))  # type: ignore[arg-type]

    def read_for_hand_out(self, command: str, number: TagNumber) -> None:
        """A tag is tapped while a capture stands."""
        with self.desk.database.write() as tx:
            commands.captured(
                tx,
                now=self.desk.clock.now(),
                vault=self.desk.keys.vault,
                door_id=self.door_id,
                capture_id=command,
                number=number,
            )
        self.did(command, did="capture")

    def _write(self, what: What) -> None:
        self.sequence += 1
        event = Event(
            journal=f"{self.door_id}-journal",
            sequence=self.sequence,
            boot="boot",
            at=self.desk.clock.now(),
            monotonic_ms=self.sequence * 1000,
            clock=ClockQuality.SYNCED,
            previous=FIRST_PREVIOUS,
            what=what,
        )
        with self.desk.database.write() as tx:
            ingest(tx, HubLookups(), now=self.desk.clock.now(), door_id=self.door_id, contents=[msgspec.json.encode(event)])
