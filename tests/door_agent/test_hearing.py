# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does what the readers of one door tell reach the machine at the right access point, and no word too early?"""

from __future__ import annotations

from access_contract.vocabulary import AccessPointId, Assurance, TagNumber
from door_agent import happenings as h
from door_agent.readers.opening import Hearing

IN, OUT = AccessPointId("in"), AccessPointId("out")
NUMBER = TagNumber.parse("04782E21801D80")


def test_each_reader_speaks_for_its_own_access_point() -> None:
    """A tap may be lost when the loop is behind; that a reader went away may not."""
    kept: list[h.Happening] = []
    offered: list[h.Happening] = []
    hearing = Hearing(put=kept.append, offer=offered.append)
    hearing.at(IN).tapped(NUMBER, Assurance.A0)
    hearing.at(OUT).unreadable()
    hearing.at(OUT).moved(None, "no reader is plugged in")
    assert offered == [h.TagRead(IN, NUMBER, Assurance.A0), h.TagUnreadable(OUT)]
    assert kept == [h.ReaderMoved(OUT, None, "no reader is plugged in")]


def test_a_word_stands_until_it_holds_for_no_reader_any_more() -> None:
    """Of two deaf readers both are named, and the first to recover clears nothing but itself."""
    told: list[h.Happening] = []
    hearing = Hearing(put=told.append, offer=told.append)
    hearing.at(IN).noticed("reader_deaf", True, "does not answer")
    hearing.at(OUT).noticed("reader_deaf", True, "does not answer")
    hearing.at(IN).noticed("reader_deaf", False, "")
    hearing.at(OUT).noticed("reader_deaf", False, "")
    assert told == [
        h.Noticed("reader_deaf", True, "in: does not answer"),
        h.Noticed("reader_deaf", True, "in: does not answer; out: does not answer"),
        h.Noticed("reader_deaf", True, "out: does not answer"),
        h.Noticed("reader_deaf", False, ""),
    ]
