# SPDX-License-Identifier: AGPL-3.0-or-later
"""When a granted tap is an entry."""

from __future__ import annotations

from access_contract.entries import ENTRY_TABLE, Leaf, Outcome, Until, outcome, outcome_in_mode_unlocked


def test_the_table_is_total() -> None:
    """Whatever the leaf said and whatever came first, there is one outcome."""
    assert set(ENTRY_TABLE) == {(leaf, until) for leaf in Leaf for until in Until}


def test_granted_but_nobody_entered_is_no_entry() -> None:
    """A door that was never opened charges nobody."""
    assert outcome(Leaf.CLOSED, Until.RELOCKED) is Outcome.NOT_ENTERED
    assert not Outcome.NOT_ENTERED.counts


def test_an_opening_from_inside_counts_for_nobody() -> None:
    """Somebody leaving as a member taps does not charge the member."""
    assert outcome(Leaf.CLOSED, Until.OPENED_AFTER_EXIT_REQUEST) is Outcome.DOUBTFUL
    assert not Outcome.DOUBTFUL.counts


def test_an_open_leaf_and_an_unseen_leaf_count() -> None:
    """Walking in behind an open leaf is an entry; a door without contact counts what it granted and says so."""
    assert all(outcome(Leaf.OPEN, until) is Outcome.ENTERED for until in Until)
    assert all(outcome(Leaf.UNSEEN, until) is Outcome.ASSUMED for until in Until)
    assert outcome(Leaf.CLOSED, Until.OPENED).counts


def test_the_space_says_what_a_tap_at_an_unlocked_door_is() -> None:
    """In mode unlocked a tap is an entry only where the space says so."""
    assert outcome_in_mode_unlocked(tap_is_entry=True).counts
    assert not outcome_in_mode_unlocked(tap_is_entry=False).counts
