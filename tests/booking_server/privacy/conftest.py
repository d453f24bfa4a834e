# SPDX-License-Identifier: AGPL-3.0-or-later
"""A hub whose March is used and closed, in which Aino has done and left all that a person can."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, insert

from booking_server.accounts import service as accounts
from booking_server.accounts import sessions
from booking_server.accounts.tables import sign_in_failures
from booking_server.actors import Actor, Role
from booking_server.bookings import service as bookings
from booking_server.config import Config
from booking_server.doors import commands
from booking_server.ledger import service as ledger
from booking_server.messages import service as messages
from booking_server.messages.rules import FACTS, Kind, Recipient
from booking_server.personal import Who
from booking_server.privacy import asking, freezing, subjects
from tests.booking_server.hub import ADMINISTRATOR, HOST
from tests.booking_server.invoices.conftest import office
from tests.booking_server.invoices.office import BEGIN, MARCH, MARCH_OVER, Office

__all__ = ["office"]

NOW = datetime(2026, 4, 3, 9, 0, tzinfo=UTC)
AINO = "aino@example.org"
ONE_ENGINE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what no database can do differently."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The hub, what its settings say, and Aino's own account: she is a host, too."""

    office: Office
    actor: Actor
    config: Config = field(default_factory=lambda: Config(database="", state_folder="/tmp"))  # noqa: S108

    @property
    def aino(self) -> int:
        return self.office.aino

    def who(self) -> Who:
        with self.office.desk.database.read() as tx:
            return subjects.who(tx, self.aino)


@pytest.fixture
def kept(office: Office) -> Kept:
    """Aino used March, which is closed, and has something in every table that can hold something of a person."""
    office.use_march()
    office.close(MARCH)
    database, aino = office.desk.database, office.aino
    office.desk.grant(aino, office.studio, from_day=BEGIN.date())
    with database.write() as tx:
        made = accounts.add_account(
            tx,
            ADMINISTRATOR,
            now=BEGIN,
            sign_in_name=AINO,
            name="Aino Virtanen",
            role=Role.HOST,
            password=None,
            person_id=aino,
        )
        accounts.set_roles(tx, ADMINISTRATOR, now=BEGIN, account_id=made.id, roles={(Role.HOST, None), (Role.MEMBER, None)})
        sessions.begin(tx, now=MARCH_OVER, account_id=made.id, how=["password"], address="192.0.2.7", device="Aino's phone")
        actor = accounts.existing_account(tx, made.id).actor()
        tx.execute(insert(sign_in_failures).values(at=MARCH_OVER, sign_in_name=AINO, address="192.0.2.7"))
        _do_things(tx, office, actor, made.id)
    return Kept(office, actor)


def _do_things(tx: Connection, office: Office, actor: Actor, account: int) -> None:
    aino, before = office.aino, NOW - timedelta(hours=1)
    start, end = NOW + timedelta(days=2), NOW + timedelta(days=2, hours=1)
    bookings.book_space(
        tx, HOST, now=before, space_id=office.shop, person_id=aino, start_at=start, end_at=end, purpose="My daughter's party"
    )
    commands.ask_open(tx, actor, now=before, door_id="studio", reason="parcel")
    freezing.freeze(
        tx,
        actor,
        now=before,
        door_id="gallery",
        from_day=BEGIN.date(),
        through_day=BEGIN.date(),
        kept_until=NOW.date() + timedelta(days=60),
        reason="something was stolen",
    )
    asking.ask(tx, actor, now=before, kind="correct", text="I married: my name is Aino Laine now.")
    for kind, to in ((Kind.TAG_LOST, Recipient(person_id=aino)), (Kind.NEW_SIGN_IN, Recipient(account_id=account))):
        messages.put(tx, now=before, kind=kind, to=to, key=kind.value, **dict.fromkeys(FACTS[kind], "192.0.2.7"))
    ledger.taps_of_person(tx, HOST, now=before, person_id=aino)
