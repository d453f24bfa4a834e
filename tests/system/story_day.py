# SPDX-License-Identifier: AGPL-3.0-or-later
"""The story's day: refused, granted, entered; the broker cut and restored; a booking; a blocked keytag."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime

from tests.system import plan
from tests.system.door import Door
from tests.system.processes import wait_for
from tests.system.story import PERSON, SHOP, STUDIO, ZONE, Story, StoryFailed, must_be


def refused(story: Story) -> str:
    story.walk_to_the_door()
    reaction = story.tap(STUDIO, opens=False)
    tap = story.tap_stored(reaction.taps_before)
    must_be(tap.reason, "no_grant", f"the reason ({tap.decided_by} decided {reaction})")
    story.page_says("/", "No access has been granted to this door.")
    return f"red lamp {reaction}; Today says: no access has been granted"


def grant(story: Story) -> str:
    path = story.made["person"]
    page = story.staff.see(path)
    area = page.form(f"{path}/grants").choice("area_id", "Studio")
    story.staff.post(page, f"{path}/grants", area_id=area, from_day=f"{plan.FIRST_DAY:%d.%m.%Y}")
    wait_for(lambda: _knows_a_right(story.door(STUDIO)), "the door has the grant in its snapshot")
    return "the studio, every day; the door has it in its snapshot"


def _knows_a_right(door: Door) -> bool:
    file = door.folder / "state" / "snapshot.sqlite"
    if not file.exists():
        return False
    with closing(sqlite3.connect(file)) as snapshot:
        return any(b'"rights":[{' in content for (content,) in snapshot.execute("select content from tag"))


def enter(story: Story) -> str:
    reaction = story.tap(STUDIO, opens=True)
    story.pass_through(STUDIO)
    tap = story.tap_stored(reaction.taps_before)
    must_be(tap.decided_by, "server", "who decided")
    story.entries(1)
    story.page_says("/", PERSON)
    return f"relay {reaction}, by the server's answer; the entry is on Today"


def offline(story: Story) -> str:
    story.building.hand.turn_to(plan.AFTERNOON)
    story.building.cut_broker()
    reaction = story.tap(STUDIO, opens=True)
    story.pass_through(STUDIO)
    story.made["offline"] = str(reaction.taps_before)
    story.entries(1)
    return f"relay {reaction}, from the door's own snapshot; the server has heard nothing"


def restore(story: Story) -> str:
    since = story.building.hand.now()
    story.building.restore_broker()
    wait_for(lambda: len(story.desk.entries(plan.MONTH)) > 1, "the entry arrives", limit_seconds=30)
    tap = story.tap_stored(int(story.made["offline"]))
    must_be(tap.decided_by, "door", "who decided")
    story.entries(2)
    wait_for(
        lambda: all(story.desk.online(door, since=since) for door in (STUDIO, SHOP)),
        "both doors are online again",
        limit_seconds=30,
    )
    return "the entry made offline arrived, once"


def book(story: Story) -> str:
    page = story.staff.see(f"/bookings/new?person_id={story.number('person')}")
    form = page.form("/bookings/new")
    begin, end = (at.astimezone(ZONE) for at in (plan.BOOKED_FROM, plan.BOOKED_UNTIL))
    story.staff.post(
        page,
        "/bookings/new",
        space_id=form.choice("space_id", "Pop-up shop"),
        person_id=form.choice("person_id", PERSON),
        start_day=_day(begin),
        start_time=f"{begin:%H:%M}",
        end_day=_day(end),
        end_time=f"{end:%H:%M}",
        purpose="Spring sale",
    )
    story.staff.see(f"/bookings?day={begin:%Y-%m-%d}").must_say("Pop-up shop", PERSON)
    wait_for(lambda: _knows_a_right(story.door(SHOP)), "the door has the booking in its snapshot")
    return f"the pop-up shop, {begin:%H:%M} to {end:%H:%M}; the door has it in its snapshot"


def _day(at: datetime) -> str:
    return f"{at:%d.%m.%Y}"


def enter_by_booking(story: Story) -> str:
    story.building.hand.turn_to(plan.BOOKING_ENTERED)
    reaction = story.tap(SHOP, opens=True)
    story.pass_through(SHOP)
    tap = story.tap_stored(reaction.taps_before)
    booked = [entry for entry in story.entries(3) if entry.booking_id is not None]
    must_be(len(booked), 1, "the number of entries by a booking")
    return f"relay {reaction}; cause: {tap.cause}"


def block(story: Story) -> str:
    path = story.made["person"]
    page = story.staff.see(path)
    form = next((f for f in page.forms() if f.action.endswith("/block")), None)
    if form is None:
        raise StoryFailed(f"{path} has no form to block the keytag: {page.words[:600]}")
    story.staff.post(page, form.action, reason="lost on the bus").must_say("lost on the bus")
    wait_for(lambda: not _knows_a_right(story.door(SHOP)), "the door no longer has the keytag in its snapshot")
    return "blocked by the form on the person's page"


def refused_when_blocked(story: Story) -> str:
    story.walk_to_the_door()
    reaction = story.tap(SHOP, opens=False)
    tap = story.tap_stored(reaction.taps_before)
    must_be(tap.reason, "tag_blocked", "the reason")
    story.page_says("/", "The keytag is blocked.")
    return f"red lamp {reaction}; Today says: the keytag is blocked"
