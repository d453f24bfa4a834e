# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the index in memory follow every rights change, and only hand a door a new snapshot where its rights are others?"""

from __future__ import annotations

from datetime import timedelta

import pytest

from access_contract.vocabulary import DoorId
from booking_server.access import service as access
from booking_server.access.snapshots import for_door
from booking_server.doors import service as doors
from booking_server.doors.index import Index
from booking_server.doors.notice import notice_of
from tests.booking_server.hub import ADMINISTRATOR, NOW, TAG, Hub

LOBBY, ROOM = DoorId("lobby"), DoorId("room")


@pytest.fixture
def index(hub: Hub) -> Index:
    """An index that knows a tag with access to the room."""
    hub.desk.tag(hub.aino, TAG)
    hub.desk.grant(hub.aino, hub.room, from_day=NOW.date())
    index = Index(hub.desk.database, hub.desk.keys.vault)
    assert sorted(index.refresh(NOW)) == [LOBBY, ROOM]
    return index


def test_a_change_that_leaves_a_doors_rights_alone_leaves_its_snapshot_alone(hub: Hub, index: Index) -> None:
    """Number and digest stay, while the index knows of the change; nothing happened is nothing read."""
    before, known = index.snapshot(ROOM), index.known
    assert index.refresh(NOW) == []
    assert index.known is known
    hub.desk.door("shed", "Shed", leads_into=hub.site)
    assert index.refresh(NOW) == ["shed"]
    assert index.known.number > known.number
    assert index.snapshot(ROOM) == before


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_change_that_is_committed_after_a_higher_one_is_not_missed(hub: Hub, index: Index) -> None:
    """Two transactions may take numbers in one order and commit in the other; on SQLite only one writes at a time."""
    with hub.desk.database.write() as tx:
        access.withdraw_access(tx, ADMINISTRATOR, now=NOW, grant_id=1)
        lower = access.latest_change(tx)
        hub.desk.grant(hub.ville, hub.room, from_day=NOW.date())
        assert index.refresh(NOW) == []
        assert index.known.number > lower
    assert sorted(index.refresh(NOW)) == [LOBBY, ROOM]
    assert for_door(index.known.rights[ROOM]).tags == {}


def test_a_door_out_of_use_is_to_hold_a_snapshot_that_admits_nobody(hub: Hub, index: Index) -> None:
    """It is not merely left alone with what it held."""
    before = index.snapshot(ROOM)
    with hub.desk.database.write() as tx:
        doors.retire_door(tx, ADMINISTRATOR, now=NOW, door_id=ROOM)
    assert index.refresh(NOW) == [ROOM]
    after = index.snapshot(ROOM)
    assert before is not None
    assert after is not None
    assert after.number > before.number
    assert index.known.rights[ROOM].tags == {}


def test_a_new_day_renews_every_snapshot(index: Index) -> None:
    """So that a door which stays online never comes near its expiry."""
    assert index.refresh(NOW + timedelta(hours=11)) == []
    assert sorted(index.refresh(NOW + timedelta(hours=12))) == [LOBBY, ROOM]


def test_the_same_rights_under_a_doors_own_number_are_current(hub: Hub, index: Index) -> None:
    """A server that starts anew finds that a door holds the right snapshot under the number of an earlier change."""
    earlier = index.snapshot(ROOM)
    assert earlier is not None
    hub.desk.door("shed", "Shed", leads_into=hub.site)
    anew = Index(hub.desk.database, hub.desk.keys.vault)
    anew.refresh(NOW)
    assert anew.snapshot(ROOM) != earlier
    assert not anew.is_current(ROOM, earlier.number, "0" * 64)
    assert anew.is_current(ROOM, earlier.number, earlier.digest)
    assert anew.snapshot(ROOM) == earlier


def test_what_others_commit_is_noticed_at_once_and_what_they_only_read_is_not(hub: Hub) -> None:
    """The next look after a commit says so, on either engine."""
    notice = notice_of(hub.desk.database)
    try:
        with hub.desk.database.read() as tx:
            access.latest_change(tx)
        assert not notice.wait()
        hub.desk.grant(hub.aino, hub.room, from_day=NOW.date())
        assert notice.wait()
        assert not notice.wait()
    finally:
        notice.close()
