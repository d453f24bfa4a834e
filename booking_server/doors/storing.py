# SPDX-License-Identifier: AGPL-3.0-or-later
"""Stores what many doors sent in one go. One door's bad message never costs another its acknowledgement.

What a door that the server does not have sends, or what the database refuses, is counted and acknowledged to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DataError, IntegrityError

from access_contract.messages import Acknowledgement
from booking_server.clock import Clock
from booking_server.doors import service as doors
from booking_server.ledger.ingest import Lookups, Sent, count, ingest_all


@dataclass(frozen=True, slots=True)
class Dropped:
    """Something that was counted as `cause` instead of being stored."""

    cause: str


Stored = list[Acknowledgement] | Dropped

EVENTS_AT_ONCE = 5_000
"""A statement names at most some ten thousand values: a door that sends far more than it may must not make one too long."""


@dataclass(frozen=True, slots=True)
class EventStore:
    """Takes events in with these lookups, at the time of this clock."""

    lookups: Lookups
    clock: Clock

    def write_all(self, tx: Connection, sent: Sequence[Sent]) -> list[Stored]:
        """Return for each message what to acknowledge once it is committed, or why it was dropped."""
        known = {door.id for door in doors.doors(tx)}
        good = [message for message in sent if message.door_id in known]
        stored = iter([one for some in _shares(good) for one in self._together(tx, some)])
        return [next(stored) if message.door_id in known else self._drop(tx, "unknown_door", message) for message in sent]

    def _together(self, tx: Connection, sent: Sequence[Sent]) -> list[Stored]:
        try:
            with tx.begin_nested():
                return [*ingest_all(tx, self.lookups, now=self.clock.now(), sent=sent)]
        except (DataError, IntegrityError):
            if len(sent) == 1:
                return [self._drop(tx, "unstorable", sent[0])]
            return [stored for message in sent for stored in self._together(tx, [message])]

    def _drop(self, tx: Connection, cause: str, message: Sent) -> Dropped:
        count(tx, cause, message.door_id, self.clock.now())
        return Dropped(cause)


def _shares(sent: Sequence[Sent]) -> Iterator[list[Sent]]:
    """Cut what was sent, in order, into shares of about EVENTS_AT_ONCE events; no message is cut."""
    share: list[Sent] = []
    for message in sent:
        share.append(message)
        if sum(len(one.contents) for one in share) >= EVENTS_AT_ONCE:
            yield share
            share = []
    if share:
        yield share
