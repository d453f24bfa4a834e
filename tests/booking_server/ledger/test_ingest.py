# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 1: does every event count exactly once, whatever order it comes in, and for whoever held the tag then?"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import select, update

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, Acknowledgement, ClockSynced, Event, Passed, RefusedAgain, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorMode, TagHash, tag_hash
from booking_server.bookings.tables import bookings
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.ledger import service as ledger
from booking_server.ledger.ingest import ingest, wanted
from booking_server.ledger.tables import counters, entries, events, taps
from booking_server.places import service as places
from booking_server.tags import service as tags
from tests.booking_server.hub import HOST, NOW, TAG, Hub

IN = AccessPointId("in")
MINUTE = timedelta(minutes=1)
ORDERS = [*itertools.permutations(range(5))]


@dataclass(frozen=True, slots=True)
class Room:
    """The door of the hub's room, and how it names Aino's keytag."""

    hub: Hub
    keytag: int
    tag: TagHash

    def send(self, *contents: bytes) -> list[Acknowledgement]:
        """Take in one message of the door, and return what it is told after the commit."""
        with self.hub.desk.database.write() as tx:
            return ingest(tx, HubLookups(), now=NOW, door_id="room", contents=contents)

    def tap(self) -> Tapped:
        return Tapped(access_point=IN, tag=self.tag, granted=True)

    def story(self) -> list[bytes]:
        """Two taps a minute apart, the first before the clock was set, and what became of each."""
        return [
            written(1, self.tap(), 0, ClockQuality.UNTRUSTED),
            written(2, Passed(tap=1, outcome=Outcome.ENTERED), 1, ClockQuality.UNTRUSTED),
            written(3, ClockSynced(), 2),
            written(4, self.tap(), 60),
            written(5, Passed(tap=4, outcome=Outcome.ASSUMED), 61),
        ]

    def check_story(self) -> None:
        """Two taps of Aino, two entries of one visit: the later merged into the earlier."""
        with self.hub.desk.database.read() as tx:
            tapped = tx.execute(select(taps.c.at, taps.c.outcome, taps.c.person_id).order_by(taps.c.at)).all()
            merging = select(entries.c.id, entries.c.merged_into, entries.c.space_id)
            made = tx.execute(merging.join(taps, taps.c.event_id == entries.c.tap_event_id).order_by(taps.c.at)).all()
        aino, room = self.hub.aino, self.hub.room
        assert [tuple(row) for row in tapped] == [(NOW, "entered", aino), (NOW + MINUTE, "assumed", aino)]
        assert [(row.merged_into, row.space_id) for row in made] == [(None, room), (made[0].id, room)]


@pytest.fixture
def room(hub: Hub) -> Room:
    keytag = hub.desk.tag(hub.aino, TAG)
    with hub.desk.database.read() as tx:
        return Room(hub, keytag, tag_hash(doors.tag_key(tx, hub.desk.keys.vault, "room"), TAG))


def written(sequence: int, what: What, seconds: int, clock: ClockQuality = ClockQuality.SYNCED) -> bytes:
    return msgspec.json.encode(
        Event(
            journal="j",
            sequence=sequence,
            boot="b",
            at=NOW + timedelta(seconds=seconds, days=0 if clock is ClockQuality.SYNCED else -300),
            monotonic_ms=seconds * 1000,
            clock=clock,
            previous=FIRST_PREVIOUS,
            what=what,
        )
    )


@pytest.mark.parametrize("order", ORDERS[::8])
def test_order_of_arrival_and_replay_change_nothing(room: Room, order: Sequence[int]) -> None:
    """Each event in a message of its own, in any order, all of them twice: the same two taps and entries."""
    for number in [*order, *order]:
        said = room.send(room.story()[number])
    room.check_story()
    assert (said[0].up_to, said[0].missing, said[0].forked) == (5, [], False)


@pytest.mark.parametrize("order", ORDERS[::24])
def test_one_message_or_many_come_to_the_same(room: Room, order: Sequence[int]) -> None:
    """All events in one message, in any order and each of them twice."""
    said = room.send(*(room.story()[number] for number in [*order, *order]))
    room.check_story()
    assert (said[0].up_to, said[0].missing, said[0].forked) == (5, [], False)


@pytest.mark.parametrize("order", ORDERS[::17])
@pytest.mark.parametrize("together", [False, True])
def test_what_repeats_a_refused_tap_is_added_to_it_once(room: Room, order: Sequence[int], together: bool) -> None:  # noqa: FBT001
    """A refusal and its repetitions, in whatever order, each sent twice, are one tap with their sum; a granted tap has none."""
    refused = msgspec.structs.replace(room.tap(), granted=False, reason="no_grant")
    again = [
        RefusedAgain(tap=1, access_point=IN, tag=room.tag, reason="no_grant", times=times, first_at=NOW, last_at=NOW)
        for times in (4, 2**31 - 1)
    ]
    other = msgspec.structs.replace(again[0], tap=4)
    happened: list[What] = [refused, again[0], again[1], room.tap(), other]
    story = [written(n, what, n) for n, what in enumerate(happened, 1)]
    sent = [story[position] for position in order]
    for message in [sent, sent] if together else [[content] for content in (*sent, *sent)]:
        room.send(*message)
    with room.hub.desk.database.read() as tx:
        told = ledger.recent_taps(tx, HOST)
        assert [(tap.granted, tap.again) for tap in told] == [(True, 0), (False, 10**9)]
        assert ledger.newest_entry(tx) == 0


def test_a_door_is_asked_for_exactly_what_it_did_not_send(room: Room) -> None:
    """Of what a door tells of, what is not here, by number; not more than it may send at once; nothing of a stranger's."""
    room.send(*(written(n, room.tap(), n) for n in (1, 2, 5)))
    with room.hub.desk.database.write() as tx:
        assert wanted(tx, door_id="room", journal="j", last=7) == Acknowledgement(journal="j", up_to=2, missing=[3, 4, 6, 7])
        assert wanted(tx, door_id="room", journal="j", last=2) is None
        assert wanted(tx, door_id="other", journal="j", last=7) is None
        asked = wanted(tx, door_id="room", journal="new", last=1_000_000)
    assert asked is not None
    assert (asked.up_to, asked.missing) == (0, [*range(1, 101)])
    assert len(msgspec.json.encode(asked)) < 1000


def test_another_event_under_a_known_number_is_a_fork(room: Room) -> None:
    """A door that says something else under the same number is told so, and what was stored first stands."""
    room.send(room.story()[3])
    said = room.send(written(4, room.tap(), 99))
    with room.hub.desk.database.read() as tx:
        assert tx.execute(select(taps.c.at)).scalars().all() == [NOW + MINUTE]
    assert said[0].forked
    assert said[0].missing == [1, 2, 3]


def test_a_tap_belongs_to_whoever_held_the_tag_at_its_instant(room: Room) -> None:
    """Handed from Aino to Ville in between: what comes in late is still hers, and what nobody held is nobody's."""
    hub, vault = room.hub, room.hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        tags.take_back_tag(tx, HOST, now=NOW + MINUTE, keytag_id=room.keytag)
        tags.hand_out_tag(tx, HOST, now=NOW + 2 * MINUTE, vault=vault, number=TAG, person_id=hub.ville)
    room.send(*(written(number, room.tap(), at) for number, at in ((1, 0), (2, 59), (3, 60), (4, 120))))
    with hub.desk.database.read() as tx:
        held = tx.execute(select(events.c.sequence, taps.c.person_id).join(events).order_by(events.c.sequence)).all()
    assert [row.person_id for row in held] == [hub.aino, hub.aino, None, hub.ville]


def test_rubbish_is_counted_and_never_fatal(room: Room) -> None:
    """What cannot be read stores nothing and acknowledges nothing; what came with it is stored all the same."""
    assert room.send(b"{", b"\xff", b'{"sequence": 1}') == []
    assert room.send(b"{", room.story()[0])[0].up_to == 1
    with room.hub.desk.database.read() as tx:
        assert tx.execute(select(counters.c.name, counters.c.count)).all() == [("malformed_event", 4)]
        assert len(tx.execute(select(events.c.id)).all()) == 1


def test_a_number_that_no_column_holds_is_counted_and_never_fatal(room: Room) -> None:
    """What became of a tap with an endless number is kept and means nothing; the door is told that it is stored."""
    endless = written(1, Passed(tap=1, outcome=Outcome.ENTERED), 0).replace(b'"tap":1', b'"tap":9223372036854775808')
    assert room.send(endless)[0].up_to == 1
    assert room.send(written(1, room.tap(), 0).replace(b'"sequence":1', b'"sequence":2147483648')) == []
    with room.hub.desk.database.read() as tx:
        assert set(tx.execute(select(counters.c.name)).scalars()) == {"unknown_event", "malformed_event"}


def test_a_door_alone_is_told_better_by_the_hub(room: Room) -> None:
    """A tag that the door did not know is listed as what the hub knows of it: not granted, or blocked from then on."""
    alone = Tapped(access_point=IN, tag=room.tag, granted=False, reason="tag_unknown")
    room.send(written(1, alone, 0))
    with room.hub.desk.database.write() as tx:
        tags.block_tag(tx, HOST, now=NOW + timedelta(seconds=30), keytag_id=room.keytag, reason="lost")
    room.send(written(2, alone, 60))
    assert [tap.reason for tap in room.hub.desk.taps()] == ["tag_blocked", "no_grant"]


def test_a_clock_that_nobody_trusts_completes_no_month(room: Room) -> None:
    """Events dated far ahead by a clock that was never set say nothing of how far the door's word is complete."""
    ahead = written(2, room.tap(), 0, ClockQuality.UNTRUSTED).replace(b'"at":"20', b'"at":"21')
    room.send(written(1, room.tap(), 0))
    for _ in range(2):
        room.send(ahead)
        with room.hub.desk.database.read() as tx:
            assert ledger.doors_complete(tx, NOW + timedelta(days=1))["room"] == NOW
    room.send(written(3, room.tap(), 60))
    with room.hub.desk.database.read() as tx:
        assert ledger.doors_complete(tx, NOW + timedelta(days=1))["room"] == NOW + MINUTE


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_a_clock_set_twice_in_one_start_dates_each_tap_by_the_first_setting_after_it(room: Room, order: Sequence[int]) -> None:
    """Whatever order they arrive in: the second setting, a minute off the first, moves nothing."""
    later = written(3, ClockSynced(), 20).replace(b'"monotonic_ms":20000', b'"monotonic_ms":80000')
    told = [written(1, room.tap(), 0, ClockQuality.UNTRUSTED), written(2, ClockSynced(), 10), later]
    for number in order:
        room.send(told[number])
    with room.hub.desk.database.read() as tx:
        assert tx.execute(select(taps.c.at)).scalar() == NOW


def test_an_entry_belongs_to_the_booking_of_that_space_only(room: Room) -> None:
    """A booking opens the way to its space, too: what was entered on the way is not paid by it."""
    hub = room.hub
    inner = hub.desk.space(hub.room, "Cabinet", "showroom", bookable=True)
    other, own = (hub.desk.book(space, hub.aino, NOW, NOW + timedelta(hours=1)) for space in (inner, hub.room))
    for number, booking in ((1, other), (3, own)):
        tapped = msgspec.structs.replace(room.tap(), cause=f"booking:{booking}")
        room.send(written(number, tapped, number * 300), written(number + 1, Passed(tap=number, outcome=Outcome.ENTERED), 1))
    with hub.desk.database.read() as tx:
        assert tx.execute(select(entries.c.booking_id).order_by(entries.c.id)).scalars().all() == [None, own]


def test_an_entry_does_not_belong_to_a_booking_that_was_made_long_after(room: Room) -> None:
    """In a hub that was put back another booking has that number now; the door still tells of the one before."""
    own = room.hub.desk.book(room.hub.room, room.hub.aino, NOW + 200 * MINUTE, NOW + 260 * MINUTE)
    with room.hub.desk.database.write() as tx:
        tx.execute(update(bookings).values(booked_at=NOW + 120 * MINUTE))
    tapped = msgspec.structs.replace(room.tap(), cause=f"booking:{own}")
    for number, seconds in ((1, 0), (3, 200 * 60)):
        passed = Passed(tap=number, outcome=Outcome.ENTERED)
        room.send(written(number, tapped, seconds), written(number + 1, passed, seconds + 1))
    with room.hub.desk.database.read() as tx:
        assert tx.execute(select(entries.c.booking_id).order_by(entries.c.id)).scalars().all() == [None, own]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("counts", [True, False])
def test_at_a_door_that_stands_unlocked_the_spaces_setting_says_what_is_an_entry(
    room: Room, order: Sequence[int], *, counts: bool
) -> None:
    """As staff ticked it on the space's page, whatever the door was told when it was set up."""
    hub = room.hub
    with hub.desk.database.write() as tx:
        what = {"name": "Big room", "kind": "showroom", "capacity": 1, "bookable": True, "tap_is_entry_when_unlocked": counts}
        places.change_space(tx, HOST, now=NOW, area_id=hub.room, **what)  # type: ignore[arg-type]
    door_says = Outcome.NOT_ENTERED if counts else Outcome.ASSUMED
    tapped = msgspec.structs.replace(room.tap(), mode=DoorMode.UNLOCKED)
    told = [written(1, tapped, 0), written(2, Passed(tap=1, outcome=door_says), 1)]
    for number in order:
        room.send(told[number])
    with hub.desk.database.read() as tx:
        assert len(tx.execute(select(entries.c.id)).all()) == int(counts)
        assert tx.execute(select(taps.c.outcome)).scalar() == ("assumed" if counts else "not_entered")
