# SPDX-License-Identifier: AGPL-3.0-or-later
"""A week offline, sent again: a journal goes from its door through the real broker into the server's database.

Beside bare batched inserts of the same rows into the same tables. `BENCH_EVENTS` says how many events the journal holds.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from access_contract.entries import Outcome
from access_contract.messages import Passed, Tapped
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, TagHash, TagNumber
from booking_server.tags import service as tags
from door_agent.journal import Journal
from tests.benchmarks.ingest import bare_inserts, stored_rows
from tests.benchmarks.measure import Result, alternate
from tests.system.building import Building
from tests.system.processes import wait_for

EVENTS = int(os.environ.get("BENCH_EVENTS", "20000"))
PEOPLE, GOAL = 50, 0.1
DAYS_AWAY = 7
_ACKNOWLEDGED = "select max(up_to) from journals"
LIMIT_SECONDS = 600


def run() -> list[Result]:
    """Return events a second, from the door's first message to the server's last commit."""
    with Building(at=datetime.now(UTC)) as building:  # noqa: TID251
        hashes = _hub(building)
        template = building.folder / "template.sqlite"
        _copy(building.folder / "hub.sqlite", template)
        building.start_broker()
        building.door("d0", start=False, contact={})
        journal = building.folder / "journal.sqlite"
        _week(journal, hashes, building.hand.clock.now())
        _sent_again(building, template, journal)
        rows = stored_rows(building.folder / "hub.sqlite")
        commits = EVENTS // 50
        floors, products = alternate(
            lambda: [bare_inserts(building.folder, template, rows, commits=commits)],
            lambda: [_sent_again(building, template, journal)],
        )
    rates, floor_rates = sorted(EVENTS / r[0] for r in products), sorted(EVENTS / r[0] for r in floors)
    return [
        Result(
            name=f"a journal of {EVENTS} events sent again",
            floor_name="bare batched inserts of the same rows",
            unit="event/s",
            floor_p50=floor_rates[len(floor_rates) // 2],
            floor_p99=floor_rates[0],
            p50=rates[len(rates) // 2],
            p99=rates[0],
            goal=GOAL,
            higher_is_better=True,
        )
    ]


def _hub(building: Building) -> list[TagHash]:
    """One door, people who may pass it; return their tags' names there."""
    building.command("init")
    desk = building.desk()
    site = desk.site("Bench")
    desk.door("d0", "D0", leads_into=desk.space(site, "S", "co-creation"))
    for number in range(PEOPLE):
        person = desk.person(f"P{number} Bench")
        desk.tag(person, TagNumber(b"\x04" + number.to_bytes(6, "big")))
        desk.grant(person, site, from_day=date(2026, 1, 1))
    with desk.database.read() as tx:
        return [name for _, name in tags.names_at_door(tx, DoorId("d0"))]


def _week(file: Path, hashes: list[TagHash], now: datetime) -> None:
    """Write the journal of a door that was used all week, granted and entered each time."""
    journal = Journal(file)
    began = now - timedelta(days=DAYS_AWAY)
    step = timedelta(days=DAYS_AWAY) / EVENTS
    for number in range(EVENTS // 2):
        at, mono = began + 2 * number * step, time.monotonic()
        tap = Tapped(
            access_point=AccessPointId("in"), tag=hashes[number % PEOPLE], granted=True, cause=f"grant:{number % PEOPLE + 1}"
        )
        sequence = journal.append(tap, at=at, monotonic=mono, clock=ClockQuality.SYNCED)
        journal.append(Passed(tap=sequence, outcome=Outcome.ENTERED), at=at, monotonic=mono, clock=ClockQuality.SYNCED)
    journal.close()


def _copy(file: Path, to: Path) -> None:
    with sqlite3.connect(file) as database:
        database.execute("pragma wal_checkpoint(truncate)")
    shutil.copy(file, to)


def _sent_again(building: Building, template: Path, journal: Path) -> float:
    """Begin with an empty ledger and a full journal; return the seconds from the first stored event to the last."""
    hub, door = building.folder / "hub.sqlite", building.doors["d0"]
    _fresh(template, hub)
    (door.folder / "state").mkdir(exist_ok=True)
    _fresh(journal, door.folder / "state" / "journal.sqlite")
    building.start_doors()
    with sqlite3.connect(f"file:{hub}?mode=ro", uri=True, isolation_level=None) as database:
        door.start()
        began = wait_for(lambda: _reached(database, 1), "the first event is stored")
        ended = _watched(database)
    door.kill()
    building.kill_doors()
    return ended - began


def _watched(database: sqlite3.Connection) -> float:
    until = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < until:
        if found := _reached(database, EVENTS):
            return found
        time.sleep(0.02)
    raise RuntimeError(f"{EVENTS} events were not stored within {LIMIT_SECONDS} s")


def _reached(database: sqlite3.Connection, sequence: int) -> float | None:
    [(found,)] = database.execute(_ACKNOWLEDGED).fetchall()
    return time.perf_counter() if found is not None and found >= sequence else None


def _fresh(file: Path, to: Path) -> None:
    for old in to.parent.glob(f"{to.name}*"):
        old.unlink()
    shutil.copy(file, to)
