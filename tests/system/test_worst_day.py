# SPDX-License-Identifier: AGPL-3.0-or-later
"""Rehearsed: the server's disk is dead. Does the last backup bring back everything, and the doors what came after it?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from door_agent.journal import Journal
from tests.system import parts
from tests.system.postgres import cluster
from tests.system.processes import NotReady, wait_for
from tests.system.worst_day import WorstDay, worst_day

LIVE = {"door_status", "counters", "journals", "door_journals"}
"""What a door's next word changes: compared by what it tells, not by its row."""
GROWN = {"rights_changes", "audit", "restores"}


@pytest.fixture(autouse=True)
def _mosquitto_is_here() -> None:
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))


@pytest.mark.timeout(300)
def test_what_is_lost_with_the_disk_comes_back() -> None:
    """On SQLite: every table and key as in the backup, every event of the doors also of after it, and doors that obey."""
    with worst_day() as day:
        _live_through(day)


@pytest.mark.soak
@pytest.mark.timeout(300)
def test_what_is_lost_with_the_disk_comes_back_on_postgresql() -> None:
    """The same on PostgreSQL, into an empty database of the same name."""
    if parts.postgres_bin() is None:
        pytest.skip(parts.missing("PostgreSQL"))
    with cluster() as postgres:
        url = postgres.url(postgres.create())
        with worst_day(url) as day:
            _live_through(day, lambda: _empty(url))


def _live_through(day: WorstDay, empty_database: object = None) -> None:
    day.taps(day.front, 4)
    day.taps(day.side, 2)
    with ThreadPoolExecutor(1) as hand:  # a backup holds up nobody, and nobody holds it up
        tapping = hand.submit(day.taps, day.front, 6)
        day.back_up_now()
        tapping.result()
    day.settled()
    tables, files = day.tables(), day.files()
    backup = day.backup()
    _go_on(day)
    held, tapped = max(day.held(day.front), day.held(day.side)), dict(day.tapped)
    day.destroy(database=empty_database is None)
    if callable(empty_database):
        empty_database()
    day.taps(day.front, 2)  # nobody at the other end: the door decides alone
    said = day.restore(backup)
    assert "BLOCK IT FIRST" in said
    _is_as_in_the_backup(day, tables, files)
    day.building.start_broker()
    day.building.start_doors()
    day.settled()
    assert day.number("select count(*) from taps") == sum(day.tapped.values()) > sum(tapped.values())
    assert day.number("select count(*) from forks") == 0
    _doors_obey(day, held)


def _go_on(day: WorstDay) -> None:
    """What nobody will know of later: taps, a new journal, changed rights, a lock-down, a change of keys."""
    day.taps(day.front, 5)
    day.side.stop()
    journal = Journal(day.side.folder / "state" / "journal.sqlite")
    journal.start_new()
    journal.close()
    day.side.start()
    day.taps(day.side, 3)
    for _ in range(5):
        day.desk.block(day.tags[0])
        day.unblock(day.tags[0])
        day.desk.withdraw(day.desk.grant(day.people[1], day.space, from_day=date(2026, 3, 2)))
    for on in (True, False):
        day.obeyed(day.say_lock_down(on=on))
    day.building.command("keys", "rotate")
    wait_for(lambda: _rotates(day), "the doors know the next key", limit_seconds=40)
    wait_for(lambda: day.held(day.front) > 5_000_000 and day.held(day.side) > 5_000_000, "the doors hold it", limit_seconds=30)
    day.settled()


def _rotates(day: WorstDay) -> bool:
    try:
        day.building.command("keys", "rotate")
    except NotReady:
        return False
    return True


def _is_as_in_the_backup(day: WorstDay, tables: dict[str, list[tuple[object, ...]]], files: dict[str, bytes]) -> None:
    now = day.tables()
    assert now.keys() == tables.keys()
    for name in tables.keys() - LIVE:
        more = [row for row in now[name] if row not in tables[name]]
        assert [row for row in tables[name] if row not in now[name]] == [], name
        assert len(more) == (1 if name in GROWN else 0), (name, more)
    restored = day.files()
    assert {name: restored.get(name) for name in files if name not in ("keys/session.key", "keys/rotation.json")} == {
        name: content for name, content in files.items() if name not in ("keys/session.key", "keys/rotation.json")
    }
    assert restored["keys/session.key"] != files["keys/session.key"]


def _doors_obey(day: WorstDay, held: int) -> None:
    """The numbers go on beyond what the doors had: rights, lock-downs and keys."""
    wait_for(lambda: min(day.held(day.front), day.held(day.side)) >= held, "the doors take their rights", limit_seconds=30)
    day.obeyed(day.say_lock_down(on=True))
    day.obeyed(day.say_lock_down(on=False))
    day.desk.block(day.tags[0])
    wait_for(lambda: min(day.held(day.front), day.held(day.side)) > held, "the doors know who is blocked", limit_seconds=30)
    known = "select count(*) from door_status where rights_known >= (select max(number) from rights_changes)"
    wait_for(lambda: day.number(known) == 2, "both say so", limit_seconds=30)
    refused = len(day.front.pins.rises("refused"))
    day.taps(day.front, 2)
    assert len(day.front.pins.rises("refused")) == refused + 1
    day.settled()
    last = day.desk.taps(2)
    assert {(tap.granted, tap.decided_by) for tap in last} == {(True, "server"), (False, "server")}


def _empty(url: str) -> None:
    """Drop the database and make an empty one of its name."""
    parsed = urlsplit(url)
    [host], name = parse_qs(parsed.query)["host"], parsed.path.strip("/")
    with psycopg.connect(host=host, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)')
        connection.execute(f'create database "{name}"')
