# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a granted tap counts as an entry: granted and entered (ONVIF AccessTaken), as one table.

The door applies the table with its contact and exit button in view; the server charges what it says and nothing else. Only
where a door stood unlocked the server goes by the space's own setting, which staff may change at any time.
"""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a granted tap. Only ENTERED and ASSUMED count as an entry."""

    ENTERED = "entered"
    ASSUMED = "assumed"
    NOT_ENTERED = "not_entered"
    DOUBTFUL = "doubtful"

    @property
    def counts(self) -> bool:
        return self in (Outcome.ENTERED, Outcome.ASSUMED)


class Leaf(StrEnum):
    """What the door position switch said at the tap; UNSEEN where a door has none."""

    CLOSED = "closed"
    OPEN = "open"
    UNSEEN = "unseen"


class Until(StrEnum):
    """What was seen first between the tap and the relock."""

    OPENED = "opened"
    OPENED_AFTER_EXIT_REQUEST = "opened_after_exit_request"
    RELOCKED = "relocked"


ENTRY_TABLE: dict[tuple[Leaf, Until], Outcome] = {
    (Leaf.OPEN, Until.OPENED): Outcome.ENTERED,
    (Leaf.OPEN, Until.OPENED_AFTER_EXIT_REQUEST): Outcome.ENTERED,
    (Leaf.OPEN, Until.RELOCKED): Outcome.ENTERED,
    (Leaf.CLOSED, Until.OPENED): Outcome.ENTERED,
    (Leaf.CLOSED, Until.OPENED_AFTER_EXIT_REQUEST): Outcome.DOUBTFUL,
    (Leaf.CLOSED, Until.RELOCKED): Outcome.NOT_ENTERED,
    (Leaf.UNSEEN, Until.OPENED): Outcome.ASSUMED,
    (Leaf.UNSEEN, Until.OPENED_AFTER_EXIT_REQUEST): Outcome.ASSUMED,
    (Leaf.UNSEEN, Until.RELOCKED): Outcome.ASSUMED,
}
"""Granted tap -> outcome. Two granted taps may share one opening, and both count."""

UNDER_FIRE = Outcome.DOUBTFUL
"""What a granted tap becomes while the fire contact says fire: the lock may have no current, and an opening is nobody's."""


def outcome(leaf: Leaf, until: Until) -> Outcome:
    """Return what became of a granted tap, given the leaf at the tap and what was seen first until relock."""
    return ENTRY_TABLE[leaf, until]


def outcome_in_mode_unlocked(*, tap_is_entry: bool) -> Outcome:
    """Return what a tap at a door that stands unlocked counts as: the space's own setting says."""
    return Outcome.ASSUMED if tap_is_entry else Outcome.NOT_ENTERED
