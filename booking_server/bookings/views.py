# SPDX-License-Identifier: AGPL-3.0-or-later
"""The pages of bookings: a week at a glance, a new booking in a few clicks, and what stands behind one.

Whether a space is free is never guessed here: a new booking is tried, and what is in the way is told at the field.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request
from flask_babel import gettext
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from booking_server import civil
from booking_server.actors import Role
from booking_server.billing import service as billing
from booking_server.billing.rules import Charge
from booking_server.bookings import service as bookings
from booking_server.bookings.week import Held, days_of_week, days_with
from booking_server.bookings.wording import day_in_words, hours_of_day, short_day, span_of, weekday
from booking_server.errors import Invalid
from booking_server.people import service as people
from booking_server.places import naming
from booking_server.places import service as places
from booking_server.web.forms import Form, say, show_day, show_time
from booking_server.web.request import actor, config, database, now
from booking_server.web.wording import zone

pages = Blueprint("bookings", __name__, template_folder="templates")
for word in (day_in_words, hours_of_day, short_day, span_of, weekday):
    pages.add_app_template_filter(word)
Answer = str | Response | tuple[str, int]

OFFERED_MAX = 200
"""How many people the new booking's list offers; with more, a search stands above it."""
SHOWN_MAX = 5
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)


@pages.get("/bookings")
def week() -> Answer:
    actor().must_be(Role.HOST, Role.BILLING)
    day = _asked_day()
    days = days_of_week(day)
    with database().read() as tx:
        zones = _zones(tx)
        where = _spaces_here(tx)
        found = [one for one in bookings.bookings_between(tx, *_around(days)) if one.space_id in where]
        rows = [
            (site, [(space, days_with(own, days, zones[space.area_id])) for space, own in spaces])
            for site, spaces in _spaces_of_sites(tx, found)
        ]
        names = _names(tx, found)
    today = now().astimezone(zone()).date()
    counts = [len({held.booking.id for _, spaces in rows for _, row in spaces for held in row[number]}) for number in range(7)]
    return render_template(
        "bookings/week.html",
        day=day,
        days=list(zip(days, counts, strict=True)),
        rows=rows,
        names=names,
        today=today,
        before=day - timedelta(days=7),
        after=day + timedelta(days=7),
    )


@pages.get("/bookings/new")
def new() -> Answer:
    actor().must_be(Role.HOST, Role.BILLING)
    next_hour = now().astimezone(zone()).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    day = _asked_day(or_else=next_hour.date())
    form = Form.empty(
        space_id=request.args.get("space_id", ""),
        person_id=request.args.get("person_id", ""),
        start_day=show_day(day),
        start_time=show_time(next_hour.time()),
        end_time=show_time((next_hour + timedelta(hours=1)).time()),
    )
    return _new_page(form)


@pages.post("/bookings/new")
def book() -> Answer:
    form = Form.posted()
    try:
        with database().write() as tx:
            space = places.space(tx, form.choice("space_id"))
            start_at, end_at = _instants(form, _zones(tx)[space.area_id])
            bookings.book_space(
                tx,
                actor(),
                now=now(),
                space_id=space.area_id,
                person_id=form.choice("person_id"),
                start_at=start_at,
                end_at=end_at,
                purpose=form.text("purpose"),
            )
    except Invalid as problem:
        return _new_page(form.refuse(problem, start="start_time", end="end_time")), 422
    flash(gettext("%(space)s is booked. Its doors open for the booking.", space=space.name))
    return redirect(f"/bookings?day={form.day('start_day').isoformat()}", 303)


@pages.get("/bookings/<int:booking_id>")
def show(booking_id: int) -> Answer:
    return _booking_page(booking_id)


@pages.post("/bookings/<int:booking_id>/cancellation")
def cancel(booking_id: int) -> Answer:
    try:
        with database().write() as tx:
            bookings.cancel_booking(tx, actor(), now=now(), booking_id=booking_id)
    except Invalid as problem:
        return _booking_page(booking_id, say(problem)), 422
    flash(gettext("The booking is cancelled and the space is free again."))
    return redirect(f"/bookings/{booking_id}", 303)


@pages.app_template_global()
def bookings_of_person(person: people.Person) -> dict[str, list[tuple[bookings.Booking, str, ZoneInfo]]]:
    """Return what a person's page shows: the bookings that are coming or run, soonest first, and the last ones before."""
    with database().read() as tx:
        found = bookings.bookings_of(tx, actor(), person.id)
        zones = _zones(tx)
        names = {space.area_id: space.name for space in places.spaces(tx)}
    rows = [(one, names[one.space_id], zones[one.space_id]) for one in found if one.cancelled_at is None]
    coming = [row for row in reversed(rows) if row[0].end_at > now()]
    return {"coming": coming, "past": [row for row in rows if row[0].end_at <= now()][:SHOWN_MAX]}


# --- a new booking ---------------------------------------------------------------------------------------------------


def _instants(form: Form, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return start and end. No last day means the first one; an end at midnight is the end of its day. Raise Invalid."""
    start_day, start_time = form.day("start_day"), form.time("start_time")
    end_day, end_time = form.day_or_none("end_day") or start_day, form.time("end_time")
    if end_time == time(0):
        end_day += civil.ONE_DAY
    return civil.utc(start_day, start_time, zone), civil.utc(end_day, end_time, zone, later=True)


def _new_page(form: Form) -> str:
    search = request.args.get("search", "")[:100]
    with database().read() as tx:
        found = people.people(tx, actor(), search=search)
        offered = [(one.id, one.name) for one in found if one.active][:OFFERED_MAX]
        areas = naming.full_names(places.areas(tx))
        bookable = {space.area_id for space in places.spaces(tx) if space.bookable} & _spaces_here(tx)
        in_the_way = _day_of(tx, form) if "start_time" in form.errors else []
        names = _names(tx, [held.booking for held in in_the_way])
        chosen = form.value("person_id")
        if chosen.isdecimal() and len(chosen) < 10 and int(chosen) not in dict(offered):
            offered.insert(0, (int(chosen), people.person(tx, actor(), int(chosen)).name))
    spaces = [(number, name) for number, name in areas.items() if number in bookable]
    return render_template(
        "bookings/new.html",
        form=form,
        spaces=spaces,
        people=offered,
        search=search,
        more=len(found) > OFFERED_MAX or bool(search),
        in_the_way=in_the_way,
        names=names,
    )


def _day_of(tx: Connection, form: Form) -> list[Held]:
    """What holds the wanted space on the wanted day: shown where the wanted time is not free."""
    try:
        space, day = form.choice("space_id"), form.day("start_day")
    except Invalid:
        return []
    own = [one for one in bookings.bookings_between(tx, *_around([day])) if one.space_id == space]
    return days_with(own, [day], _zones(tx)[space])[0]


# --- one booking -----------------------------------------------------------------------------------------------------


def _booking_page(booking_id: int, problem: str = "") -> str:
    actor().must_be(Role.HOST, Role.BILLING)
    with database().read() as tx:
        found = bookings.booking(tx, booking_id)
        space = places.space(tx, found.space_id)
        actor().must_be_at(space.site_id, Role.HOST, Role.BILLING)
        where = _zones(tx)[space.area_id]
        return render_template(
            "bookings/booking.html",
            booking=found,
            space=space,
            person=people.person(tx, actor(), found.person_id),
            zone=where,
            day=found.start_at.astimezone(where).date(),
            charge=_charge(tx, found, where),
            started=found.start_at <= now(),
            problem=problem,
        )


def _charge(tx: Connection, found: bookings.Booking, where: ZoneInfo) -> Charge | None:
    """What the booking comes to, by the same computation as its invoice."""
    month = civil.month_of(civil.service_day(found.start_at, where))
    rated = billing.charges_of_person(tx, actor(), person_id=found.person_id, month=month, demo=config().demo)
    return next((charge for charge in rated if charge.key == f"booking:{found.id}"), None)


# --- shared ----------------------------------------------------------------------------------------------------------


def _asked_day(or_else: date | None = None) -> date:
    """The day in the address; today, or `or_else`, where there is none that can be read or whose week has no neighbours."""
    try:
        asked = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        asked = date.min
    return asked if FIRST_DAY <= asked <= LAST_DAY else or_else or now().astimezone(zone()).date()


def _around(days: list[date]) -> tuple[datetime, datetime]:
    """Instants between which these days lie in every zone."""
    utc = ZoneInfo("UTC")
    return civil.utc(days[0] - civil.ONE_DAY, time(0), utc), civil.utc(days[-1] + 2 * civil.ONE_DAY, time(0), utc)


def _zones(tx: Connection) -> dict[int, ZoneInfo]:
    of_site = {site.id: ZoneInfo(site.time_zone) for site in places.sites(tx)}
    return {space.area_id: of_site[space.site_id] for space in places.spaces(tx)}


def _spaces_of_sites(
    tx: Connection, found: list[bookings.Booking]
) -> list[tuple[str, list[tuple[places.Space, list[bookings.Booking]]]]]:
    """Each site with its spaces that can be booked, or are; each space with its bookings."""
    own: dict[int, list[bookings.Booking]] = {}
    for booking in found:
        own.setdefault(booking.space_id, []).append(booking)
    where = _spaces_here(tx)
    spaces = [one for one in places.spaces(tx) if one.area_id in where and (one.bookable or one.area_id in own)]
    grouped = [
        (site.name, [(space, own.get(space.area_id, [])) for space in spaces if space.site_id == site.id])
        for site in places.sites(tx)
    ]
    return [(name, rows) for name, rows in grouped if rows]


def _spaces_here(tx: Connection) -> set[int]:
    """Return the spaces of the sites at which the reader is the host or keeps the books."""
    where = actor().sites(Role.HOST, Role.BILLING)
    return {space.area_id for space in places.spaces(tx) if where is None or space.site_id in where}


def _names(tx: Connection, found: list[bookings.Booking]) -> dict[int, str]:
    return {number: people.person(tx, actor(), number).name for number in {one.person_id for one in found}}
