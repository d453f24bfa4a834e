# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads what came from a door, or says under which name to count it. Never raises, whatever the bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from access_contract import topics
from access_contract.messages import MESSAGE_BYTES_MAX, Ask, Captured, Events, FromDoor, Renew, Request, Status
from access_contract.vocabulary import DoorId
from booking_server.civil import can_be_reckoned_with

_SHAPES: dict[str, Any] = {
    "ask": Ask,
    "captured": Captured,
    "events": Events,
    "request": Request | Renew,
    "status": Status,
}
_NUL = b"\\u0000"
"""No word of ours holds it, and PostgreSQL cannot. Events are looked at one by one, in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message, and the door that the broker vouches for: it alone may write on that topic."""

    door: DoorId
    message: FromDoor


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What to count it as ("unknown_topic", "oversized", "malformed", "unknown_kind"), and for which door ("" for none)."""

    cause: str
    door: str = ""


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""
    v: int = 1


def read(topic: str, content: bytes) -> Heard | Unreadable:
    """Return the message on `topic`, or why it cannot be taken."""
    try:
        source = topics.parse_up(topic)
    except topics.UnknownTopic:
        return Unreadable(cause="unknown_topic")
    if len(content) > MESSAGE_BYTES_MAX:
        return Unreadable(cause="oversized", door=source.door)
    if source.channel != "events" and _NUL in content:
        return Unreadable(cause="malformed", door=source.door)
    try:
        message = msgspec.json.decode(content, type=_SHAPES[source.channel])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Unreadable(cause=_cause(content, source.channel), door=source.door)
    if isinstance(message, Status) and message.at is not None and not can_be_reckoned_with(message.at):
        return Unreadable(cause="malformed", door=source.door)
    return Heard(door=source.door, message=message)


def _cause(content: bytes, expected: str) -> str:
    try:
        found = msgspec.json.decode(content, type=_Kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "malformed"
    return "malformed" if (found.kind, found.v) == (expected, 1) else "unknown_kind"
