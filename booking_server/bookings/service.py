# SPDX-License-Identifier: AGPL-3.0-or-later
"""Books spaces, and cancels bookings. No two people ever hold one place: the database itself refuses (migration 0002).

Nothing here looks whether a space is free before it books: it books, and tells what stood in the way. A member books and
cancels only for himself. Doors learn of every booking in its own transaction, so a booking and its door open together.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update
from sqlalchemy.exc import DBAPIError

from booking_server.access import service as access
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.bookings.rules import LONGEST, Booking, check_times, first_full
from booking_server.bookings.tables import bookings
from booking_server.errors import Invalid, NotFound
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.people import service as people
from booking_server.places import service as places

__all__ = [
    "Booking",
    "book_space",
    "booking",
    "bookings_between",
    "bookings_of",
    "bookings_of_space",
    "cancel_booking",
    "first_start",
    "spaces_of",
    "started_between",
]

PURPOSE_LENGTH = 200


def book_space(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    space_id: int,
    person_id: int,
    start_at: datetime,
    end_at: datetime,
    purpose: str = "",
) -> Booking:
    """Hold the space for the person from `start_at` until just before `end_at`, and return the booking.

    Raise Invalid at "start" naming what is in the way, or at the field that is wrong; NotFound; NotAllowed.
    """
    _must_act(tx, actor, person_id, space_id)
    check_times(start_at, end_at, now)
    if len(purpose) > PURPOSE_LENGTH:
        raise Invalid("purpose", "The purpose is at most {length} characters long.", length=PURPOSE_LENGTH)
    space = places.space(tx, space_id)
    if not space.bookable:
        raise Invalid("space_id", "{space} cannot be booked. Choose another space.", space=space.name)
    _check_person(people.person(tx, actor, person_id))
    who = {"space_id": space_id, "person_id": person_id, "purpose": purpose.strip(), "booked_at": now}
    number = _insert(tx, space, start_at, end_at, **who)
    access.note_change(tx, now=now, cause=f"booking:{number}", person_id=person_id)
    audit.note(tx, actor, now=now, act="space_booked", subject=f"booking:{number}", space_id=space_id, person_id=person_id)
    made = booking(tx, number)
    _tell(tx, now, Kind.BOOKING_MADE, made, purpose=made.purpose)
    return made


def cancel_booking(tx: Connection, actor: Actor, *, now: datetime, booking_id: int) -> Booking:
    """Free the space and return the booking, cancelled. Twice is as good as once.

    Raise Invalid once the booking has started: from then on it is used time. NotFound; NotAllowed.
    """
    found = booking(tx, booking_id)
    _must_act(tx, actor, found.person_id, found.space_id)
    if found.cancelled_at is not None:
        return found
    if found.start_at <= now:
        raise Invalid("booking_id", "This booking has already started and can no longer be cancelled.")
    tx.execute(update(bookings).where(bookings.c.id == booking_id).values(cancelled_at=now))
    access.note_change(tx, now=now, cause=f"booking:{booking_id}", person_id=found.person_id)
    audit.note(tx, actor, now=now, act="booking_cancelled", subject=f"booking:{booking_id}")
    _tell(tx, now, Kind.BOOKING_CANCELLED, found, by_staff=actor.person_id != found.person_id)
    return booking(tx, booking_id)


def booking(tx: Connection, booking_id: int) -> Booking:
    """Return one booking, cancelled or not. Raise NotFound."""
    row = tx.execute(select(bookings).where(bookings.c.id == booking_id)).one_or_none()
    if row is None:
        raise NotFound("There is no booking {booking_id}.", booking_id=booking_id)
    return _booking(row)


def spaces_of(tx: Connection, booking_ids: Collection[int]) -> dict[int, tuple[int, datetime]]:
    """Return which space each of these bookings holds, and when it was made, cancelled or not; unknown ones are left out."""
    found = select(bookings.c.id, bookings.c.space_id, bookings.c.booked_at).where(bookings.c.id.in_(booking_ids))
    return {row.id: (row.space_id, row.booked_at) for row in tx.execute(found)}


def bookings_of(tx: Connection, actor: Actor, person_id: int) -> list[Booking]:
    """Return all bookings of a person, newest start first, cancelled ones too. Raise NotAllowed."""
    actor.must_act_for(person_id, Role.HOST, Role.BILLING)
    found = select(bookings).where(bookings.c.person_id == person_id).order_by(bookings.c.start_at.desc(), bookings.c.id)
    return [_booking(row) for row in tx.execute(found)]


def bookings_of_space(tx: Connection, space_id: int, from_at: datetime, until_at: datetime) -> list[Booking]:
    """Return the bookings that hold the space at some instant from `from_at` until just before `until_at`."""
    return _holding(tx, from_at, until_at, bookings.c.space_id == space_id)


def bookings_between(
    tx: Connection, from_at: datetime, until_at: datetime, people: Collection[int] | None = None
) -> list[Booking]:
    """Return the bookings of all spaces, by these people or by all, that hold at some instant from `from_at` until just before
    `until_at`."""
    return _holding(tx, from_at, until_at, *(() if people is None else (bookings.c.person_id.in_(people),)))


def started_between(tx: Connection, from_at: datetime, until_at: datetime) -> list[Booking]:
    """Return all bookings, cancelled ones too, that start from `from_at` until just before `until_at`: what rating takes."""
    inside = (bookings.c.start_at >= from_at) & (bookings.c.start_at < until_at)
    return [_booking(row) for row in tx.execute(select(bookings).where(inside).order_by(bookings.c.id))]


def first_start(tx: Connection) -> datetime | None:
    """Return when the earliest booking of all starts."""
    return tx.execute(select(bookings.c.start_at).order_by(bookings.c.start_at).limit(1)).scalar()


def _tell(tx: Connection, now: datetime, kind: Kind, one: Booking, **more: str | bool) -> None:
    """Tell whose booking it is, wherever it came from: a desk may book and cancel for them."""
    space = places.space(tx, one.space_id)
    messages.put(
        tx,
        now=now,
        kind=kind,
        to=Recipient(person_id=one.person_id),
        key=f"booking:{one.id}:{kind}",
        space=space.name,
        start_at=one.start_at,
        end_at=one.end_at,
        zone=places.site(tx, space.site_id).time_zone,
        **more,
    )


def _insert(tx: Connection, space: places.Space, start_at: datetime, end_at: datetime, **row: object) -> int:
    try:
        with tx.begin_nested():
            added = insert(bookings).values(start_at=start_at, end_at=end_at, **row).returning(bookings.c.id)
            return int(tx.execute(added).scalar_one())
    except DBAPIError as error:
        if "space_taken" not in str(error.orig):
            raise
    raise _in_the_way(tx, space, start_at, end_at)


def _in_the_way(tx: Connection, space: places.Space, start_at: datetime, end_at: datetime) -> Invalid:
    zone = ZoneInfo(places.site(tx, space.site_id).time_zone)
    around = bookings_of_space(tx, space.area_id, start_at, end_at + LONGEST)
    full = first_full(around, space.capacity)
    if full is None:
        return Invalid("start", "{space} was just booked by somebody else. Try again.", space=space.name)
    start, end = (at.astimezone(zone) for at in full)
    return Invalid(
        "start",
        "{space} is already booked from {start} to {end}. Choose another time.",
        space=space.name,
        start=start,
        end=end,
    )


def _check_person(person: people.Person) -> None:
    if person.suspended_at is not None or person.ended_at is not None:
        raise Invalid("person_id", "{person} is suspended and cannot book. Resume the membership first.", person=person.name)


def _must_act(tx: Connection, actor: Actor, person_id: int, space_id: int) -> None:
    """Members book and cancel for themselves only; staff for everybody, at their own sites."""
    actor.must_act_for(person_id, Role.HOST, Role.BILLING)
    if actor.person_id != person_id:
        actor.must_be_at(places.space(tx, space_id).site_id, Role.HOST, Role.BILLING)


def _holding(tx: Connection, from_at: datetime, until_at: datetime, *more: ColumnElement[bool]) -> list[Booking]:
    held = (bookings.c.cancelled_at.is_(None), bookings.c.start_at < until_at, bookings.c.end_at > from_at)
    found = select(bookings).where(*held, *more).order_by(bookings.c.start_at, bookings.c.id)
    return [_booking(row) for row in tx.execute(found)]


def _booking(row: Row[Any]) -> Booking:
    return Booking(**row._mapping)
