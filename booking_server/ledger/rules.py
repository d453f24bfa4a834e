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
    """An entry as merging sees it."""

    entry_id: int
    at: datetime


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

    A run is what lies within RETAP_MERGE of its first entry, so it cannot be stretched without end.
    """
    found: dict[int, int | None] = {}
    first: Made | None = None
    for one in sorted(made, key=lambda m: (m.at, m.entry_id)):
        if first is not None and one.at - first.at < RETAP_MERGE:
            found[one.entry_id] = first.entry_id
        else:
            found[one.entry_id], first = None, one
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
