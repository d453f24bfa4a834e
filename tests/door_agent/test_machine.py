# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the machine open once for one granted tap, and never because of the link, a late word or a replay?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from access_contract.entries import Outcome
from access_contract.messages import (
    Answer,
    Attention,
    Capture,
    ClockSynced,
    CommandDone,
    HeldOpen,
    Open,
    Opened,
    Passed,
    SetMode,
    Tapped,
)
from access_contract.snapshot import Right, Snapshot, TagRights, Window
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, TagNumber, tag_hash
from door_agent.happenings import (
    Answered,
    Commanded,
    ContactMoved,
    Count,
    Effect,
    Energise,
    ExitPressed,
    Happening,
    JournalLate,
    JournalReported,
    LinkChanged,
    ReaderMoved,
    Record,
    SendAsk,
    SendCaptured,
    Show,
    SnapshotTaken,
    Stamp,
    Started,
    StayUnlocked,
    TagRead,
    TagUnreadable,
    TimePassed,
)
from door_agent.machine import Settings, State, empty_snapshot, step

T0 = datetime(2026, 1, 31, 5, tzinfo=UTC)
KEY = bytes(range(32))
KNOWN = TagNumber.parse("04782E21801D80")
IN = AccessPointId("in")
FRONT = DoorId("front")
TAP = TagRead(IN, KNOWN)


class Door:
    """A machine with a hand on its clock, and everything that it did."""

    clock = ClockQuality.SYNCED

    def __init__(self, *, link: bool = False, contact: bool = True) -> None:
        self.settings = Settings(door=FRONT, tag_key=KEY, has_contact=contact)
        self.state = State(snapshot=empty_snapshot(FRONT))
        self.seconds, self.count = 0.0, 0
        self.did: list[Effect] = []
        self.happen(SnapshotTaken(snapshot(), "d"))
        if contact:
            self.happen(ContactMoved(False))
        if link:
            self.happen(LinkChanged(True))

    def happen(self, happening: Happening, after: float = 0.0) -> list[Effect]:
        self.seconds, self.count = self.seconds + after, self.count + 1
        now = T0 + timedelta(seconds=self.seconds)
        stamp = Stamp(now=now, monotonic=self.seconds, clock=self.clock, fresh=f"f{self.count}")
        self.state, effects = step(self.settings, self.state, stamp, happening)
        self.did += effects
        return effects

    def recorded(self, kind: type) -> list[object]:
        return [effect.what for effect in self.did if isinstance(effect, Record) and isinstance(effect.what, kind)]

    def outcomes(self) -> list[Outcome]:
        return [what.outcome for what in self.recorded(Passed) if isinstance(what, Passed)]

    @property
    def pulses(self) -> int:
        return sum(isinstance(effect, Energise) for effect in self.did)

    def answer(self, effects: list[Effect], *, granted: bool) -> list[Effect]:
        ask = next(effect for effect in effects if isinstance(effect, SendAsk))
        return self.happen(Answered(Answer(ask=ask.ask, granted=granted, reason=None if granted else "tag_blocked")))


def snapshot() -> Snapshot:
    always = (Window(T0 - timedelta(days=1), T0 + timedelta(days=1)),)
    right = Right(cause="grant:1", windows="always", access_points=(IN,))
    return Snapshot(
        door=FRONT,
        number=1,
        made_at=T0,
        expires_at=T0 + timedelta(days=14),
        window_sets={"always": always},
        tags={tag_hash(KEY, KNOWN): TagRights(rights=(right,))},
    )


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


def test_two_taps_in_one_opening_both_count() -> None:
    """Two granted taps may share one opening, and both are entries."""
    door = Door()
    door.happen(TAP)
    door.happen(TAP, after=1)
    door.happen(ContactMoved(True), after=1)
    assert door.outcomes() == [Outcome.ENTERED, Outcome.ENTERED]


def test_who_does_not_open_has_not_entered() -> None:
    """At the relock a tap that nobody followed is not an entry; without a contact it is assumed."""
    door = Door()
    door.happen(TAP)
    door.happen(TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
    unseen = Door(contact=False)
    unseen.happen(TAP)
    assert unseen.outcomes() == [Outcome.ASSUMED]


def test_an_opening_after_an_exit_request_counts_for_nobody() -> None:
    """Somebody going out does not make an entry of somebody's tap; it is marked doubtful."""
    door = Door()
    door.happen(TAP)
    door.happen(ExitPressed(), after=1)
    door.happen(ContactMoved(True), after=1)
    assert door.outcomes() == [Outcome.DOUBTFUL]


def test_forced_and_held_open_are_said_once() -> None:
    """An opening that nothing unlocked is forced; a leaf open too long is held open, once."""
    door = Door()
    door.happen(ContactMoved(True))
    door.happen(TimePassed(), after=60)
    door.happen(TimePassed(), after=60)
    opened = door.recorded(Opened)[0]
    assert isinstance(opened, Opened)
    assert opened.forced
    assert len(door.recorded(HeldOpen)) == 1
    assert set(door.state.attention) == {"forced_open", "held_open"}
    door.happen(ContactMoved(False))
    assert door.state.attention == ()


def test_a_command_is_obeyed_once_and_only_with_the_latest_nonce() -> None:
    """A replay opens nothing, and neither does a command that names an old nonce."""
    door = Door(link=True)
    command = Open(command="c1", nonce=door.state.nonce)
    door.happen(Commanded(command))
    door.happen(Commanded(command))
    door.happen(Commanded(Open(command="c2", nonce=command.nonce)))
    assert door.pulses == 1
    assert [w.refusal for w in door.recorded(CommandDone) if isinstance(w, CommandDone)] == [None, "stale_nonce"]


def test_what_only_the_door_knows_is_a_veto_over_the_server() -> None:
    """A blocked door refuses although the server granted; the link can only make it ask."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.BLOCKED)))
    door.answer(door.happen(TAP), granted=True)
    assert door.pulses == 0


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


def tapped(door: Door) -> list[Tapped]:
    return [what for what in door.recorded(Tapped) if isinstance(what, Tapped)]


def refusals(door: Door) -> list[str | None]:
    return [what.refusal for what in door.recorded(CommandDone) if isinstance(what, CommandDone)]


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
    assert Show(False) in effects
    assert not any(isinstance(effect, SendAsk | Energise) for effect in effects)


def test_each_reader_admits_only_where_its_access_point_may() -> None:
    """Of two readers at one door, the right for the one says nothing about the other."""
    door = Door()
    door.happen(TagRead(AccessPointId("out"), KNOWN))
    assert (door.pulses, tapped(door)[0].reason) == (0, "no_grant")
    door.happen(TAP)
    assert door.pulses == 1


def test_an_exit_request_alone_moves_no_relay_and_forces_nothing() -> None:
    """The way out is wired past the agent: it hears of it, and the opening after it is not forced."""
    door = Door()
    door.happen(ExitPressed())
    door.happen(ContactMoved(True), after=1)
    assert door.pulses == 0
    assert door.state.attention == ()


def test_a_leaf_that_stands_open_at_the_start_was_not_forced() -> None:
    """After a power cut with the door open nobody is alarmed; left open, it is held open."""
    door = Door(contact=False)
    door.happen(ContactMoved(True))
    assert door.recorded(Opened) == []
    door.happen(TimePassed(), after=60)
    assert door.state.attention == ("held_open",)


def test_a_capture_takes_the_next_tag_and_opens_nothing() -> None:
    """The number goes out once; the tap after it is an ordinary one."""
    door = Door(link=True)
    door.happen(Commanded(capture(door, seconds=60)))
    effects = door.happen(TAP)
    assert [e.number for e in effects if isinstance(e, SendCaptured)] == [KNOWN]
    assert (door.pulses, tapped(door), refusals(door)) == (0, [], [None])
    door.answer(door.happen(TAP, after=1), granted=True)
    assert door.pulses == 1


def test_a_capture_that_nobody_taps_for_ends_and_says_so() -> None:
    """It stands for its time and no longer than a minute, whatever a clock in doubt makes of it; a second replaces it."""
    door = Door(link=True)
    door.happen(Commanded(capture(door, seconds=5, name="c1")))
    door.happen(Commanded(capture(door, seconds=9000, name="c2")), after=1)
    door.happen(TimePassed(), after=60)
    assert refusals(door) == ["replaced", "expired"]
    door.clock = ClockQuality.UNTRUSTED
    door.happen(Commanded(capture(door, seconds=-9000, name="c3")))
    assert door.state.capture is not None
    door.happen(TimePassed(), after=60)
    assert door.state.capture is None


def test_a_tap_just_before_the_door_is_unlocked_does_not_count_hours_later() -> None:
    """Its outcome is known at its own relock, whatever the mode is by then."""
    door = Door(link=True)
    door.answer(door.happen(TAP), granted=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.UNLOCKED)), after=1)
    door.happen(TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]
    door.happen(ContactMoved(True), after=3600)
    assert door.outcomes() == [Outcome.NOT_ENTERED]


def test_mode_unlocked_is_taken_on_again_at_the_start_and_let_go_with_the_mode() -> None:
    """The relay stays on only while the mode says so; a tap then pulses nothing."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.UNLOCKED)))
    assert StayUnlocked(True) in door.happen(Started("1"))
    door.answer(door.happen(TAP), granted=True)
    assert door.pulses == 0
    effects = door.happen(Commanded(SetMode(command="n", nonce=door.state.nonce, mode=DoorMode.LOCKED)))
    assert StayUnlocked(False) in effects


def test_booted_is_the_first_line_of_a_start() -> None:
    """Nothing of this start stands before it, also where the clock is trusted from the first instant."""
    door = Door()
    door.state = State(snapshot=snapshot(), sequence=41)
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


def test_a_reader_that_goes_away_needs_attention_until_it_is_back() -> None:
    """Of two readers both must be there; the word is raised and cleared once."""
    door = Door()
    for point, name in (("in", None), ("out", None), ("in", "Reader 1"), ("out", "Reader 2")):
        door.happen(ReaderMoved(AccessPointId(point), name, "no reader is plugged in"))
    said = [(what.about, what.raised) for what in door.recorded(Attention) if isinstance(what, Attention)]
    assert said == [("reader_away", True), ("reader_away", False)]


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


def test_a_locked_down_door_opens_only_for_those_who_may_pass_it() -> None:
    """The server's or the door's own word may pass a lock-down, a remote opening may not."""
    door = Door(link=True)
    door.happen(Commanded(SetMode(command="m", nonce=door.state.nonce, mode=DoorMode.LOCKED_DOWN)))
    door.answer(door.happen(TAP), granted=True)
    door.happen(Commanded(Open(command="o", nonce=door.state.nonce)))
    assert (door.pulses, refusals(door)) == (0, [None, "door_locked_down"])
    ask = next(effect for effect in door.happen(TAP) if isinstance(effect, SendAsk))
    door.happen(Answered(Answer(ask=ask.ask, granted=True, passes_lock_down=True)))
    assert door.pulses == 1


def test_an_older_snapshot_is_never_taken_on() -> None:
    """A replay of yesterday's rights changes nothing."""
    door = Door()
    older = msgspec.structs.replace(snapshot(), number=0, tags={})
    assert [type(effect) for effect in door.happen(SnapshotTaken(older, "d0"))] == [Count]
    assert door.state.snapshot.number == 1


def capture(door: Door, *, seconds: float, name: str = "c1") -> Capture:
    until = T0 + timedelta(seconds=door.seconds + seconds)
    return Capture(command=name, nonce=door.state.nonce, until=until)
