# SPDX-License-Identifier: AGPL-3.0-or-later
"""The small hub of the demo: two sites, six spaces, seven doors, a dozen members, prices and a past month of use.

The use comes from a fixed random start, so it is the same at every run of a month. It is written into the doors' own
journals before their agents start, and reaches the ledger as any month offline would: sent, checked and acknowledged.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from access_contract.entries import Outcome
from access_contract.messages import Closed, Opened, Passed, Tapped, What
from access_contract.vocabulary import AccessPointId, ClockQuality, Reason, TagNumber, tag_hash
from booking_server.errors import Invalid
from door_agent.journal import Journal
from tests.system.desk import Desk
from tests.system.turned_clock import ClockHand

ZONE = ZoneInfo("Europe/Helsinki")
SEED = 20260310
FRONT = "front"


@dataclass(frozen=True, slots=True)
class SpacePlan:
    """A space to be made, its door's id, and its price in cents; bookable if the price is per booked hour."""

    door: str
    site: str
    name: str
    kind: str
    unit: str
    cents: int
    capacity: int = 1


SPACES = (
    SpacePlan("studio", "Leppävaara", "Studio", "co-creation", "entry", 420, capacity=20),
    SpacePlan("shop", "Leppävaara", "Pop-up shop", "pop-up", "booked_hour", 1200),
    SpacePlan("kuusi", "Leppävaara", "Meeting room Kuusi", "meeting-room", "booked_hour", 1800),
    SpacePlan("workshop", "Tapiola", "Workshop", "co-creation", "day", 900, capacity=12),
    SpacePlan("showroom", "Tapiola", "Showroom", "showroom", "entry", 650, capacity=6),
    SpacePlan("office", "Tapiola", "Office 3", "office", "", 0, capacity=4),
)

MEMBERS = (
    ("Aino Virtanen", "studio shop"),
    ("Eetu Korhonen", "studio workshop"),
    ("Fatima Hassan", "workshop showroom"),
    ("Helmi Lindqvist", "studio kuusi"),
    ("Juho Mäkinen", "office"),
    ("Linh Nguyen", "studio shop"),
    ("Maria Koskinen", "showroom workshop"),
    ("Noah Bergström", "studio"),
    ("Oona Salmi", "office kuusi"),
    ("Pekka Laine", "workshop"),
    ("Sofia Petrova", "studio shop kuusi"),
    ("Väinö Heikkilä", "studio"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the demo with the number of her keytag and the doors she may use."""

    person: int
    name: str
    number: TagNumber
    doors: frozenset[str]


@dataclass
class Hub:
    """What was made: ids by door, the members, and the bookings as (door, person) to (booking, start)."""

    spaces: dict[str, int] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    grants: dict[tuple[str, int], int] = field(default_factory=dict)
    bookings: list[tuple[str, int, int, datetime]] = field(default_factory=list)


def make_hub(desk: Desk, first_day: date) -> Hub:
    """Make sites, spaces, doors, prices and members, as staff would on the first morning."""
    hub, sites = Hub(), {}
    for plan in SPACES:
        if plan.site not in sites:
            sites[plan.site] = desk.site(plan.site)
        bookable = plan.unit == "booked_hour"
        space = desk.space(sites[plan.site], plan.name, plan.kind, capacity=plan.capacity, bookable=bookable)
        hub.spaces[plan.door] = space
        desk.door(plan.door, plan.name, leads_into=space)
        if plan.unit:
            desk.price(space, plan.unit, plan.cents, from_day=first_day)
    hub.spaces[FRONT] = sites["Leppävaara"]
    desk.door(FRONT, "Leppävaara front door", leads_into=sites["Leppävaara"])
    numbers = random.Random(SEED)  # noqa: S311
    for name, doors in MEMBERS:
        hub.members.append(_member(desk, hub, name, doors.split(), numbers, first_day))
    return hub


def _member(desk: Desk, hub: Hub, name: str, doors: list[str], numbers: random.Random, first_day: date) -> Member:
    person = desk.person(name)
    number = TagNumber.parse("04" + numbers.randbytes(5).hex().upper() + "80")
    desk.tag(person, number)
    bookable = {plan.door for plan in SPACES if plan.unit == "booked_hour"}
    for door in doors:
        if door not in bookable:
            hub.grants[door, person] = desk.grant(person, hub.spaces[door], from_day=first_day)
    return Member(person, name, number, frozenset(doors))


def book_month(desk: Desk, hand: ClockHand, hub: Hub, first: date, until: date) -> None:
    """Book the bookable spaces through the month, each booking made on the evening before."""
    chance = random.Random(SEED + 1)  # noqa: S311
    for day in _workdays(first, until):
        hand.turn_to(max(hand.now(), _local(day - timedelta(days=1), 18 * 60)))
        for member in hub.members:
            for door in sorted(member.doors & {"shop", "kuusi"}):
                if chance.random() < 0.16:
                    start = _local(day, 60 * chance.randrange(9, 17))
                    _book(desk, hub, door, member, start, start + timedelta(hours=chance.choice((1, 2, 2, 3))))


def _book(desk: Desk, hub: Hub, door: str, member: Member, start: datetime, end: datetime) -> None:
    try:
        booking = desk.book(hub.spaces[door], member.person, start, end)
    except Invalid:
        return  # somebody else holds it: she tries another day
    hub.bookings.append((door, member.person, booking, start))


@dataclass(frozen=True, slots=True)
class Use:
    """One tap of the past month, and what came of it."""

    at: datetime
    door: str
    member: Member
    cause: str | None
    enters: bool = True


def past_use(hub: Hub, first: date, until: datetime) -> list[Use]:
    """Return the month's taps up to `until`, in order."""
    chance = random.Random(SEED + 2)  # noqa: S311
    uses = [use for day in _workdays(first, until.astimezone(ZONE).date()) for use in _day(hub, day, chance)]
    people = {member.person: member for member in hub.members}
    uses += [
        Use(start + timedelta(minutes=chance.randrange(1, 20)), door, people[person], f"booking:{booking}")
        for door, person, booking, start in hub.bookings
    ]
    return sorted((use for use in uses if use.at < until), key=lambda use: use.at)


def _day(hub: Hub, day: date, chance: random.Random) -> Iterator[Use]:
    for member in hub.members:
        granted = sorted(door for door in member.doors if (door, member.person) in hub.grants)
        for door in granted:
            if chance.random() < 0.35:
                at = _local(day, chance.randrange(8 * 60, 19 * 60)) + timedelta(seconds=chance.randrange(60))
                cause = f"grant:{hub.grants[door, member.person]}"
                if door in ("studio", "shop", "kuusi"):
                    yield Use(at - timedelta(minutes=1), FRONT, member, cause)
                yield Use(at, door, member, cause, enters=chance.random() < 0.96)
        if chance.random() < 0.02:
            yield Use(_local(day, chance.randrange(9 * 60, 18 * 60)), "office", member, None)


def write_journal(door_folder: Path, door: str, uses: list[Use]) -> int:
    """Write one door's part of the past into its journal, before its agent first starts. Return the number of taps."""
    key = (door_folder / "tag.key").read_bytes()
    (door_folder / "state").mkdir(exist_ok=True)
    journal = Journal(door_folder / "state" / "journal.sqlite")
    own = [use for use in uses if use.door == door]
    for use in own:
        seconds = (use.at - own[0].at).total_seconds()
        for after, what in _events(use, key, journal.sequence + 1):
            at = use.at + timedelta(seconds=after)
            journal.append(what, at=at, monotonic=seconds + after, clock=ClockQuality.SYNCED)
    journal.close()
    return len(own)


def _events(use: Use, key: bytes, tap: int) -> list[tuple[float, What]]:
    granted = use.cause is not None
    tapped = Tapped(
        access_point=AccessPointId("in"),
        tag=tag_hash(key, use.member.number),
        granted=granted,
        reason=None if granted else Reason.NO_GRANT.value,
        cause=use.cause,
        decided_by="server",
        server_granted=granted,
        server_reason=None if granted else Reason.NO_GRANT.value,
        own_granted=granted,
        own_reason=None if granted else Reason.NO_GRANT.value,
        contact_open=False,
        simulated=True,
    )
    if not granted:
        return [(0.0, tapped)]
    if not use.enters:
        return [(0.0, tapped), (3.0, Passed(tap=tap, outcome=Outcome.NOT_ENTERED))]
    return [(0.0, tapped), (1.2, Opened()), (1.2, Passed(tap=tap, outcome=Outcome.ENTERED)), (4.0, Closed())]


def _workdays(first: date, until: date) -> Iterator[date]:
    day = first
    while day <= until:
        if day.weekday() < 6:
            yield day
        day += timedelta(days=1)


def _local(day: date, minutes: int) -> datetime:
    return datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=ZONE)
