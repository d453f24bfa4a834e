# SPDX-License-Identifier: AGPL-3.0-or-later
"""PostgreSQL has many writers at once: does what one of them does ever miss what another is just doing?

On SQLite a writer waits before it begins, so none of this can happen there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select, text

from booking_server.access import changes
from booking_server.db import Database
from booking_server.doors import adding
from booking_server.errors import Invalid
from booking_server.places import service as places
from booking_server.tags import service as tags
from booking_server.tags.tables import door_tags
from tests.booking_server.hub import HOST, NOW, TAG, Hub
from tests.system.processes import wait_for

T = TypeVar("T")
pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


def _meanwhile(database: Database, first: Callable[[Connection], object], second: Callable[[Connection], T]) -> T:
    """Commit `first` only once `second`, in a transaction of its own, is done or waits for it."""

    def alone() -> T:
        with database.write() as tx:
            return second(tx)

    waiting = text("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")

    def waits() -> bool:
        with database.read() as tx:
            return bool(tx.execute(waiting).scalar())

    with ThreadPoolExecutor(1) as pool:
        with database.write() as tx:
            first(tx)
            done = pool.submit(alone)
            wait_for(lambda: done.done() or waits(), "the other transaction waits or is done")
        return done.result(10)


def test_a_tag_and_a_door_made_side_by_side_know_each_other(hub: Hub) -> None:
    """Whichever is committed first, the tag has its name at the door."""

    def add_door(tx: Connection) -> None:
        site = places.sites(tx)[0].id
        where = {"site_id": site, "to_area_id": hub.room, "door_id": "new", "name": "New"}
        adding.add_door(tx, HOST, now=NOW, vault=hub.desk.keys.vault, **where)  # type: ignore[arg-type]

    def hand_out(tx: Connection) -> int:
        return tags.hand_out_tag(tx, HOST, now=NOW, vault=hub.desk.keys.vault, number=TAG, person_id=hub.aino).id

    keytag = _meanwhile(hub.desk.database, add_door, hand_out)
    with hub.desk.database.read() as tx:
        at_doors = tx.execute(select(door_tags.c.door_id).where(door_tags.c.keytag_id == keytag)).scalars()
        assert set(at_doors) == {"lobby", "room", "new"}


def test_one_tag_handed_to_two_at_once_has_one_holder(hub: Hub) -> None:
    """The second is told who holds it, as if it had come a minute later."""

    def hand_to(person: int) -> Callable[[Connection], object]:
        vault = hub.desk.keys.vault
        return lambda tx: tags.hand_out_tag(tx, HOST, now=NOW, vault=vault, number=TAG, person_id=person)

    with pytest.raises(Invalid, match="Aino Virtanen holds this keytag"):
        _meanwhile(hub.desk.database, hand_to(hub.aino), hand_to(hub.ville))


def test_an_index_is_read_from_one_instant(database: Database) -> None:
    """A change committed between two statements of one reading transaction is seen by neither."""
    with database.read() as reading:
        before = changes.latest_change(reading)
        with database.write() as tx:
            changes.note_change(tx, now=NOW, cause="meanwhile")
        assert changes.latest_change(reading) == before
    with database.read() as reading:
        assert changes.latest_change(reading) > before
