# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be said by mail and to whom, how long it is worth sending, and when it is tried again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a message is about. Each has one template in each language, messages/<kind>.<language>.txt."""

    DENIED_TAP = "denied_tap"
    TAG_LOST = "tag_lost"
    BOOKING_MADE = "booking_made"
    BOOKING_CANCELLED = "booking_cancelled"
    INVOICE_ISSUED = "invoice_issued"
    NEW_SIGN_IN = "new_sign_in"
    SIGN_IN_LINK = "sign_in_link"
    RECOVERY_USED = "recovery_used"
    SIGN_IN_CHANGED = "sign_in_changed"
    IMPORT_REPORT = "import_report"
    TEST = "test"


Fact = str | int | bool | datetime | date | None

FACTS: Mapping[Kind, frozenset[str]] = {
    Kind.DENIED_TAP: frozenset({"door", "at", "zone", "reason", "next_at"}),
    Kind.TAG_LOST: frozenset({"last_digits", "at"}),
    Kind.BOOKING_MADE: frozenset({"space", "start_at", "end_at", "zone", "purpose"}),
    Kind.BOOKING_CANCELLED: frozenset({"space", "start_at", "end_at", "zone", "by_staff"}),
    Kind.INVOICE_ISSUED: frozenset({"number", "month", "gross_cents", "due_on", "invoice_id"}),
    Kind.NEW_SIGN_IN: frozenset({"at", "device", "address"}),
    Kind.SIGN_IN_LINK: frozenset({"link", "minutes"}),
    Kind.RECOVERY_USED: frozenset({"at", "codes_left"}),
    Kind.SIGN_IN_CHANGED: frozenset({"at", "change", "which"}),
    Kind.IMPORT_REPORT: frozenset({"file", "at", "added", "changed", "ended", "refused", "stopped", "where"}),
    Kind.TEST: frozenset(),
}
"""What must be known to say each kind: exactly these facts go to `service.put`. Instants are aware; `zone` names the site's."""

CHOSEN = (
    Kind.DENIED_TAP, Kind.TAG_LOST, Kind.BOOKING_MADE, Kind.BOOKING_CANCELLED, Kind.INVOICE_ISSUED, Kind.NEW_SIGN_IN,
)  # fmt: skip
"""What a person may do without. Everything else is always sent, and so is NEW_SIGN_IN to somebody with a staff role."""

SECRET = frozenset({Kind.SIGN_IN_LINK})
"""Kinds whose facts open the door to an account: forgotten the moment they are sent or given up, and never sent again."""

GIVE_UP_AFTER = timedelta(days=3)
LINK_GIVE_UP_AFTER = timedelta(minutes=15)
PAUSES = (
    timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(hours=1), timedelta(hours=3),
    timedelta(hours=6),
)  # fmt: skip
"""How long a message waits after each attempt that was put off; the last holds for all after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """To whom: exactly one of the four. `language` is for a bare address; others have their own, or the hub's.

    Where to and in which language is looked up when the message is sent: a corrected address is used by what still waits.
    """

    person_id: int | None = None
    account_id: int | None = None
    customer_id: int | None = None
    address: str | None = None
    language: str | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.person_id, self.account_id, self.customer_id, self.address)) != 1:
            raise TypeError("a recipient is exactly one of person_id, account_id, customer_id and address")


def give_up_after(kind: Kind) -> timedelta:
    """Return for how long after its cause a message is worth sending."""
    return LINK_GIVE_UP_AFTER if kind in SECRET else GIVE_UP_AFTER


def pause_after(attempts: int) -> timedelta:
    """Return how long to wait after the `attempts`th attempt (1 is the first)."""
    return PAUSES[min(attempts, len(PAUSES)) - 1]


def stored(facts: Mapping[str, Fact]) -> dict[str, str | int | bool | None]:
    """Return facts as JSON holds them: an instant or a day in ISO 8601. Raise ValueError for an instant without zone."""
    return {name: _stored(value) for name, value in facts.items()}


def _stored(value: Fact) -> str | int | bool | None:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError("an instant is aware, this one has no time zone")
    return value.isoformat() if isinstance(value, date) else value
