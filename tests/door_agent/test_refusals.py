# SPDX-License-Identifier: AGPL-3.0-or-later
"""Are refusals that repeat each other counted instead of filling the journal, and is none of them lost?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from access_contract.messages import RefusedAgain
from access_contract.vocabulary import TagNumber
from door_agent.happenings import Ending, JournalReported, LinkChanged, Show, TagRead, TagUnreadable, TimePassed
from door_agent.machine import next_due
from door_agent.refusals import RUNS_MAX
from tests.door_agent.machine_door import IN, TAP, Door, tapped

STRANGER = TagRead(IN, TagNumber.parse("04AABBCCDDEE80"))


def again(door: Door) -> list[RefusedAgain]:
    return [what for what in door.recorded(RefusedAgain) if isinstance(what, RefusedAgain)]


def stranger(number: int) -> TagRead:
    return TagRead(IN, TagNumber(b"\x04" + number.to_bytes(6, "big")))


def refused(door: Door) -> int:
    """How many refusals the journal tells of."""
    return sum(not tap.granted for tap in tapped(door)) + sum(what.times for what in again(door))


def test_a_tag_held_again_and_again_is_two_events() -> None:
    """Its first refusal at once, the others with how many and when once a minute has passed without; each is shown."""
    door = Door()
    shown = [door.happen(STRANGER, after=1) for _ in range(50)]
    assert [Show(False, IN) in effects for effects in shown] == [True] * 50
    assert len(tapped(door)) == 1
    assert again(door) == []
    door.happen(TimePassed(), after=59.9)
    assert again(door) == []
    door.happen(TimePassed(), after=0.1)
    [counted] = again(door)
    assert (counted.times, counted.reason, counted.tag) == (49, "tag_unknown", tapped(door)[0].tag)
    assert (counted.last_at - counted.first_at).total_seconds() == 48
    assert door.state.runs == ()


def test_the_count_names_the_tap_that_it_repeats() -> None:
    """The server adds it to that tap: the sequence is that of the first refusal."""
    door = Door()
    door.happen(TAP)
    sequence = door.state.sequence
    for _ in range(3):
        door.happen(STRANGER)
    door.happen(Ending())
    assert again(door)[0].tap == sequence + 1


def test_another_reason_ends_the_run() -> None:
    """A tag that is refused for something else has an event of its own again, after the count of before."""
    door = Door(link=True)
    for _ in range(3):
        door.answer(door.happen(STRANGER), granted=False)
    door.happen(LinkChanged(False))  # alone it does not know the tag; the server knew it as blocked
    door.happen(STRANGER)
    assert [tap.reason for tap in tapped(door)] == ["tag_blocked", "tag_unknown"]
    assert [what.times for what in again(door)] == [2]


def test_a_granted_tap_is_always_its_own_event_and_ends_the_run() -> None:
    """However often a tag is admitted, each tap is written before the relay moves."""
    door = Door(link=True)
    for granted in (False, False, True, True, False):
        door.answer(door.happen(TAP), granted=granted)
    assert [tap.granted for tap in tapped(door)] == [False, True, True, False]
    assert [what.times for what in again(door)] == [1]
    assert door.pulses == 2


def test_a_tag_without_a_number_is_counted_too() -> None:
    """One that lies badly and is read a hundred times does not fill the card."""
    door = Door()
    for _ in range(100):
        door.happen(TagUnreadable(IN), after=0.5)
    door.happen(Ending())
    assert (len(tapped(door)), [what.times for what in again(door)]) == (1, [99])


def test_what_goes_on_is_written_every_ten_minutes() -> None:
    """A power cut takes back at most ten minutes of counting."""
    door = Door()
    for _ in range(3600):
        door.happen(STRANGER, after=1)
    door.happen(Ending())
    assert len(again(door)) == 6
    assert refused(door) == 3600


def test_random_numbers_do_not_fill_the_card() -> None:
    """Ten minutes of ten new numbers a second is some dozens of events; nothing grows; and the count is whole."""
    door = Door()
    for number in range(6_000):
        door.happen(stranger(number), after=0.1)
        assert len(door.state.runs) <= RUNS_MAX + 1
    door.happen(Ending())
    assert len(tapped(door)) + len(again(door)) < 50
    assert refused(door) == 6_000
    assert again(door)[-1].tag is None


def test_a_known_tag_among_random_numbers_keeps_its_own_event() -> None:
    """Hammering hides no member who is refused at the same time."""
    door = Door(link=True)
    for number in range(200):
        door.answer(door.happen(stranger(number), after=0.1), granted=False)
    taps = len(tapped(door))
    door.answer(door.happen(TAP), granted=False)
    assert tapped(door)[taps].reason == "tag_blocked"


def test_a_first_refusal_that_was_not_recorded_is_not_counted_on() -> None:
    """Where the journal could not keep the first one, nothing points to it: the next is an event again."""
    door = Door()
    before = door.state.sequence
    door.happen(STRANGER)
    door.happen(JournalReported("full", before))
    assert door.state.runs == ()
    door.happen(STRANGER)
    assert len(tapped(door)) == 2


def test_a_run_wants_to_be_looked_at_when_it_ends() -> None:
    """The loop wakes for it, and not before."""
    door = Door()
    door.happen(STRANGER)
    assert next_due(door.state) == door.seconds + 60


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([TAP, *map(stranger, range(50)), TagUnreadable(IN)]), st.sampled_from([0.1, 5, 61, 700])),
        max_size=300,
    )
)
def test_every_refusal_is_told_of_once(happened: list[tuple[TagRead | TagUnreadable, float]]) -> None:
    """Whoever taps when: what stands in the journal at the end, counted or on its own, is every refusal, and no more."""
    door = Door()
    for what, after in happened:
        door.happen(what, after=after)
    door.happen(Ending())
    assert refused(door) == sum(what is not TAP for what, _ in happened)
    assert sum(tap.granted for tap in tapped(door)) == sum(what is TAP for what, _ in happened)
