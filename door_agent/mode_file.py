# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door keeps of how it stands, to be taken on again at the next start: its mode, the last word on a lock-down, and
since when its unlocking hours have been started. A file of an older version holds the mode's plain word.
"""

from __future__ import annotations

import msgspec

from access_contract.snapshot import Instant
from access_contract.vocabulary import DoorMode


class Kept(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`before` is the mode to go back to when the lock-down by word `lock_down` is lifted; None: no word locked it down."""

    mode: DoorMode = DoorMode.LOCKED
    lock_down: int = 0
    before: DoorMode | None = None
    started_at: Instant | None = None


def parse(text: str) -> Kept:
    """Return what the file says. Raise ValueError if it says nothing of the kind."""
    try:
        return msgspec.json.decode(text, type=Kept) if text.startswith("{") else Kept(mode=DoorMode(text))
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def written(kept: Kept) -> bytes:
    return msgspec.json.encode(kept)
