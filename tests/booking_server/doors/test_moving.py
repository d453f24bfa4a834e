# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can a door be renamed and moved without what it wrote before changing its place?"""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from access_contract.messages import Status
from booking_server.access import changes
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import lock_down, moving
from booking_server.doors import service as doors
from booking_server.doors.lookups import HubLookups
from booking_server.errors import Invalid, NotFound
from booking_server.places import service as places
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, Hub

ONLINE = Status(online=True, at=NOW, boot="b", journal="j", last_sequence=7, acknowledged=7)


def _move(hub: Hub, to: int, **more: str | int | None) -> doors.Door:
    values = {"name": "Shop", "from_area_id": None, **more}
    with hub.desk.database.write() as tx:
        return moving.move_door(tx, HOST, now=NOW, door_id="room", to_area_id=to, **values)  # type: ignore[arg-type]


def _said(hub: Hub, status: Status) -> None:
    with hub.desk.database.write() as tx:
        doors.keep_status(tx, now=NOW, door_id="room", status=status)


def test_a_door_leads_elsewhere_from_now_on(hub: Hub) -> None:
    """To another site too: what is charged at it, and every process that answers, follow; the audit says what it was."""
    other = hub.desk.site("Other")
    shop = hub.desk.space(other, "Shop", "pop-up")
    with hub.desk.database.read() as tx:
        before = changes.latest_change(tx)
    moved = _move(hub, shop, from_area_id=other)
    with hub.desk.database.read() as tx:
        assert (moved.name, moved.site_id) == ("Shop", places.area(tx, shop).site_id)
        (leads,) = doors.access_points(tx, "room")
        assert (leads.from_area_id, leads.to_area_id) == (other, shop)
        assert HubLookups().targets(tx, [("room", "in")])["room", "in"].space_id == shop
        assert [change.door_id for change in changes.changes_after(tx, before)] == ["room"]
        was = audit.of_subject(tx, "door:room")[0]["detail"]
    assert was == {"was": {"name": "Big room", "from_area": None, "to_area": hub.room}, "name": "Shop", "to_area": shop}


@pytest.mark.parametrize("which", ["left", "entered"])
def test_no_door_is_moved_out_of_a_lock_down_or_into_one(hub: Hub, which: str) -> None:
    """A door obeys words by their number, and those of two sites are in no order: it could miss the one that locks it down."""
    other = hub.desk.site("Other")
    shop = hub.desk.space(other, "Shop", "pop-up")
    with hub.desk.database.read() as tx:
        sites = {"left": doors.door(tx, "room").site_id, "entered": places.area(tx, shop).site_id}
    with hub.desk.database.write() as tx:
        lock_down.lock_down(tx, HOST, now=NOW, site_id=sites[which], reason="smoke")
    with pytest.raises(Invalid, match="Lift the lock-down first") as raised:
        _move(hub, shop, from_area_id=other)
    assert raised.value.field == "leads_into"
    with hub.desk.database.write() as tx:
        lock_down.lift(tx, HOST, now=NOW, site_id=sites[which], reason="over")
    assert _move(hub, shop, from_area_id=other).site_id == sites["entered"]


def test_a_new_name_alone_changes_no_rights(hub: Hub) -> None:
    """No door is sent anything for it, and saving the same again is no act."""
    with hub.desk.database.read() as tx:
        before = changes.latest_change(tx)
    assert _move(hub, hub.room).name == "Shop"
    _move(hub, hub.room)
    with hub.desk.database.read() as tx:
        assert changes.latest_change(tx) == before
        assert [row["act"] for row in audit.of_subject(tx, "door:room")] == ["door_moved", "door_added"]


def test_a_door_is_moved_only_once_all_that_it_wrote_is_here(hub: Hub) -> None:
    """While it is offline or still sends, its taps would be charged to the new place; renamed it may be. Stolen, none come."""
    shop = hub.desk.space(hub.site, "Shop", "pop-up")
    _said(hub, replace(ONLINE, acknowledged=6))
    with pytest.raises(Invalid, match="just sending"):
        _move(hub, shop)
    assert _move(hub, hub.room).name == "Shop"
    _said(hub, Status(online=False))
    with pytest.raises(Invalid, match="offline"):
        _move(hub, shop)
    with hub.desk.database.write() as tx:
        doors.set_stolen(tx, "room", NOW)
    _move(hub, shop)


def test_a_door_that_has_sent_all_is_moved(hub: Hub) -> None:
    """Online, with nothing left to deliver."""
    shop = hub.desk.space(hub.site, "Shop", "pop-up")
    _said(hub, ONLINE)
    _move(hub, shop)
    with hub.desk.database.read() as tx:
        assert doors.access_points(tx, "room")[0].to_area_id == shop


def test_what_cannot_be_is_told_at_its_field(hub: Hub) -> None:
    """An area of another site to come from, no name, an area that is not there; and only the desk moves doors."""
    other = hub.desk.site("Other")
    for field, values in (("leads_from", {"to": hub.room, "from_area_id": other}), ("name", {"to": hub.room, "name": " "})):
        with pytest.raises(Invalid) as refused:
            _move(hub, **values)
        assert refused.value.field == field
    with pytest.raises(NotFound):
        _move(hub, 9999)
    with hub.desk.database.write() as tx:
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                moving.move_door(tx, actor, now=NOW, door_id="room", name="Shop", to_area_id=hub.room, from_area_id=None)
        doors.retire_door(tx, HOST, now=NOW, door_id="room")
        with pytest.raises(Invalid, match="out of use"):
            moving.move_door(tx, HOST, now=NOW, door_id="room", name="Shop", to_area_id=hub.room, from_area_id=None)
