# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the nightly roster give and end just what it gave itself, and does a broken one change nothing?"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from booking_server.access import service as access
from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.config import Config, Roster
from booking_server.importing import rosters
from booking_server.importing.runs import Run, Trouble
from booking_server.messages.tables import messages as outbox
from booking_server.people import service as people
from tests.booking_server.hub import HOST, NOW, PASSWORD, Hub

HEAD = "external id,name,email,until\n"
SCHOOL = [f"S{number},Student {number},s{number}@school.example," for number in range(10)]


class School:
    """A hub with a roster file, and the nights on which it is read."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.file = hub, folder / "roster.csv"
        self.night = NOW
        self.config = Config(
            database="",
            state_folder=str(folder),
            roster=Roster(file=str(self.file), access="Omnia", address="Koulukatu 1, 02100 Espoo"),
        )

    def read(self, rows: list[str] | None, *, old_days: int = 0, yes_all: bool = False, head: str = HEAD) -> Run:
        """What came of the next night with this file; None leaves no file at all."""
        self.night += timedelta(days=1)
        self.file.unlink(missing_ok=True)
        if rows is not None:
            self.file.write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
            written = (self.night - timedelta(days=old_days)).timestamp()
            os.utime(self.file, (written, written))
        desk = self.hub.desk
        return rosters.read_roster(desk.database, self.config, desk.keys.vault, now=self.night, yes_all=yes_all)

    def inside(self) -> set[str]:
        """Who of the people may enter, by name."""
        with self.hub.desk.database.read() as tx:
            found = people.people(tx, HOST)
            today = self.night.date()
            return {
                one.name
                for one in found
                for grant in access.grants_of(tx, one.id)
                if grant.until_day is None or grant.until_day >= today
            }


@pytest.fixture
def school(hub: Hub, tmp_path: Path) -> School:
    return School(hub, tmp_path)


def test_who_is_in_the_roster_gets_in_and_who_is_no_more_does_not(school: School) -> None:
    """The next night without them ends their access; coming back gives it again; the same file writes nothing."""
    assert school.read(SCHOOL).counts["new"] == 10
    assert len(school.inside()) == 10
    assert school.read(SCHOOL).counts["same"] == 10
    assert school.read(SCHOOL[1:]).counts["ended"] == 1
    assert "Student 0" not in school.inside()
    school.read(SCHOOL)
    assert len(school.inside()) == 10


def test_access_given_by_hand_stays(school: School) -> None:
    """The roster ends what it gave, and nothing that staff gave the same person."""
    school.read(SCHOOL)
    desk = school.hub.desk
    with desk.database.read() as tx:
        student = next(one for one in people.people(tx, HOST) if one.name == "Student 3")
    desk.grant(student.id, school.hub.room, from_day=date(2026, 11, 1))
    school.read([*SCHOOL[:3], *SCHOOL[4:]])
    with desk.database.read() as tx:
        assert [grant.area_id for grant in access.grants_of(tx, student.id)] == [school.hub.room]
        assert not people.person(tx, HOST, student.id).ended_at


@pytest.mark.parametrize(
    ("rows", "old_days", "trouble"),
    [
        (None, 0, Trouble.UNREADABLE),
        ([], 0, Trouble.EMPTY),
        (SCHOOL, 4, Trouble.OLD),
        (SCHOOL[:7], 0, Trouble.TOO_MANY),
    ],
    ids=["no file", "nobody", "old", "too many"],
)
def test_a_broken_roster_changes_nothing_and_is_told(
    school: School, rows: list[str] | None, old_days: int, trouble: Trouble
) -> None:
    """Nobody loses access, the run says why, and each administrator of the hub gets one mail."""
    with school.hub.desk.database.write() as tx:
        accounts.add_account(
            tx, COMMAND_LINE, now=NOW, sign_in_name="anna@example.org", name="", role=Role.ADMINISTRATOR, password=PASSWORD
        )
    school.read(SCHOOL)
    run = school.read(rows, old_days=old_days)
    assert run.trouble is trouble
    assert len(school.inside()) == 10
    with school.hub.desk.database.read() as tx:
        assert len(tx.execute(select(outbox.c.id).where(outbox.c.kind == "import_report")).all()) == 1


def test_a_person_may_say_that_it_is_right(school: School) -> None:
    """With yes_all a term that ends for most ends for most."""
    school.read(SCHOOL)
    run = school.read(SCHOOL[:2], yes_all=True)
    assert (run.trouble, run.counts["ended"]) == (None, 8)
    assert school.inside() == {"Student 0", "Student 1"}


def test_a_refused_row_ends_nobodys_access(school: School) -> None:
    """A cell that became wrong overnight leaves its person as they were; the others go on."""
    school.read(SCHOOL)
    run = school.read(["S0,Student 0,no address,", *SCHOOL[1:]])
    assert (run.counts["refused"], run.counts.get("ended", 0)) == (1, 0)
    assert len(school.inside()) == 10


def test_a_roster_without_ids_is_refused_whole(school: School) -> None:
    """By names alone nobody could be known the next night."""
    run = school.read(["Student 1,s1@school.example"], head="name,email\n")
    assert run.trouble is Trouble.UNREADABLE
    assert "external id" in str(run.refusals[0][1])


def test_somebody_who_is_here_already_is_not_taken_over(school: School) -> None:
    """A row with a member's e-mail is refused: the other system does not get to say who they are."""
    run = school.read(["S1,Aino Virtanen,aino@example.org,"])
    assert run.counts["refused"] == 1
    with school.hub.desk.database.read() as tx:
        assert access.grants_of(tx, school.hub.aino) == []
