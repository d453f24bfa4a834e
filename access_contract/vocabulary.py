# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words that door and server share: reasons of refusal, door modes, clock quality, and the canonical tag number.

A word, once on the wire, is never renamed or reused. A reader of the wire shows an unknown reason as refused.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NewType

DoorId = NewType("DoorId", str)
"""A door's name on the wire: 1 to 32 of a-z, 0-9 and '-', starting with a letter; also its certificate's common name."""

AccessPointId = NewType("AccessPointId", str)
"""A reader and its direction at one door, for instance 'in' or 'out'. Unique within its door."""

TagHash = NewType("TagHash", str)
"""A tag as one door names it: 64 lower-case hex digits. Two doors name the same tag differently."""


class Reason(StrEnum):
    """Why a tap was refused. Closed: a new reason is a new version of the contract."""

    TAG_UNKNOWN = "tag_unknown"
    TAG_BLOCKED = "tag_blocked"
    TAG_UNREADABLE = "tag_unreadable"
    TAG_EXPIRED = "tag_expired"
    MEMBER_SUSPENDED = "member_suspended"
    AGREEMENT_ENDED = "agreement_ended"
    NO_GRANT = "no_grant"
    OUTSIDE_HOURS = "outside_hours"
    NO_BOOKING = "no_booking"
    QUOTA_USED = "quota_used"
    SPACE_FULL = "space_full"
    DOOR_BLOCKED = "door_blocked"
    DOOR_LOCKED_DOWN = "door_locked_down"
    DOOR_OUT_OF_SERVICE = "door_out_of_service"
    ALARM_ARMED = "alarm_armed"
    ASSURANCE_TOO_LOW = "assurance_too_low"
    SNAPSHOT_EXPIRED = "snapshot_expired"
    CLOCK_UNTRUSTED = "clock_untrusted"
    JOURNAL_UNWRITABLE = "journal_unwritable"


class DoorMode(StrEnum):
    """What a door does with taps (ONVIF door modes). Only the door itself knows its mode for certain."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    BLOCKED = "blocked"
    LOCKED_DOWN = "locked-down"


def mode_of(word: str) -> DoorMode | None:
    """Return the mode that `word` names; None for one of a later version, which is shown as it came and taken on by nobody."""
    return next((mode for mode in DoorMode if mode == word), None)


class ClockQuality(StrEnum):
    """How far a door trusted its own wall clock when it wrote an event."""

    SYNCED = "synced"
    HOLDOVER = "holdover"
    UNTRUSTED = "untrusted"


class Assurance(IntEnum):
    """How hard it is to copy what was read, from A0 (a bare number, copied in a second) to A4 (a private key in the chip)."""

    A0 = 0
    A1 = 1
    A2 = 2
    A3 = 3
    A4 = 4


class InvalidTagNumber(ValueError):
    """A tag number that cannot be canonical; the message says what is allowed."""


@dataclass(frozen=True, slots=True)
class TagNumber:
    """A tag's full UID in anticollision order: 4, 7 or 10 bytes (ISO/IEC 14443-3). Never shown, stored or sent in the clear."""

    uid: bytes

    def __post_init__(self) -> None:
        if len(self.uid) not in (4, 7, 10):
            raise InvalidTagNumber(f"a tag number has 4, 7 or 10 bytes, this one has {len(self.uid)}")

    @classmethod
    def parse(cls, text: str) -> TagNumber:
        """Return the number written as hex digits, with or without ':', '-' or spaces. Raise InvalidTagNumber."""
        digits = text.translate(str.maketrans("", "", " :-"))
        try:
            return cls(bytes.fromhex(digits))
        except InvalidTagNumber:
            raise
        except ValueError:
            raise InvalidTagNumber("a tag number is written as hex digits, for instance 04 78 2E 21 80 1D 80") from None

    @property
    def is_random(self) -> bool:
        """True if the chip makes up a new number at every tap (4 bytes, first 08): no identity, refused at hand-out."""
        return len(self.uid) == 4 and self.uid[0] == 0x08

    @property
    def is_cut(self) -> bool:
        """True if this is the first half of a longer number (4 bytes, first 88, the cascade tag): refused at hand-out."""
        return len(self.uid) == 4 and self.uid[0] == 0x88

    @property
    def last_digits(self) -> str:
        """The last four hex digits: the most that staff are shown."""
        return self.uid.hex().upper()[-4:]

    def __str__(self) -> str:
        return self.uid.hex().upper()

    def __repr__(self) -> str:
        return f"TagNumber(…{self.last_digits})"


def tag_hash(key: bytes, number: TagNumber) -> TagHash:
    """Return how the door that holds `key` (32 bytes) names this tag: HMAC-SHA256 over "uid-v1", 00, length, UID.

    A door's key is its own, so a stolen door tells nothing about tags elsewhere, and nobody can list short numbers
    without the key.
    """
    message = b"uid-v1\x00" + bytes([len(number.uid)]) + number.uid
    return TagHash(hmac.new(key, message, hashlib.sha256).hexdigest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When and where a tag was tapped, as far as the decision cares. `now` is aware, UTC."""

    now: datetime
    access_point: AccessPointId
    clock_trusted: bool = True
    assurance: Assurance = Assurance.A0

    def __post_init__(self) -> None:
        if self.now.tzinfo is None:
            raise ValueError("an instant is aware and UTC, this one has no time zone")
