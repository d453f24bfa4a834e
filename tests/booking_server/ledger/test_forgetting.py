# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 7: does a door's log forget names after its days, while what was counted and what proves it stay?"""

from datetime import timedelta

from sqlalchemy import select

from access_contract.messages import RefusedAgain, Tapped
from access_contract.vocabulary import TagHash
from booking_server.doors import service as doors
from booking_server.ledger.forgetting import forget_old_taps
from booking_server.ledger.tables import entries, entry_people, event_bytes, events, forks, taps
from tests.booking_server.hub import HOST, NOW, Hub
from tests.booking_server.ledger.test_ingest import IN, Room, room, written

__all__ = ["room"]


def test_names_go_after_the_doors_days_and_the_count_stays(room: Room) -> None:
    """A day before they are due names stand; a day after, tap and bytes tell nobody, and entry, hash and bill link stand."""
    hub, database = room.hub, room.hub.desk.database
    with database.write() as tx:
        doors.change_log(tx, HOST, now=NOW, door_id="room", log_named="priced", log_reason="", log_days=30)
    room.send(*room.story())
    with database.write() as tx:
        assert forget_old_taps(tx, now=NOW + timedelta(days=29)) == 0
        assert set(tx.execute(select(taps.c.person_id)).scalars()) == {hub.aino}
        assert forget_old_taps(tx, now=NOW + timedelta(days=31)) == 2
        assert forget_old_taps(tx, now=NOW + timedelta(days=31)) == 0
        assert {tuple(row) for row in tx.execute(select(taps.c.person_id, taps.c.keytag_id))} == {(None, None)}
        kept = tx.execute(select(event_bytes.c.event_id)).scalars().all()
        tapped = tx.execute(select(taps.c.event_id)).scalars().all()
        assert not set(kept) & set(tapped)
        assert len(tx.execute(select(events.c.hash)).all()) == 5
        assert len(tx.execute(select(entries.c.event_hash)).all()) == 2
        assert set(tx.execute(select(entry_people.c.person_id)).scalars()) == {hub.aino}
    room.send(*room.story())
    with database.read() as tx:
        assert len(tx.execute(select(entries.c.id)).all()) == 2


def test_what_repeated_a_tap_names_the_tag_no_longer_than_the_tap(room: Room) -> None:
    """The bytes of a counted refusal carry the tag as the door names it: they go with the door's days."""
    again = RefusedAgain(tap=1, access_point=IN, tag=room.tag, reason="no_grant", times=4, first_at=NOW, last_at=NOW)
    room.send(written(2, again, 0))
    with room.hub.desk.database.write() as tx:
        forget_old_taps(tx, now=NOW + timedelta(days=800))
        kept = tx.execute(select(event_bytes.c.content)).scalars().all()
    assert not any(room.tag.encode() in content for content in kept)


def test_another_doors_days_are_its_own(room: Room) -> None:
    """Only the taps of the door whose days are over are forgotten."""
    hub: Hub = room.hub
    with hub.desk.database.write() as tx:
        doors.change_log(tx, HOST, now=NOW, door_id="lobby", log_named="never", log_reason="", log_days=1)
    room.send(*room.story())
    with hub.desk.database.write() as tx:
        assert forget_old_taps(tx, now=NOW + timedelta(days=31)) == 0


def test_a_tap_whose_time_and_outcome_are_still_to_come_is_not_forgotten_before(room: Room) -> None:
    """Tapped before the clock was set, so dated long ago: once both are known it is Aino's entry of today."""
    hub, (tapped, passed, synced, *_) = room.hub, room.story()
    with hub.desk.database.write() as tx:
        doors.change_log(tx, HOST, now=NOW, door_id="room", log_named="priced", log_reason="", log_days=30)
    for event in (tapped, passed, synced):
        room.send(event)
        with hub.desk.database.write() as tx:
            forget_old_taps(tx, now=NOW + timedelta(days=1))
    with hub.desk.database.read() as tx:
        assert tx.execute(select(entry_people.c.person_id, entry_people.c.at)).all() == [(hub.aino, NOW)]


def test_a_tap_that_nobody_can_date_is_forgotten_all_the_same(room: Room) -> None:
    """Once the server has had it for the door's days, and its bytes and a fork's with it; of an unknown tag, too."""
    hub, stranger = room.hub, Tapped(access_point=IN, tag=TagHash("0" * 64), granted=False)
    with hub.desk.database.write() as tx:
        doors.change_log(tx, HOST, now=NOW, door_id="room", log_named="priced", log_reason="", log_days=30)
    room.send(room.story()[0], written(2, stranger, 5))
    room.send(written(2, stranger, 6))
    with hub.desk.database.write() as tx:
        assert forget_old_taps(tx, now=NOW + timedelta(days=31)) == 1
        assert tx.execute(select(event_bytes.c.event_id)).all() == []
        assert tx.execute(select(forks.c.content)).scalars().all() == [b""]
