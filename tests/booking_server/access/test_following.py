# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is an index that followed every change the same as one that is built anew, whatever the changes were?"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, time, timedelta

import pytest

from access_contract.snapshot import DoorRules, decode, digest_of, unpack
from access_contract.vocabulary import TagNumber
from booking_server.access import service as access
from booking_server.access.index import build
from booking_server.access.snapshots import delta_between, for_door, snapshot_of
from booking_server.bookings import service as bookings
from booking_server.doors import alone, hours, lock_down
from booking_server.doors import service as doors
from booking_server.doors.index import Index
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from booking_server.tags import service as tags
from tests.booking_server.doors.fake_door import changed
from tests.booking_server.hub import ADMINISTRATOR, NOW, Hub

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NUMBERS = [TagNumber.parse(f"04 78 2E 21 80 1D {n:02X}") for n in range(6)]


class Staff:
    """Does something at random that may change who passes where; what is refused changes nothing."""

    def __init__(self, hub: Hub, chance: random.Random) -> None:
        self.hub, self.chance, self.now = hub, chance, NOW
        self.people = [hub.aino, hub.ville, *(hub.desk.person(f"P{n}", email=f"p{n}@example.org") for n in range(3))]
        self.areas = [hub.site, hub.room]
        self.doors = 0
        for person in self.people:
            hub.desk.grant(person, hub.site, from_day=NOW.date())

    def act(self) -> str:
        """Do it, and return what it was."""
        act = self.chance.choice(
            [
                self.grant, self.grant, self.withdraw, self.book, self.cancel, self.hand_out, self.hand_out, self.take_back,
                self.block, self.unblock, self.suspend, self.longer, self.add_door, self.retire, self.unlocking,
                self.no_unlocking, self.lock, self.rules, self.pass_time,
            ]
        )  # fmt: skip
        with suppress(Invalid, NotFound):
            act()
        return act.__name__

    def _do(self, service: Callable[..., object], **how: object) -> None:
        with self.hub.desk.database.write() as tx:
            service(tx, ADMINISTRATOR, now=self.now, **how)

    def grant(self) -> None:
        first = self.now.date() + self.chance.randint(-3, 50) * DAY
        self._do(
            access.grant_access,
            person_id=self.chance.choice(self.people),
            area_id=self.chance.choice(self.areas),
            from_day=first,
            until_day=self.chance.choice([None, first, first + 20 * DAY]),
            weekdays=self.chance.choice([127, 31, 96]),
            from_time=time(self.chance.choice([0, 8, 22])),
            until_time=time(self.chance.choice([0, 6, 16])),
            standing=self.chance.random() < 0.3,
            passes_lock_down=self.chance.random() < 0.2,
            may_disarm=self.chance.random() < 0.2,
            starts_unlocking=self.chance.random() < 0.2,
        )

    def withdraw(self) -> None:
        self._do(access.withdraw_access, grant_id=self.chance.randint(1, 12))

    def book(self) -> None:
        start = self.now + self.chance.randint(1, 40 * 24) * HOUR
        person = self.chance.choice(self.people)
        self._do(bookings.book_space, space_id=self.hub.room, person_id=person, start_at=start, end_at=start + HOUR)

    def cancel(self) -> None:
        self._do(bookings.cancel_booking, booking_id=self.chance.randint(1, 8))

    def hand_out(self) -> None:
        number, person = self.chance.choice(NUMBERS), self.chance.choice(self.people)
        self._do(tags.hand_out_tag, vault=self.hub.desk.keys.vault, number=number, person_id=person)

    def take_back(self) -> None:
        self._do(tags.take_back_tag, keytag_id=self.chance.randint(1, len(NUMBERS) - 1))

    def block(self) -> None:
        self._do(tags.block_tag, keytag_id=self.chance.randint(1, len(NUMBERS) - 1), reason="lost")

    def unblock(self) -> None:
        self._do(tags.unblock_tag, keytag_id=self.chance.randint(1, len(NUMBERS) - 1))

    def suspend(self) -> None:
        service = self.chance.choice([people.suspend_person, people.resume_person])
        self._do(service, person_id=self.chance.choice(self.people))

    def longer(self) -> None:
        self._do(people.give_longer, person_id=self.chance.choice(self.people), extended_time=self.chance.random() < 0.5)

    def add_door(self) -> None:
        if self.doors < 3:
            self.doors += 1
            self.areas.append(self.hub.desk.space(self.hub.site, f"Space {self.doors}", "office"))
            self.hub.desk.door(f"d{self.doors}", f"Door {self.doors}", leads_into=self.areas[-1])

    def retire(self) -> None:
        if self.chance.random() < 0.2:
            self._do(doors.retire_door, door_id=self.chance.choice(["room", "d1", "d2"]))

    def unlocking(self) -> None:
        self._do(
            hours.add_hours, door_id=self._door(), weekdays=31, from_time=time(9), until_time=time(self.chance.choice([12, 17]))
        )
        self._do(hours.let_wait, door_id=self._door(), waits=self.chance.random() < 0.5)

    def no_unlocking(self) -> None:
        self._do(hours.take_hours_away, hours_id=self.chance.randint(1, 4))

    def lock(self) -> None:
        self._do(self.chance.choice([lock_down.lock_down, lock_down.lift]), site_id=1, reason="drill")

    def rules(self) -> None:
        rules = DoorRules(untrusted_clock_admits=self.chance.random() < 0.5)
        self._do(alone.change_rules, door_id=self._door(), rules=rules, snapshot_expiry_days=self.chance.choice([7, 14]))

    def pass_time(self) -> None:
        self.now += self.chance.choice([HOUR, 6 * HOUR, DAY, 9 * DAY]) if self.chance.random() < 0.5 else HOUR

    def _door(self) -> str:
        return self.chance.choice(["lobby", "room", "d1", "d2", "d3"])


def _follow(hub: Hub, seed: int, steps: int) -> set[str]:
    staff, done = Staff(hub, random.Random(seed)), set[str]()  # noqa: S311
    index = Index(hub.desk.database, hub.desk.keys.vault)
    index.refresh(NOW)
    for step in range(steps):
        before = dict(index.known.rights)
        done.add(act := staff.act())
        told = index.refresh(staff.now)
        _same_as_built(index, hub, staff.now, f"seed {seed}, step {step}: {act}")
        for door, rights in index.known.rights.items():
            if door in before:
                assert (rights.digest != before[door].digest) == (door in told) == (rights.number > before[door].number)
                delta = delta_between(before[door], rights)
                assert delta is not None
                assert changed(for_door(before[door]), delta) == for_door(rights)
    return done


def _same_as_built(index: Index, hub: Hub, now: datetime, after: str) -> None:
    with hub.desk.database.read() as tx:
        anew = build(tx, now=now)
    assert anew.keys() == index.known.rights.keys()
    for door, rights in index.known.rights.items():
        assert anew[door].numbered(rights.number) == rights, f"{door} after {after}"
        assert digest_of(decode(unpack(snapshot_of(rights).content))) == rights.digest


@pytest.mark.parametrize("seed", [1, 2])
def test_what_followed_every_change_is_what_would_be_built_anew(hub: Hub, seed: int) -> None:
    """Tags, window sets, digests; what a door gets as a delta makes the same; its number grows when it sees a difference."""
    _follow(hub, seed, 60)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3, 13))
def test_what_followed_many_changes_is_what_would_be_built_anew(hub: Hub, seed: int) -> None:
    """The same, for long."""
    assert len(_follow(hub, seed, 400)) == 17


def test_many_changes_at_once_are_followed_as_one(hub: Hub) -> None:
    """Of people, keytags and doors, more than are looked back for, between two looks."""
    staff = Staff(hub, random.Random(7))  # noqa: S311
    index = Index(hub.desk.database, hub.desk.keys.vault)
    index.refresh(NOW)
    with hub.desk.database.write() as tx:
        for _ in range(250):
            access.note_change(tx, now=NOW, cause="person:0", person_id=0)
    staff.hand_out()
    staff.grant()
    with hub.desk.database.write() as tx:
        for _ in range(250):
            access.note_change(tx, now=NOW, cause="person:0", person_id=0)
    index.refresh(NOW)
    _same_as_built(index, hub, NOW, "all")
