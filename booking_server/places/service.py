# SPDX-License-Identifier: AGPL-3.0-or-later
"""Sites, and the tree of buildings, floors and spaces below each. A space is what is used, booked and priced.

The tree has no loops: a new area hangs below one that is there, and nothing is ever moved.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection, Row, insert, select, update

from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.places.tables import areas as area_table
from booking_server.places.tables import sites as site_table
from booking_server.places.tables import spaces as space_table

KINDS = ("co-creation", "pop-up", "meeting-room", "showroom", "office")
NAME_LENGTH = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One location. `area_id` is the area that is the whole of it."""

    id: int
    name: str
    time_zone: str
    area_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A site, building, floor or space."""

    id: int
    site_id: int
    parent_id: int | None
    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """An area that is used, booked and priced. `capacity` bookings may hold it at once; 1 is exclusive."""

    area_id: int
    site_id: int
    parent_id: int | None
    name: str
    kind: str
    capacity: int
    bookable: bool
    tap_is_entry_when_unlocked: bool


def add_site(tx: Connection, actor: Actor, *, now: datetime, name: str, time_zone: str = "Europe/Helsinki") -> Site:
    """Make a site. Whoever may in the whole hub. Raise Invalid at "name" or "time_zone"; NotAllowed."""
    actor.must_be_everywhere(Role.HOST)
    name = _name(name)
    _check_zone(time_zone)
    if tx.execute(select(site_table.c.id).where(site_table.c.name == name)).first():
        raise Invalid("name", "There is already a site called {name}. Choose another name.", name=name)
    row = {"name": name, "time_zone": time_zone, "created_at": now}
    number = int(tx.execute(insert(site_table).values(row).returning(site_table.c.id)).scalar_one())
    root = _insert_area(tx, site_id=number, parent_id=None, name=name, kind="site")
    tx.execute(update(site_table).where(site_table.c.id == number).values(area_id=root))
    audit.note(tx, actor, now=now, act="site_added", subject=f"site:{number}", name=name)
    return site(tx, number)


def add_area(tx: Connection, actor: Actor, *, now: datetime, parent_id: int, name: str, kind: str) -> Area:
    """Make a building or floor below another area. Raise Invalid at "name", "kind" or "parent_id"; NotAllowed."""
    actor.must_be(Role.HOST)
    if kind not in ("building", "floor"):
        raise Invalid("kind", "Choose a building or a floor.")
    return _add_below(tx, actor, now=now, parent_id=parent_id, name=name, kind=kind)


def add_space(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    parent_id: int,
    name: str,
    kind: str,
    capacity: int = 1,
    bookable: bool = False,
    tap_is_entry_when_unlocked: bool = False,
) -> Space:
    """Make a space below another area. Raise Invalid at "name", "kind", "capacity" or "parent_id"; NotAllowed."""
    actor.must_be(Role.HOST)
    _check_space(kind, capacity)
    made = _add_below(tx, actor, now=now, parent_id=parent_id, name=name, kind="space")
    row = {
        "area_id": made.id,
        "kind": kind,
        "capacity": capacity,
        "bookable": bookable,
        "tap_is_entry_when_unlocked": tap_is_entry_when_unlocked,
    }
    tx.execute(insert(space_table).values(row))
    return space(tx, made.id)


def change_space(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    area_id: int,
    name: str,
    kind: str,
    capacity: int,
    bookable: bool,
    tap_is_entry_when_unlocked: bool,
) -> Space:
    """Change what a space is. Bookings made before stand. Raise Invalid; NotFound; NotAllowed."""
    actor.must_be(Role.HOST)
    found = space(tx, area_id)
    actor.must_be_at(found.site_id, Role.HOST)
    name = _name(name)
    _check_space(kind, capacity)
    _check_free_name(tx, found.site_id, found.parent_id, name, but=area_id)
    tx.execute(update(area_table).where(area_table.c.id == area_id).values(name=name))
    values = {
        "kind": kind,
        "capacity": capacity,
        "bookable": bookable,
        "tap_is_entry_when_unlocked": tap_is_entry_when_unlocked,
    }
    tx.execute(update(space_table).where(space_table.c.area_id == area_id).values(values))
    audit.note(tx, actor, now=now, act="space_changed", subject=f"space:{area_id}", name=name, **values)
    return space(tx, area_id)


def sites(tx: Connection, among: Collection[int] | None = None) -> list[Site]:
    """Return the sites with these ids, or all, by name."""
    found = select(site_table).order_by(site_table.c.name)
    return [_site(row) for row in tx.execute(found if among is None else found.where(site_table.c.id.in_(among)))]


def site(tx: Connection, site_id: int) -> Site:
    """Return one site. Raise NotFound."""
    row = tx.execute(select(site_table).where(site_table.c.id == site_id)).one_or_none()
    if row is None:
        raise NotFound("There is no site {site_id}.", site_id=site_id)
    return _site(row)


def areas(tx: Connection, site_id: int | None = None) -> list[Area]:
    """Return the areas of one site, or all, parents before their parts."""
    found = select(area_table).order_by(area_table.c.id)
    if site_id is not None:
        found = found.where(area_table.c.site_id == site_id)
    return [Area(**row._mapping) for row in tx.execute(found)]


def area(tx: Connection, area_id: int) -> Area:
    """Return one area. Raise NotFound."""
    row = tx.execute(select(area_table).where(area_table.c.id == area_id)).one_or_none()
    if row is None:
        raise NotFound("There is no area {area_id}.", area_id=area_id)
    return Area(**row._mapping)


def parents(tx: Connection) -> dict[int, int | None]:
    """Return for each area the one it is part of; None for a site."""
    return {row.id: row.parent_id for row in tx.execute(select(area_table.c.id, area_table.c.parent_id))}


def spaces(tx: Connection) -> list[Space]:
    """Return all spaces by name."""
    return [_space(row) for row in tx.execute(_spaces().order_by(area_table.c.name, area_table.c.id))]


def space(tx: Connection, area_id: int) -> Space:
    """Return one space. Raise NotFound."""
    row = tx.execute(_spaces().where(area_table.c.id == area_id)).one_or_none()
    if row is None:
        raise NotFound("There is no space {area_id}.", area_id=area_id)
    return _space(row)


def _add_below(tx: Connection, actor: Actor, *, now: datetime, parent_id: int, name: str, kind: str) -> Area:
    name = _name(name)
    try:
        parent = area(tx, parent_id)
    except NotFound:
        raise Invalid("parent_id", "Choose the site, building or floor it is part of.") from None
    actor.must_be_at(parent.site_id, Role.HOST)
    _check_free_name(tx, parent.site_id, parent_id, name)
    number = _insert_area(tx, site_id=parent.site_id, parent_id=parent_id, name=name, kind=kind)
    audit.note(tx, actor, now=now, act=f"{kind}_added", subject=f"{kind}:{number}", name=name)
    return area(tx, number)


def _insert_area(tx: Connection, **row: object) -> int:
    return int(tx.execute(insert(area_table).values(row).returning(area_table.c.id)).scalar_one())


def _spaces() -> Any:
    named = (area_table.c.site_id, area_table.c.parent_id, area_table.c.name)
    return select(space_table, *named).join(area_table, area_table.c.id == space_table.c.area_id)


def _site(row: Row[Any]) -> Site:
    return Site(id=row.id, name=row.name, time_zone=row.time_zone, area_id=row.area_id)


def _space(row: Row[Any]) -> Space:
    return Space(**row._mapping)


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Invalid("name", "Give it a name.")
    if len(name) > NAME_LENGTH:
        raise Invalid("name", "The name is at most {length} characters long.", length=NAME_LENGTH)
    return name


def _check_free_name(tx: Connection, site_id: int, parent_id: int | None, name: str, but: int | None = None) -> None:
    here = (area_table.c.site_id == site_id) & (area_table.c.parent_id == parent_id) & (area_table.c.name == name)
    if tx.execute(select(area_table.c.id).where(here & (area_table.c.id != (but or 0)))).first():
        raise Invalid("name", "There is already something called {name} there. Choose another name.", name=name)


def _check_space(kind: str, capacity: int) -> None:
    if kind not in KINDS:
        raise Invalid("kind", "Choose what kind of space it is.")
    if not 1 <= capacity <= 10_000:
        raise Invalid("capacity", "Between 1 and 10000 bookings may hold a space at once. For one at a time, write 1.")


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid("time_zone", "{name} is not a time zone. Write one like Europe/Helsinki.", name=repr(name)) from None
