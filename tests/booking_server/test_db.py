# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a transaction whole on both engines, and does an instant come out as it went in?"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta, timezone

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError, StatementError

from booking_server.access.tables import grants
from booking_server.actors import SYSTEM
from booking_server.audit import service as audit
from booking_server.audit.tables import audit as rows
from booking_server.db import Database
from tests.booking_server.hub import NOW


def _count(database: Database) -> int:
    with database.read() as tx:
        return int(tx.execute(select(func.count()).select_from(rows)).scalar_one())


def test_leaving_by_an_exception_undoes_it_all(database: Database) -> None:
    """What was written before it is gone, and the database may be written again."""
    with suppress(ZeroDivisionError), database.write() as tx:
        audit.note(tx, SYSTEM, now=NOW, act="undone", subject="x")
        raise ZeroDivisionError
    assert _count(database) == 0
    with database.write() as tx:
        audit.note(tx, SYSTEM, now=NOW, act="done", subject="x")
    assert _count(database) == 1


def test_an_instant_comes_out_aware_and_in_utc(database: Database) -> None:
    """To the microsecond, whatever zone it went in with; one without a zone is refused."""
    helsinki = timezone(timedelta(hours=2))
    at = datetime(2026, 11, 24, 14, 0, 0, 123456, tzinfo=helsinki)
    with database.write() as tx:
        audit.note(tx, SYSTEM, now=at, act="noted", subject="x")
        stored = tx.execute(select(rows.c.at)).scalar_one()
    assert stored == at
    assert stored.utcoffset() == timedelta(0)
    with pytest.raises(StatementError, match="no time zone"), database.write() as tx:
        audit.note(tx, SYSTEM, now=NOW.replace(tzinfo=None), act="noted", subject="x")


def test_writers_from_many_threads_wait_for_each_other(database: Database) -> None:
    """None is turned away, none is lost."""

    def write(number: int) -> None:
        with database.write() as tx:
            audit.note(tx, SYSTEM, now=NOW, act="noted", subject=str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(100)))
    assert _count(database) == 100


def test_a_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    """On SQLite too, where foreign keys have to be asked for."""
    values = {"person_id": 9999, "area_id": 9999, "weekdays": 1, "standing": False, "passes_lock_down": False}
    when = {"from_day": NOW.date(), "from_time": NOW.time(), "until_time": NOW.time(), "granted_at": NOW}
    with pytest.raises(DBAPIError, match=r"(?i)foreign key"), database.write() as tx:
        tx.execute(insert(grants).values(**values, **when))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_plain_postgresql_url_will_do(database_url: str) -> None:
    """As every manual writes it, without naming the driver."""
    database = Database(database_url.replace("postgresql+psycopg://", "postgresql://"))
    assert _count(database) == 0
    database.close()
