# SPDX-License-Identifier: AGPL-3.0-or-later
"""How fast a change of rights is where it counts: a blocked keytag at all of 20 doors, and a whole snapshot at one.

Both are over when the door itself says so: with the status in which it reports the snapshot that is in force.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

import msgspec

from access_contract import topics
from access_contract.messages import Request, Status
from access_contract.vocabulary import DoorId, TagNumber
from booking_server.tags import service as tags
from tests.benchmarks.bare_mqtt import Bare
from tests.benchmarks.measure import Result, alternate, compared
from tests.benchmarks.round_trip import Commit, RoundTrip, ear, grant_ear
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.processes import wait_for

DOORS, BLOCKED = 20, 12
TAGS = 10_000
GOAL_BLOCKED, GOAL_SNAPSHOT = 10.0, 3.0
FROM = date(2026, 1, 1)


def run() -> list[Result]:
    """Return blocked keytags told to all doors and said by all doors, then a whole snapshot."""
    return [*_blocked(), _whole_snapshot()]


Said = Status | Request | Literal["told", "else"]


def _said(line: Bare) -> tuple[str, Said]:
    """Return which door something is about next, and what: its status, its request, that it was told of its snapshot."""
    topic, content = line.receive_all()
    door = topic.split("/")[3]
    if topic == topics.status(DoorId(door)):
        return door, msgspec.json.decode(content, type=Status)
    if topic == topics.up(DoorId(door), "request") and b"csr" not in content:
        return door, msgspec.json.decode(content, type=Request)
    return door, "told" if topic == topics.down(DoorId(door), "snapshot") else "else"


# --- a keytag is blocked ---


def _blocked() -> list[Result]:
    """Beside a round trip and a commit one after the other: what the change at least needs.

    All doors share this machine's cores, so what they do with what they are told is measured too, and also without it.
    """
    with Building(at=datetime.now(UTC)) as building, ExitStack() as stack:  # noqa: TID251
        desk, held = _many_doors(building)
        grant_ear(building)
        round_trip, commit = RoundTrip(building, stack), Commit(building.folder / "floor.sqlite", stack)
        turns = [held[at : at + BLOCKED] for at in range(0, len(held), BLOCKED)]
        told: list[list[float]] = []
        floors, products = alternate(
            lambda: [round_trip.take() + commit.take() for _ in range(200)],
            lambda: _block_all(building, desk, turns.pop(), told),
        )
    floor = "a round trip and a commit with full sync"
    return [
        compared(name, floor, floors, rounds, goal=GOAL_BLOCKED, unit="ms", scale=1e3)
        for name, rounds in ((f"keytag blocked, {DOORS} doors told", told), (f"keytag blocked, {DOORS} doors say so", products))
    ]


def _many_doors(building: Building) -> tuple[Desk, list[int]]:
    """Doors that all hold as many keytags as will be blocked; return these."""
    building.command("init")
    desk = building.desk()
    site = desk.site("Bench")
    names = [desk.door(f"d{n}", f"D{n}", leads_into=desk.space(site, f"S{n}", "co-creation")) for n in range(DOORS)]
    held = []
    for number in range(BLOCKED * 3):
        person = desk.person(f"P{number} Bench")
        held.append(desk.tag(person, _number(number)))
        desk.grant(person, site, from_day=FROM)
    building.start_broker()
    building.start_doors()
    building.doors_made(*names, by_command=False)
    wait_for(lambda: all(desk.online(name) for name in names), "the doors are online", limit_seconds=60)
    return desk, held


def _block_all(building: Building, desk: Desk, held: list[int], told: list[list[float]]) -> list[float]:
    """Return for each keytag the seconds until all doors said so; add to `told` those until the last door was told."""
    taken, sent = [], []
    with ear(building) as line:
        numbers, _ = _all_beyond(line, {f"d{number}": 0 for number in range(DOORS)})
        for keytag in held:
            began = time.perf_counter()
            desk.block(keytag)
            numbers, last_told = _all_beyond(line, numbers)
            taken.append(time.perf_counter() - began)
            sent.append(last_told - began)
    told.append(sent)
    return taken


def _all_beyond(line: Bare, before: dict[str, int]) -> tuple[dict[str, int], float]:
    """Return what each door reports, once that is newer than `before` at every one, and when the last was told."""
    found: dict[str, int] = {}
    last_told = 0.0
    while len(found) < len(before):
        door, said = _said(line)
        if said == "told":
            last_told = time.perf_counter()
        if isinstance(said, Status) and said.snapshot_digest is not None and said.snapshot_number > before[door]:
            found[door] = said.snapshot_number
    return found, last_told


# --- a whole snapshot ---


def _whole_snapshot() -> Result:
    """Beside the rows of the door's own file, written once more without a thought."""
    with Building(at=datetime.now(UTC)) as building:  # noqa: TID251
        _many_tags(building)
        building.start_broker()
        building.start_doors()
        grant_ear(building)
        building.door("d0", start=False, contact={})
        _asked_anew(building)
        rows = _rows(building.folder / "d" / "d0" / "state" / "snapshot.sqlite")
        floors, products = alternate(
            lambda: [_written(building.folder / "rows.sqlite", rows) for _ in range(3)],
            lambda: [_asked_anew(building) for _ in range(3)],
        )
    name = f"snapshot of {TAGS} tags, asked to in force"
    return compared(name, "raw SQLite write of its rows", floors, products, goal=GOAL_SNAPSHOT, unit="ms", scale=1e3)


def _many_tags(building: Building) -> None:
    building.command("init")
    desk = building.desk()
    site = desk.site("Bench")
    desk.door("d0", "D0", leads_into=desk.space(site, "S", "co-creation"))
    holders = [desk.person("P0 Bench")]
    desk.grant(holders[0], site, from_day=FROM)
    with desk.database.write() as tx:
        now = desk.clock.now()
        for number in range(TAGS):
            tags.hand_out_tag(
                tx, desk.actor, now=now, vault=desk.keys.vault, number=_number(number), person_id=holders[0]
            )  # fmt: skip


def _asked_anew(building: Building) -> float:
    """Start the door without a snapshot; return the seconds from its request to the status that reports one."""
    door = building.doors["d0"]
    for file in (door.folder / "state").glob("snapshot.sqlite*"):
        file.unlink()
    with ear(building) as line:
        door.start()
        asked = _until(line, lambda said: isinstance(said, Request))
        reported = _until(line, lambda said: isinstance(said, Status) and said.snapshot_digest is not None and said.online)
        wait_for(lambda: (door.folder / "state" / "snapshot.sqlite").exists(), "the snapshot is on the disk")
    door.stop()
    return reported - asked


def _until(line: Bare, wanted: Callable[[Said], bool]) -> float:
    while not wanted(_said(line)[1]):
        pass
    return time.perf_counter()


def _rows(file: Path) -> list[tuple[bytes, bytes]]:
    database = sqlite3.connect(file)
    rows = database.execute("select hash, content from tag").fetchall()
    database.close()
    if len(rows) != TAGS:
        raise RuntimeError(f"the door holds {len(rows)} tags")
    return rows


def _written(file: Path, rows: list[tuple[bytes, bytes]]) -> float:
    for old in file.parent.glob(f"{file.name}*"):
        old.unlink()
    began = time.perf_counter()
    database = sqlite3.connect(file, isolation_level=None)
    for statement in ("pragma journal_mode=wal", "pragma synchronous=full"):
        database.execute(statement)
    database.execute("create table tag (hash blob primary key, content blob not null) without rowid")
    database.execute("begin immediate")
    database.executemany("insert into tag values (?, ?)", rows)
    database.execute("commit")
    taken = time.perf_counter() - began
    database.close()
    return taken


def _number(number: int) -> TagNumber:
    return TagNumber(b"\x04" + number.to_bytes(6, "big"))
