# SPDX-License-Identifier: AGPL-3.0-or-later
"""A door is renamed, or its box is screwed to another wall. What it wrote before stays charged to where it led then."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from booking_server.access import changes
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import lock_down
from booking_server.doors import service as doors
from booking_server.doors.adding import check_areas, check_name
from booking_server.doors.service import Door
from booking_server.doors.showing import is_online
from booking_server.errors import Invalid
from booking_server.ledger.gaps import gaps
from booking_server.places import service as places


def move_door(
    tx: Connection, actor: Actor, *, now: datetime, door_id: str, name: str, to_area_id: int, from_area_id: int | None
) -> Door:
    """Call a door so, and have its way in lead from an area (None: outside) into another, of any site; a way out leads back.

    An entry keeps the space that it was made with, and is made when the door's events arrive: so a door is moved only while all
    that it wrote is here. Raise Invalid at the field that is wrong; NotFound; NotAllowed.
    """
    before, leads = doors.door_for(tx, actor, door_id, Role.HOST), doors.access_points(tx, door_id)[0]
    if before.retired_at is not None:
        raise Invalid("name", "This door is out of use.")
    name = check_name(name)
    site_id = places.area(tx, to_area_id).site_id
    actor.must_be_at(site_id, Role.HOST)
    check_areas(tx, site_id, to_area_id, from_area_id)
    elsewhere = (leads.from_area_id, leads.to_area_id) != (from_area_id, to_area_id)
    if elsewhere:
        _check_no_lock_down(tx, before.site_id, site_id)
        _check_all_is_here(tx, now, before)
        doors.lead_elsewhere(tx, door_id, site_id=site_id, from_area_id=from_area_id, to_area_id=to_area_id)
        changes.note_change(tx, now=now, cause=f"door_moved:{door_id}", door_id=door_id)
    doors.rename(tx, door_id, name)
    if elsewhere or name != before.name:
        was = {"name": before.name, "from_area": leads.from_area_id, "to_area": leads.to_area_id}
        audit.note(tx, actor, now=now, act="door_moved", subject=f"door:{door_id}", was=was, name=name, to_area=to_area_id)
    return doors.door(tx, door_id)


def _check_no_lock_down(tx: Connection, from_site: int, to_site: int) -> None:
    """A door obeys the words on a lock-down by their number, and those of two sites are in no order."""
    words = lock_down.last_words(tx)
    if from_site != to_site and any(word is not None and word.on for word in (words.get(from_site), words.get(to_site))):
        raise Invalid("leads_into", "The site is locked down. Lift the lock-down first, then move the door.")


def _check_all_is_here(tx: Connection, now: datetime, door: Door) -> None:
    """A door never heard wrote nothing, and what a stolen box wrote does not come any more."""
    state = doors.door_states(tx).get(door.id)
    if state is None or door.stolen_at is not None:
        return
    if not is_online(state, now):
        raise Invalid(
            "leads_into", "The door is offline. Move it while it is online: what it still has to send belongs to where it led."
        )
    owed = state.status.last_sequence > state.status.acknowledged
    if owed or any(gap.door_id == door.id and not gap.lost for gap in gaps(tx)):
        raise Invalid("leads_into", "The door is just sending what it wrote, which belongs to where it led. Try again shortly.")
