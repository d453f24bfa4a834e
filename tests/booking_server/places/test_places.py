# SPDX-License-Identifier: AGPL-3.0-or-later
"""How are sites and spaces made, and what keeps their tree whole?"""

import pytest

from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.places import service as places
from tests.booking_server.hub import BILLING, HOST, NOW
from tests.system.desk import Desk


def test_a_site_is_itself_the_root_of_its_tree(desk: Desk) -> None:
    """Building, floor and space hang below it, each knows its parent, and the site's zone is kept."""
    with desk.database.write() as tx:
        site = places.add_site(tx, HOST, now=NOW, name=" Omnia  hub ", time_zone="Europe/Helsinki")
        house = places.add_area(tx, HOST, now=NOW, parent_id=site.area_id, name="House A", kind="building")
        floor = places.add_area(tx, HOST, now=NOW, parent_id=house.id, name="1", kind="floor")
        made = places.add_space(tx, HOST, now=NOW, parent_id=floor.id, name="Pop-up", kind="pop-up", capacity=4, bookable=True)
    with desk.database.read() as tx:
        assert places.parents(tx) == {site.area_id: None, house.id: site.area_id, floor.id: house.id, made.area_id: floor.id}
        assert places.sites(tx) == [site]
        assert (site.name, site.time_zone) == ("Omnia hub", "Europe/Helsinki")
        assert [area.kind for area in places.areas(tx, site.id)] == ["site", "building", "floor", "space"]
        assert places.spaces(tx) == [made]
        assert (made.site_id, made.parent_id, made.capacity, made.bookable) == (site.id, floor.id, 4, True)


def test_a_name_is_free_only_where_nobody_has_it(desk: Desk) -> None:
    """Twice under one parent is refused, under another it is fine; two sites never share a name."""
    site, other = desk.site("Omnia"), desk.site("Other")
    desk.space(site, "Room", "office")
    with pytest.raises(Invalid, match="Room") as refused:
        desk.space(site, "Room", "office")
    assert refused.value.field == "name"
    desk.space(other, "Room", "office")
    with pytest.raises(Invalid, match="Omnia"):
        desk.site("Omnia")


def test_what_cannot_be_right_is_refused_at_its_field(desk: Desk) -> None:
    """No name, no such zone, no such kind, no room for anybody, nothing to hang below."""
    site = desk.site("Omnia")
    space = {"parent_id": site, "name": "Room", "kind": "office"}
    with desk.database.write() as tx:
        for field, changed in (
            ("name", {"name": " "}),
            ("name", {"name": "x" * 121}),
            ("kind", {"kind": "cellar"}),
            ("capacity", {"capacity": 0}),
            ("parent_id", {"parent_id": 9999}),
        ):
            with pytest.raises(Invalid) as refused:
                places.add_space(tx, HOST, now=NOW, **(space | changed))  # type: ignore[arg-type]
            assert refused.value.field == field
        for zone in ("Mars/Olympus", "../etc/passwd", ""):
            with pytest.raises(Invalid) as refused:
                places.add_site(tx, HOST, now=NOW, name="New", time_zone=zone)
            assert refused.value.field == "time_zone"
        with pytest.raises(Invalid, match="building or a floor"):
            places.add_area(tx, HOST, now=NOW, parent_id=site, name="Room", kind="space")


def test_changing_a_space_is_noted_and_keeps_its_place(desk: Desk) -> None:
    """All of what it is may change, not where it hangs; its own name is no obstacle, a neighbour's is."""
    site = desk.site("Omnia")
    room, neighbour = desk.space(site, "Room", "office"), desk.space(site, "Neighbour", "office")
    new = {"kind": "pop-up", "capacity": 5, "bookable": True, "tap_is_entry_when_unlocked": True}
    with desk.database.write() as tx:
        changed = places.change_space(tx, HOST, now=NOW, area_id=room, name="Room", **new)  # type: ignore[arg-type]
        assert (changed.kind, changed.capacity, changed.bookable, changed.tap_is_entry_when_unlocked) == (
            "pop-up",
            5,
            True,
            True,
        )
        assert changed.parent_id == site
        assert audit.of_subject(tx, f"space:{room}")[0]["act"] == "space_changed"
        with pytest.raises(Invalid):
            places.change_space(tx, HOST, now=NOW, area_id=neighbour, name="Room", **new)  # type: ignore[arg-type]


def test_what_is_not_there_is_said_and_only_the_desk_builds(desk: Desk) -> None:
    """A site, an area and a space by an unknown number; the billing person adds none."""
    with desk.database.write() as tx:
        for look in (places.site, places.area, places.space):
            with pytest.raises(NotFound):
                look(tx, 9999)
        with pytest.raises(NotAllowed):
            places.add_site(tx, BILLING, now=NOW, name="Omnia")
