# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does booking a space promise, to whom, and what does it leave behind?"""

from datetime import datetime, timedelta

import pytest

from booking_server.access import changes
from booking_server.actors import Actor, NotAllowed
from booking_server.audit import service as audit
from booking_server.bookings import service as bookings
from booking_server.bookings.service import Booking
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from tests.booking_server.hub import ADMINISTRATOR, BILLING, HOST, NOW, Hub

HOUR = timedelta(hours=1)


def _book(
    hub: Hub, start: float, end: float, *, actor: Actor = HOST, person: int | None = None, space: int | None = None
) -> Booking:
    with hub.desk.database.write() as tx:
        return bookings.book_space(
            tx,
            actor,
            now=NOW,
            space_id=space or hub.room,
            person_id=person or hub.aino,
            start_at=NOW + start * HOUR,
            end_at=NOW + end * HOUR,
        )


def _cancel(hub: Hub, booking_id: int, *, actor: Actor = HOST, now: datetime = NOW) -> Booking:
    with hub.desk.database.write() as tx:
        return bookings.cancel_booking(tx, actor, now=now, booking_id=booking_id)


def _held(hub: Hub) -> list[int]:
    with hub.desk.database.read() as tx:
        return [found.id for found in bookings.bookings_of_space(tx, hub.room, NOW, NOW + 100 * HOUR)]


def test_the_end_of_one_is_the_start_of_the_next(hub: Hub) -> None:
    """Half-open: bookings may touch on both sides, to the instant."""
    first, last = _book(hub, 1, 2), _book(hub, 3, 4, person=hub.ville)
    between = _book(hub, 2, 3)
    assert _held(hub) == [first.id, between.id, last.id]


@pytest.mark.parametrize(("start", "end"), [(2, 3), (1.9, 2.1), (2.9, 3.1), (1, 4), (2.4, 2.6), (1, 3), (2, 4)])
def test_whatever_overlaps_is_refused_with_what_is_in_the_way(hub: Hub, start: float, end: float) -> None:
    """The same instants, the smallest overlap, around and within: refused at the start field, naming the hours taken."""
    held = _book(hub, 2, 3)
    with pytest.raises(Invalid, match=r"Big room is already booked from 2026-11-24 16:00.* to 2026-11-24 17:00") as refused:
        _book(hub, start, end, person=hub.ville)
    assert refused.value.field == "start"
    assert _held(hub) == [held.id]


def test_a_space_for_three_takes_three_at_every_instant(hub: Hub) -> None:
    """The fourth is refused only where three really stand together, not where three merely lie within its hours."""
    space = hub.desk.space(hub.site, "Shared", "pop-up", capacity=3, bookable=True)
    for start, end in ((0, 2), (0, 4), (2, 6), (4, 6), (1, 5)):
        _book(hub, start, end, space=space)
    for overfull in ((0, 1.1), (1, 2), (3, 3.5), (4.9, 6), (0.5, 8)):
        with pytest.raises(Invalid, match=r"Shared is already booked from .* to 2026-11-24 19:00"):
            _book(hub, *overfull, space=space)
    for room_left in ((0, 1), (5, 6)):
        assert _book(hub, *room_left, space=space).space_id == space


def test_cancelling_frees_the_space_and_twice_is_as_good_as_once(hub: Hub) -> None:
    """Another takes the place at once; the second cancelling changes nothing, and the cancelled one never comes back."""
    first = _book(hub, 1, 2)
    cancelled = _cancel(hub, first.id)
    assert cancelled.cancelled_at == NOW
    second = _book(hub, 1, 2, person=hub.ville)
    assert _cancel(hub, first.id, now=NOW + timedelta(minutes=5)) == cancelled
    assert _held(hub) == [second.id]


def test_what_has_started_is_used_time(hub: Hub) -> None:
    """From its start on a booking can no longer be cancelled; an instant before, it can."""
    held = _book(hub, 1, 2)
    with pytest.raises(Invalid, match="already started"):
        _cancel(hub, held.id, now=held.start_at)
    assert _cancel(hub, held.id, now=held.start_at - timedelta(microseconds=1)).cancelled_at is not None


def test_a_member_books_and_cancels_for_themselves_only(hub: Hub, member: Actor) -> None:
    """Aino, signed in, books for Aino; not for Ville, and she neither cancels nor sees what is his."""
    own, his = _book(hub, 1, 2, actor=member), _book(hub, 3, 4, person=hub.ville)
    with pytest.raises(NotAllowed):
        _book(hub, 5, 6, actor=member, person=hub.ville)
    with pytest.raises(NotAllowed):
        _cancel(hub, his.id, actor=member)
    with hub.desk.database.read() as tx:
        assert [found.id for found in bookings.bookings_of(tx, member, hub.aino)] == [own.id]
        with pytest.raises(NotAllowed):
            bookings.bookings_of(tx, member, hub.ville)
    assert _cancel(hub, own.id, actor=member).cancelled_at == NOW


def test_staff_book_for_anybody(hub: Hub) -> None:
    """Host, billing and administrator alike."""
    for number, actor in enumerate((HOST, BILLING, ADMINISTRATOR)):
        assert _book(hub, number, number + 1, actor=actor, person=hub.ville).person_id == hub.ville


def test_a_booking_and_what_tells_of_it_stand_together(hub: Hub) -> None:
    """Booking and cancelling each add one rights change for the person and one audit row; a refusal adds nothing."""
    with hub.desk.database.read() as tx:
        before = changes.latest_change(tx)
    held = _book(hub, 1, 2)
    with pytest.raises(Invalid):
        _book(hub, 1, 2, person=hub.ville)
    _cancel(hub, held.id)
    with hub.desk.database.read() as tx:
        assert [(change.person_id, change.door_id) for change in changes.changes_after(tx, before)] == [(hub.aino, None)] * 2
        noted = audit.of_subject(tx, f"booking:{held.id}")
    assert [(row["actor"], row["act"]) for row in noted] == [(HOST.name, "booking_cancelled"), (HOST.name, "space_booked")]


def test_a_refusal_leaves_the_transaction_usable(hub: Hub) -> None:
    """Who was refused may book another time in the same transaction, and both engines keep that one."""
    _book(hub, 1, 2)
    with hub.desk.database.write() as tx:
        for start in (1, 2):
            try:
                bookings.book_space(
                    tx,
                    HOST,
                    now=NOW,
                    space_id=hub.room,
                    person_id=hub.ville,
                    start_at=NOW + start * HOUR,
                    end_at=NOW + (start + 1) * HOUR,
                )
            except Invalid:
                assert start == 1
    assert len(_held(hub)) == 2


def test_who_is_suspended_books_nothing(hub: Hub) -> None:
    """The refusal says what to do; after the suspension is lifted the booking is made."""
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, HOST, now=NOW, person_id=hub.aino)
    with pytest.raises(Invalid, match="Resume the membership"):
        _book(hub, 1, 2)
    with hub.desk.database.write() as tx:
        people.resume_person(tx, HOST, now=NOW, person_id=hub.aino)
    assert _book(hub, 1, 2).person_id == hub.aino


def test_only_what_is_bookable_is_booked(hub: Hub) -> None:
    """A space that is not offered, one that is not there, a person who is not there: each is said."""
    closed = hub.desk.space(hub.site, "Store", "office")
    with pytest.raises(Invalid, match="Store cannot be booked"):
        _book(hub, 1, 2, space=closed)
    with pytest.raises(NotFound):
        _book(hub, 1, 2, space=9999)
    with pytest.raises(NotFound):
        _book(hub, 1, 2, person=9999)


def test_what_overlaps_a_stretch_is_found_and_nothing_else(hub: Hub) -> None:
    """`bookings_of_space` and `bookings_between` are half-open too; a cancelled booking holds nothing."""
    inside, touching = _book(hub, 2, 4), _book(hub, 4, 5)
    _cancel(hub, _book(hub, 3, 4, space=hub.desk.space(hub.site, "Other", "office", bookable=True)).id)
    with hub.desk.database.read() as tx:
        assert bookings.bookings_between(tx, NOW + 3 * HOUR, NOW + 4 * HOUR) == [inside]
        assert bookings.bookings_of_space(tx, hub.room, NOW + 4 * HOUR, NOW + 9 * HOUR) == [touching]
        assert len(bookings.started_between(tx, NOW, NOW + 9 * HOUR)) == 3
        assert bookings.first_start(tx) == inside.start_at
