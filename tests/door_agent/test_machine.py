# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the machine open once for one granted tap, and never because of the link, a late word or a replay?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from access_contract.entries import Outcome
from access_contract.messages import Answer, CommandDone, HeldOpen, Open, Opened, Passed, SetMode, Tapped
from access_contract.snapshot import Right, Snapshot, TagRights, Window
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, TagNumber, tag_hash
from door_agent.happenings import (
    Answered,
    Commanded,
    ContactMoved,
    Effect,
    Energise,
    ExitPressed,
    Happening,
    JournalReported,
    LinkChanged,
    Record,
    SendAsk,
    SnapshotTaken,
    Stamp,
    TagRead,
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
        stamp = Stamp(now=now, monotonic=self.seconds, clock=ClockQuality.SYNCED, fresh=f"f{self.count}")
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
