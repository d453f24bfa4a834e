# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the machine open once for one granted tap, and never because of the link, a late word or a replay?"""

from __future__ import annotations

from dataclasses import replace

from access_contract.messages import (
    Attention,
    ClockSynced,
    Tapped,
)
from access_contract.snapshot import head_of
from access_contract.vocabulary import AccessPointId, ClockQuality
from door_agent.happenings import (
    Count,
    Energise,
    JournalLate,
    JournalReported,
    LinkChanged,
    ReaderMoved,
    Record,
    SendAsk,
    Show,
    SnapshotTaken,
    Started,
    TagRead,
    TagUnreadable,
    TimePassed,
)
from door_agent.machine import State
from tests.door_agent.machine_door import IN, KNOWN, TAP, Door, snapshot, tapped, words


def test_alone_the_door_records_before_it_energises() -> None:
    """Every tap is handed to the journal before the relay moves."""
    effects = Door().happen(TAP)
    kinds = [type(effect) for effect in effects]
    assert kinds.index(Record) < kinds.index(Energise)


def test_the_server_answer_wins_within_the_deadline() -> None:
    """A refusal that comes in time stands against the door's own grant."""
    door = Door(link=True)
    door.answer(door.happen(TAP), granted=False)
    assert door.pulses == 0
    tapped = door.recorded(Tapped)[0]
    assert isinstance(tapped, Tapped)
    assert (tapped.decided_by, tapped.own_granted, tapped.reason) == ("server", True, "tag_blocked")


def test_a_late_answer_changes_nothing_but_heals_the_wait() -> None:
    """After a missed deadline the own decision stands, the next tap is answered at once and still asks, and an answer heals."""
    door = Door(link=True)
    first = door.happen(TAP)
    door.happen(TimePassed(), after=0.25)
    assert door.pulses == 1
    assert door.answer(first, granted=True) == []
    assert (door.pulses, door.state.answers_come) == (1, True)
    door.happen(TAP, after=10)
    door.happen(TimePassed(), after=0.25)
    second = door.happen(TAP, after=10)
    assert door.pulses == 3
    assert any(isinstance(effect, SendAsk) for effect in second)


def test_an_unwritable_journal_refuses_from_the_next_tap_on() -> None:
    """Where nothing can be recorded, nothing opens, until the journal can be written again."""
    door = Door()
    door.happen(JournalReported("disk full", door.state.sequence))
    door.happen(TAP)
    assert door.pulses == 0
    door.happen(JournalReported(None, door.state.sequence))
    door.happen(TAP)
    assert door.pulses == 1


def test_losing_and_regaining_the_link_moves_no_relay() -> None:
    """The link never decides: its coming and going has no effect on the lock."""
    door = Door()
    for up in (True, False, True):
        door.happen(LinkChanged(up), after=1)
    assert door.pulses == 0


def test_a_lost_link_is_not_waited_for() -> None:
    """A tap whose answer can no longer come is concluded at once by the door's own decision."""
    door = Door(link=True)
    door.happen(TAP)
    assert door.pulses == 0
    door.happen(LinkChanged(False), after=0.01)
    assert door.pulses == 1
    door.happen(TimePassed(), after=1)
    assert (door.pulses, len(tapped(door))) == (1, 1)


def test_a_duplicate_answer_opens_nothing_more() -> None:
    """One ask, one answer, one pulse; the second is counted."""
    door = Door(link=True)
    asked = door.happen(TAP)
    door.answer(asked, granted=True)
    assert [type(effect) for effect in door.answer(asked, granted=True)] == [Count]
    assert door.pulses == 1


def test_a_tag_that_gave_no_number_is_journaled_as_refused() -> None:
    """Nothing is asked and nothing opens; the tap stands without a tag, and red is shown."""
    door = Door(link=True)
    effects = door.happen(TagUnreadable(IN))
    assert [(t.tag, t.granted, t.reason) for t in tapped(door)] == [(None, False, "tag_unreadable")]
    assert Show(False, IN) in effects
    assert not any(isinstance(effect, SendAsk | Energise) for effect in effects)


def test_each_reader_admits_only_where_its_access_point_may() -> None:
    """Of two readers at one door, the right for the one says nothing about the other."""
    door = Door()
    door.happen(TagRead(AccessPointId("out"), KNOWN))
    assert (door.pulses, tapped(door)[0].reason) == (0, "no_grant")
    door.happen(TAP)
    assert door.pulses == 1


def test_booted_is_the_first_line_of_a_start() -> None:
    """Nothing of this start stands before it, also where the clock is trusted from the first instant."""
    door = Door()
    door.state = State(head=head_of(snapshot()), sequence=41)
    effects = door.happen(Started("1"))
    assert [type(e.what).__name__ for e in effects if isinstance(e, Record)] == ["Booted"]
    assert [type(e.what).__name__ for e in door.happen(TimePassed()) if isinstance(e, Record)] == []


def test_a_clock_that_becomes_trusted_is_said_once() -> None:
    """From there on the server can re-date what came before."""
    door = Door()
    door.clock = ClockQuality.UNTRUSTED
    door.happen(Started("1"))
    door.clock = ClockQuality.SYNCED
    for _ in range(3):
        door.happen(TimePassed(), after=1)
    assert len(door.recorded(ClockSynced)) == 1


def test_a_clock_that_is_doubted_for_long_needs_a_person() -> None:
    """After a quarter of an hour, once; it clears when the clock is trusted, and a short doubt is nobody's business."""
    door = Door()
    door.clock = ClockQuality.UNTRUSTED
    for _ in range(20):
        door.happen(TimePassed(), after=60)
    door.clock = ClockQuality.SYNCED
    door.happen(TimePassed())
    door.clock = ClockQuality.UNTRUSTED
    door.happen(TimePassed(), after=60)
    said = [what for what in door.recorded(Attention) if isinstance(what, Attention)]
    assert [(what.about, what.raised) for what in said] == [("clock_untrusted", True), ("clock_untrusted", False)]


def test_a_reader_that_goes_away_needs_attention_until_it_is_back() -> None:
    """Of two readers both must be there; the word is raised and cleared once."""
    door = Door()
    for point, name in (("in", None), ("out", None), ("in", "Reader 1"), ("out", "Reader 2")):
        door.happen(ReaderMoved(AccessPointId(point), name, "no reader is plugged in"))
    said = [(what.about, what.raised) for what in door.recorded(Attention) if isinstance(what, Attention)]
    assert said == [("reader_away", True), ("reader_away", False)]


def test_the_newest_cause_of_a_word_that_stands_is_kept() -> None:
    """A second cause is no second event, and the door still says why now; of two readers, each says its own."""
    door = Door()
    for point, name, why in (
        ("in", None, "no reader is plugged in"),
        ("in", None, "Access denied"),
        ("out", None, "unplugged"),
    ):
        door.happen(ReaderMoved(AccessPointId(point), name, why))
    assert len(door.recorded(Attention)) == 1
    assert dict(door.state.causes) == {"reader_away": "in: Access denied; out: unplugged"}
    door.happen(ReaderMoved(AccessPointId("in"), "Reader 1"))
    assert dict(door.state.causes) == {"reader_away": "out: unplugged"}
    door.happen(ReaderMoved(AccessPointId("out"), "Reader 2"))
    assert door.state.causes == ()


def test_a_slow_disk_needs_attention_for_an_hour() -> None:
    """It is said once, stays so that somebody sees it, and clears when the disk was quick for an hour."""
    door = Door()
    door.happen(JournalLate("events 3 to 4"))
    door.happen(JournalLate("events 9 to 9"), after=1800)
    door.happen(TimePassed(), after=3599)
    before = door.state.attention
    door.happen(TimePassed(), after=1)
    assert (before, door.state.attention) == (("journal_slow",), ())


def test_where_the_setting_admits_an_unwritable_journal_opens() -> None:
    """What a tap is worth that cannot be recorded is a named setting."""
    door = Door()
    door.settings = replace(door.settings, unwritable_refuses=False)
    door.happen(JournalReported("disk full", door.state.sequence))
    door.happen(TAP)
    assert door.pulses == 1


def test_a_lost_snapshot_refuses_everyone_and_needs_a_person() -> None:
    """Nothing is known of any tag until the server has sent it anew."""
    door = Door()
    door.rights = None
    door.happen(SnapshotTaken(door.state.head, None))
    assert words(door) == ("snapshot_lost",)
    door.happen(TAP)
    assert [what.reason for what in tapped(door)] == ["tag_unknown"]
    door.hold(snapshot())
    assert words(door) == ()
