# SPDX-License-Identifier: AGPL-3.0-or-later
"""Entries taken in: events to taps and entries, durable and acknowledged, beside bare batched inserts of the same rows.

Both write the same rows into the same tables of an SQLite file with full sync, and commit as often. The product goes through
the process's own writer, ledger and lookups, from the events' bytes; only the wire is left out. The floor is sqlite3's
executemany.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec

from access_contract.entries import Outcome
from access_contract.messages import FIRST_PREVIOUS, Event, Passed, Tapped, What, event_hash
from access_contract.vocabulary import AccessPointId, ClockQuality, TagHash, TagNumber
from booking_server import schema
from booking_server.db import Database
from booking_server.doors.lookups import HubLookups
from booking_server.doors.storing import EventStore
from booking_server.doors.writer import BATCH_MAX, Shared, Writer
from booking_server.keys import make_keys
from booking_server.ledger.ingest import Sent
from booking_server.tags import service as tags
from tests.benchmarks.measure import Result, alternate
from tests.booking_server.hub import NOW, StillClock
from tests.system.desk import Desk

DOORS, TAGS, ENTRIES = 20, 400, 4_000
LIVE_ENTRIES = 1_500
TABLES = ("journals", "events", "event_bytes", "taps", "entries", "entry_people")
REPLAYED = 50
"""Events in one message of a door that sends again what it kept."""


def run() -> list[Result]:
    """Return replay (50 events a message) and live (one event a message) beside their floors."""
    with tempfile.TemporaryDirectory(prefix="hubkey-bench-") as folder:
        template = Path(folder) / "template.sqlite"
        known = _hub(template)
        return [
            _measured(Path(folder), template, known, per_message=REPLAYED, entries=ENTRIES, goal=0.10),
            _measured(Path(folder), template, known, per_message=1, entries=LIVE_ENTRIES, goal=0.10),
        ]


def _hub(file: Path) -> dict[str, list[TagHash]]:
    """Make doors, people and keytags; return the tags' names at each door."""
    database = Database(f"sqlite:///{file}")
    schema.upgrade(database)
    desk = Desk(database, make_keys(file.parent / "state"), StillClock())
    site = desk.site("Bench")
    for number in range(DOORS):
        desk.door(f"d{number}", f"D{number}", leads_into=desk.space(site, f"S{number}", "co-creation"))
    for number in range(TAGS):
        person = desk.person(f"P{number} Bench")
        desk.tag(person, TagNumber(b"\x04" + number.to_bytes(6, "big")))
        desk.grant(person, site, from_day=date(2026, 1, 1))
    with database.read() as tx:
        known = {f"d{n}": [name for _, name in tags.names_at_door(tx, f"d{n}")] for n in range(DOORS)}
    database.close()
    return known


def _events(known: dict[str, list[TagHash]], entries: int) -> dict[str, list[bytes]]:
    """Return for each door a chained journal of granted and entered taps."""
    found: dict[str, list[bytes]] = {}
    for number, (door, hashes) in enumerate(known.items()):
        previous, written = FIRST_PREVIOUS, found.setdefault(door, [])
        for tap in range(entries // DOORS):
            at = NOW + timedelta(seconds=tap * 7)
            what: list[What] = [
                Tapped(access_point=AccessPointId("in"), tag=hashes[(tap * 13 + number) % TAGS], granted=True, cause="grant:1"),
                Passed(tap=2 * tap + 1, outcome=Outcome.ENTERED),
            ]
            for offset, one in enumerate(what):
                event = Event(
                    journal=f"{door}-journal", sequence=2 * tap + 1 + offset, boot="b", at=at, monotonic_ms=tap * 7000,
                    clock=ClockQuality.SYNCED, previous=previous, what=one,
                )  # fmt: skip
                written.append(msgspec.json.encode(event))
                previous = event_hash(written[-1])
    return found


def _messages(journals: dict[str, list[bytes]], per_message: int) -> list[tuple[str, list[bytes]]]:
    """Cut the journals into messages, the doors taking turns as they would."""
    cut = {d: [kept[at : at + per_message] for at in range(0, len(kept), per_message)] for d, kept in journals.items()}
    longest = max(len(messages) for messages in cut.values())
    return [(door, messages[turn]) for turn in range(longest) for door, messages in cut.items() if turn < len(messages)]


def _measured(
    folder: Path, template: Path, known: dict[str, list[TagHash]], *, per_message: int, entries: int, goal: float
) -> Result:
    messages = _messages(_events(known, entries), per_message)
    made = sum(len(contents) for _, contents in messages) / 2
    _product(folder, template, messages)
    rows = stored_rows(folder / "product.sqlite")
    floors, products = alternate(
        lambda: [bare_inserts(folder, template, rows, commits=-(-len(messages) // BATCH_MAX))],
        lambda: [_product(folder, template, messages)],
    )
    rates, floor_rates = sorted(made / row[0] for row in products), sorted(made / row[0] for row in floors)
    what = "one event a message" if per_message == 1 else f"{per_message} events a message"
    return Result(
        name=f"entries taken in, {what}",
        floor_name="bare batched inserts of the same rows",
        unit="entry/s",
        floor_p50=floor_rates[len(floor_rates) // 2],
        floor_p99=floor_rates[0],
        p50=rates[len(rates) // 2],
        p99=rates[0],
        goal=goal,
        higher_is_better=True,
    )


def stored_rows(file: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Return what the product stored, by table."""
    database = sqlite3.connect(file)
    stored = {table: database.execute(f"select * from {table}").fetchall() for table in TABLES}  # noqa: S608
    database.close()
    return stored


def bare_inserts(folder: Path, template: Path, stored: dict[str, list[tuple[Any, ...]]], *, commits: int) -> float:
    file = _fresh(folder, template, "floor.sqlite")
    database = sqlite3.connect(file, isolation_level=None)
    for statement in ("pragma journal_mode=wal", "pragma synchronous=full"):
        database.execute(statement)
    began = time.perf_counter()
    for turn in range(commits):
        database.execute("begin immediate")
        for table, rows in stored.items():
            share = rows[len(rows) * turn // commits : len(rows) * (turn + 1) // commits]
            if share:
                marks = ",".join("?" * len(share[0]))
                database.executemany(f"insert into {table} values ({marks})", share)  # noqa: S608
        database.execute("commit")
    taken = time.perf_counter() - began
    database.close()
    return taken


def _fresh(folder: Path, template: Path, name: str) -> Path:
    for old in folder.glob(f"{name}*"):
        old.unlink()
    return Path(shutil.copy(template, folder / name))


def _product(folder: Path, template: Path, messages: list[tuple[str, list[bytes]]]) -> float:
    file = _fresh(folder, template, "product.sqlite")
    database = Database(f"sqlite:///{file}")
    writer, left, all_said = Writer(database), [len(messages)], threading.Event()

    def said(_stored: Any) -> None:
        left[0] -= 1
        if not left[0]:
            all_said.set()

    store = EventStore(HubLookups(), StillClock())
    for door, contents in messages:
        writer.put(Shared(item=Sent(door, contents), write_all=store.write_all, done=said))
    began = time.perf_counter()
    writer.start()
    all_said.wait(120)
    taken = time.perf_counter() - began
    writer.stop()
    database.close()
    if writer.fault is not None:
        raise writer.fault
    return taken
