# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the doors' events mean, whatever order they arrive in: re-dating, merging of re-taps, which sequences are missing.

Pure: no clock, no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from access_contract.messages import EventHeader
from access_contract.vocabulary import ClockQuality

RETAP_MERGE = timedelta(seconds=120)
MISSING_MAX = 100
BOOKING_CAUSE = "booking:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An entry as merging sees it; `merged_into` is what it stays where it is `settled`."""

    entry_id: int
    at: datetime
    settled: bool = False
    merged_into: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Who held a keytag from when until when (None: still)."""

    person_id: int
    from_at: datetime
    until_at: datetime | None


def holder_at(holdings: Sequence[Holding], at: datetime) -> int | None:
    """Return who held a keytag at an instant; of two, the one who got it later."""
    then = [one for one in holdings if one.from_at <= at and (one.until_at is None or one.until_at > at)]
    return max(then, key=lambda one: one.from_at).person_id if then else None


def merged(made: Iterable[Made]) -> dict[int, int | None]:
    """Return for each entry of one tag at one access point the first of its run, or None for that first itself.

    A run is what lies within RETAP_MERGE of its first entry, so it cannot be stretched without end. What is settled stays as
    it is: an entry that comes late, shortly before the settled first of a run, is of that run.
    """
    entries = sorted(made, key=lambda m: (m.at, m.entry_id))
    found = {one.entry_id: one.merged_into for one in entries if one.settled}
    kept = [one for one in entries if one.settled and one.merged_into is None]
    first: Made | None = None
    for one in entries:
        if one.settled:
            first = one if one.merged_into is None else first
            continue
        near = [first] if first is not None else []
        near += [other for other in kept if other.at > one.at]
        run = next((other for other in near if abs(one.at - other.at) < RETAP_MERGE), None)
        found[one.entry_id] = None if run is None else run.entry_id
        first = one if run is None else first
    return found


def dated(event: EventHeader, synced: EventHeader | None) -> datetime:
    """Return when the event happened: its own word if its clock was trusted, else by its distance to `synced`, the first
    trusted instant of its boot, if there is one."""
    if event.clock is not ClockQuality.UNTRUSTED or synced is None:
        return event.at
    return synced.at - timedelta(milliseconds=synced.monotonic_ms - event.monotonic_ms)


def up_to(known: Iterable[int], start: int) -> int:
    """Return the last sequence of the unbroken run that follows `start`."""
    at = start
    for number in sorted(known):
        if number == at + 1:
            at = number
    return at


def booking_of(cause: str | None) -> int | None:
    """Return the booking that a cause names ("booking:12"), if it does."""
    if cause is None or not cause.startswith(BOOKING_CAUSE):
        return None
    number = cause.removeprefix(BOOKING_CAUSE)
    return int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
