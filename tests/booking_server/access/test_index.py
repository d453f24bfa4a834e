# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what staff granted and members booked to what a door decides: does it open for the right tag, there and then only?"""

from datetime import UTC, datetime, time, timedelta

import pytest

from access_contract.decide import decide
from access_contract.vocabulary import AccessPointId, DoorId, Moment, Reason, TagNumber, tag_hash
from booking_server.access import service as access
from booking_server.access.door_rights import DoorRights
from booking_server.access.index import build
from booking_server.access.snapshots import for_door
from booking_server.bookings import service as bookings
from booking_server.doors import adding
from booking_server.doors import service as doors
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags
from tests.booking_server.hub import HOST, NOW, OTHER_TAG, TAG, Hub

HOUR, INSTANT = timedelta(hours=1), timedelta(microseconds=1)
TODAY = NOW.date()
LOBBY, ROOM = "lobby", "room"


@pytest.fixture
def keytag(hub: Hub) -> int:
    """Aino's keytag."""
    return hub.desk.tag(hub.aino, TAG)


def _index(hub: Hub, now: datetime = NOW) -> dict[DoorId, DoorRights]:
    with hub.desk.database.read() as tx:
        return build(tx, now=now)


def _says(hub: Hub, door: str, at: datetime = NOW, *, number: TagNumber = TAG, point: str = "in") -> Reason | str | None:
    """What a door decides alone, "granted" or the reason, from a snapshot made at NOW."""
    with hub.desk.database.read() as tx:
        name = tag_hash(doors.tag_key(tx, hub.desk.keys.vault, door), number)
    moment = Moment(now=at, access_point=AccessPointId(point))
    said = decide(for_door(_index(hub)[DoorId(door)]), None, name, moment)
    return "granted" if said.granted else said.reason


def test_nobody_enters_without_a_grant(hub: Hub, keytag: int) -> None:
    """A tag alone opens nothing."""
    assert (_says(hub, LOBBY), _says(hub, ROOM)) == (Reason.TAG_UNKNOWN, Reason.TAG_UNKNOWN)


def test_a_grant_opens_every_door_on_the_way_and_no_other(hub: Hub, keytag: int) -> None:
    """To the room: through the lobby, into the room, not into the room beside it; and for that person only."""
    beside = hub.desk.space(hub.site, "Beside", "office")
    hub.desk.door("beside", "Beside", leads_into=beside)
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    assert [_says(hub, door) for door in (LOBBY, ROOM, "beside")] == ["granted", "granted", Reason.TAG_UNKNOWN]
    assert _says(hub, ROOM, number=OTHER_TAG) == Reason.TAG_UNKNOWN


def test_a_grant_to_the_site_opens_all_below_it(hub: Hub, keytag: int) -> None:
    """Every door of the site, none of another site."""
    other = hub.desk.site("Other")
    hub.desk.door("other", "Other", leads_into=other)
    hub.desk.grant(hub.aino, hub.site, from_day=TODAY)
    assert [_says(hub, door) for door in (LOBBY, ROOM, "other")] == ["granted", "granted", Reason.TAG_UNKNOWN]


def test_the_way_out_is_open_to_whoever_may_be_inside(hub: Hub, keytag: int) -> None:
    """A reader on the inside, leading outside, admits the same tag."""
    with hub.desk.database.write() as tx:
        site = places.sites(tx)[0].id
        where = {"door_id": "gate", "site_id": site, "name": "Gate", "to_area_id": hub.site, "way_out_reader": True}
        adding.add_door(tx, HOST, now=NOW, vault=hub.desk.keys.vault, **where)  # type: ignore[arg-type]
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    assert [_says(hub, "gate", point=point) for point in ("in", "out")] == ["granted", "granted"]


def test_withdrawing_closes(hub: Hub, keytag: int) -> None:
    """The next index no longer knows the tag."""
    grant = hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    assert _says(hub, ROOM) == "granted"
    with hub.desk.database.write() as tx:
        access.withdraw_access(tx, HOST, now=NOW, grant_id=grant)
    assert _says(hub, ROOM) == Reason.TAG_UNKNOWN


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (datetime(2026, 11, 25, 6, 0, tzinfo=UTC) - INSTANT, Reason.OUTSIDE_HOURS),
        (datetime(2026, 11, 25, 6, 0, tzinfo=UTC), "granted"),
        (datetime(2026, 11, 25, 14, 30, tzinfo=UTC) - INSTANT, "granted"),
        (datetime(2026, 11, 25, 14, 30, tzinfo=UTC), Reason.OUTSIDE_HOURS),
        (datetime(2026, 11, 26, 10, 0, tzinfo=UTC), "granted"),
        (datetime(2026, 11, 27, 10, 0, tzinfo=UTC), Reason.OUTSIDE_HOURS),
        (datetime(2026, 12, 2, 10, 0, tzinfo=UTC), "granted"),
        (datetime(2026, 12, 3, 10, 0, tzinfo=UTC), Reason.OUTSIDE_HOURS),
    ],
)
def test_hours_are_those_of_the_sites_clock(hub: Hub, keytag: int, at: datetime, said: str) -> None:
    """Wednesdays and Thursdays 8 to 16:30 in Helsinki, until Wednesday 2 December: to the instant, and on no other day."""
    with hub.desk.database.write() as tx:
        access.grant_access(
            tx,
            HOST,
            now=NOW,
            person_id=hub.aino,
            area_id=hub.room,
            from_day=TODAY,
            until_day=datetime(2026, 12, 2, tzinfo=UTC).date(),
            weekdays=0b0001100,
            from_time=time(8),
            until_time=time(16, 30),
        )
    assert _says(hub, ROOM, at) == said


def test_a_grant_begins_at_midnight_of_its_first_day(hub: Hub, keytag: int) -> None:
    """Of the site's day: 22:00 UTC the evening before, in Helsinki's winter; one for next year is not even known."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY + timedelta(days=1))
    midnight = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)
    assert [_says(hub, ROOM, at) for at in (midnight - INSTANT, midnight)] == [Reason.OUTSIDE_HOURS, "granted"]
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.grant(hub.ville, hub.room, from_day=TODAY + timedelta(days=365))
    assert _says(hub, ROOM, number=OTHER_TAG) == Reason.TAG_UNKNOWN


def test_a_night_that_began_yesterday_is_still_open(hub: Hub, keytag: int) -> None:
    """From 22 to 6, granted for yesterday only: in the early morning of today the door still opens, until 6."""
    with hub.desk.database.write() as tx:
        yesterday = TODAY - timedelta(days=1)
        access.grant_access(
            tx,
            HOST,
            now=NOW,
            person_id=hub.aino,
            area_id=hub.room,
            from_day=yesterday,
            until_day=yesterday,
            from_time=time(22),
            until_time=time(6),
        )
    assert _says(hub, ROOM, datetime(2026, 11, 24, 4, 0, tzinfo=UTC) - INSTANT) == "granted"
    assert _says(hub, ROOM, datetime(2026, 11, 24, 4, 0, tzinfo=UTC)) == Reason.OUTSIDE_HOURS


def test_a_booking_opens_the_door_while_it_lasts(hub: Hub, keytag: int) -> None:
    """Without any grant, the lobby too; from its start until just before its end; a cancelled one opens nothing."""
    booked = hub.desk.book(hub.room, hub.aino, NOW + HOUR, NOW + 2 * HOUR)
    for door in (LOBBY, ROOM):
        instants = (NOW + HOUR - INSTANT, NOW + HOUR, NOW + 2 * HOUR - INSTANT, NOW + 2 * HOUR)
        said = [_says(hub, door, at) == "granted" for at in instants]
        assert said == [False, True, True, False]
    with hub.desk.database.write() as tx:
        bookings.cancel_booking(tx, HOST, now=NOW, booking_id=booked)
    assert _says(hub, ROOM, NOW + HOUR) == Reason.TAG_UNKNOWN


def test_a_refused_tag_is_named_by_the_server_and_unknown_to_the_door(hub: Hub, keytag: int) -> None:
    """Blocked, or held by somebody suspended: the index says why, the door's snapshot has no such tag."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, HOST, now=NOW, person_id=hub.aino)
    assert [held.refused for held in _index(hub)[DoorId(ROOM)].tags.values()] == [Reason.MEMBER_SUSPENDED]
    hub.desk.block(keytag)
    assert [held.refused for held in _index(hub)[DoorId(ROOM)].tags.values()] == [Reason.TAG_BLOCKED]
    assert for_door(_index(hub)[DoorId(ROOM)]).tags == {}
    with hub.desk.database.write() as tx:
        people.resume_person(tx, HOST, now=NOW, person_id=hub.aino)
        tags.unblock_tag(tx, HOST, now=NOW, keytag_id=keytag)
    assert _says(hub, ROOM) == "granted"


def test_a_tag_in_the_drawer_opens_nothing_and_with_another_holder_what_is_theirs(hub: Hub, keytag: int) -> None:
    """Rights belong to people: taken back it is unknown, handed to Ville it opens what Ville may open."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    hub.desk.grant(hub.ville, hub.site, from_day=TODAY)
    beside = hub.desk.space(hub.site, "Beside", "office")
    hub.desk.door("beside", "Beside", leads_into=beside)
    with hub.desk.database.write() as tx:
        tags.take_back_tag(tx, HOST, now=NOW, keytag_id=keytag)
    assert _says(hub, ROOM) == Reason.TAG_UNKNOWN
    hub.desk.tag(hub.ville, TAG)
    assert _says(hub, "beside") == "granted"


def test_a_door_out_of_use_admits_nobody(hub: Hub, keytag: int) -> None:
    """It is not merely left with what it held. The others stay as they were."""
    hub.desk.grant(hub.aino, hub.site, from_day=TODAY)
    with hub.desk.database.write() as tx:
        doors.retire_door(tx, HOST, now=NOW, door_id=LOBBY)
    assert _index(hub)[DoorId(LOBBY)].tags == {}
    assert _says(hub, ROOM) == "granted"


def test_a_snapshot_grows_with_every_change_and_every_day_and_is_else_the_same(hub: Hub, keytag: int) -> None:
    """Within a UTC day, the same facts give the same bytes, so a door is sent nothing that it has."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    hub.desk.book(hub.room, hub.aino, NOW + HOUR, NOW + 2 * HOUR)
    before = _index(hub)[DoorId(ROOM)]
    assert _index(hub, NOW + 11 * HOUR)[DoorId(ROOM)] == before
    assert _index(hub, NOW + 12 * HOUR)[DoorId(ROOM)].number > before.number
    hub.desk.grant(hub.ville, hub.room, from_day=TODAY)
    assert _index(hub)[DoorId(ROOM)].number > before.number


def test_a_standing_grant_outlasts_the_snapshot_and_no_other_does(hub: Hub, keytag: int) -> None:
    """After fourteen days without the server the caretaker still enters, the member does not."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    hub.desk.tag(hub.ville, OTHER_TAG)
    hub.desk.grant(hub.ville, hub.room, from_day=TODAY, standing=True)
    late = NOW + timedelta(days=15)
    assert _says(hub, ROOM, late) == Reason.SNAPSHOT_EXPIRED
    assert _says(hub, ROOM, late, number=OTHER_TAG) == "granted"


def test_a_standing_grant_that_has_not_begun_opens_nothing_where_the_clock_is_lost(hub: Hub, keytag: int) -> None:
    """A door that does not know the time believes a standing grant as it is: so it is not told of one before its first day."""
    moment = Moment(now=NOW, access_point=AccessPointId("in"), clock_trusted=False)
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY + timedelta(days=1), standing=True)
    for days, reason in ((0, Reason.CLOCK_UNTRUSTED), (1, None)):
        rights = for_door(_index(hub, NOW + timedelta(days=days))[DoorId(ROOM)])
        assert decide(rights, None, next(iter(rights.tags)), moment).reason == reason
