# SPDX-License-Identifier: AGPL-3.0-or-later
"""The decision alone at 1 000, 10 000 and 100 000 tags, beside one raw SQLite query over the same rights.

At the server the rights lie in memory. At the door they lie in its snapshot's file, and a decision begins by looking the tag up
there; the floor under that is the same query in a file.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from access_contract.decide import Decision, decide
from access_contract.snapshot import LiveFacts, Right, Snapshot, TagRights, Window, head_of
from access_contract.vocabulary import AccessPointId, DoorId, Moment, TagHash
from booking_server.access.door_rights import DoorRights
from door_agent.machine import empty_head
from door_agent.snapshots import SnapshotStore
from tests.benchmarks.measure import Result, alternate, compared, timed
from tests.door_agent.snapshot_files import keep, tag

SIZES = (1_000, 10_000, 100_000)
CALLS = 3_000
AT = datetime(2026, 1, 28, 12, 0, tzinfo=UTC)
IN = AccessPointId("in")
DOOR = DoorId("d")
GOAL_SERVER, GOAL_DOOR = 1.0, 5.0
QUERY = """select 1 from tag t join held h on h.tag = t.hash join span s on s.name = h.windows
           where t.hash = ? and h.point = ? and s.start_at <= ? and ? < s.end_at limit 1"""


def run() -> list[Result]:
    """Return for each number of tags the decision at the server and at the door, each beside its floor."""
    return [result for tags in SIZES for result in _at(tags)]


def _at(tags: int) -> list[Result]:
    snapshot = _snapshot(tags)
    chosen = random.Random(1).choices(sorted(snapshot.tags), k=CALLS)  # noqa: S311
    moment = Moment(now=AT, access_point=IN)
    size = f"{tags:,} tags".replace(",", " ")
    with tempfile.TemporaryDirectory(prefix="hubkey-bench-") as folder:
        index, store = _index(snapshot), _store(Path(folder) / "snapshot.sqlite", snapshot)

        def alone(name: TagHash) -> Decision:
            return decide(store.look_up(name), None, name, moment)

        memory, file = _database(":memory:", snapshot), _database(str(Path(folder) / "floor.sqlite"), snapshot)
        return [
            _beside(f"decision at the server, {size}", memory, chosen, GOAL_SERVER, lambda t: decide(index, LIVE, t, moment)),
            _beside(f"decision at the door, {size}", file, chosen, GOAL_DOOR, alone),
        ]


LIVE = LiveFacts()


def _beside(
    name: str, database: sqlite3.Connection, chosen: list[TagHash], goal: float, decided: Callable[[TagHash], Decision]
) -> Result:
    if not all(decided(tag).granted for tag in chosen[:50]):
        raise RuntimeError(f"{name}: the tags are not admitted")
    at = str(AT)
    floors, products = alternate(
        lambda: [timed(lambda t=tag: database.execute(QUERY, (t, IN, at, at)).fetchone()) for tag in chosen],  # type: ignore[misc]
        lambda: [timed(lambda t=tag: decided(t)) for tag in chosen],  # type: ignore[misc]
    )
    database.close()
    return compared(name, "one raw SQLite query", floors, products, goal=goal)


def _snapshot(tags: int) -> Snapshot:
    sets = {
        f"w{n}": tuple(
            Window(AT + timedelta(days=day, hours=-1 - n % 6), AT + timedelta(days=day, hours=4)) for day in range(-1, 34)
        )
        for n in range(50)
    }
    held = {
        tag(n): TagRights(rights=(Right(cause=f"grant:{n}", windows=f"w{n % 50}", access_points=(IN,)),)) for n in range(tags)
    }
    return Snapshot(door=DOOR, number=1, made_at=AT, expires_at=AT + timedelta(days=14), window_sets=sets, tags=held)


def _index(snapshot: Snapshot) -> DoorRights:
    buckets: dict[str, dict[TagHash, TagRights]] = {}
    for name, held in snapshot.tags.items():
        buckets.setdefault(name[:2], {})[name] = held
    return DoorRights(
        head=head_of(snapshot), digest="", window_sets=snapshot.window_sets, windows_digest="", buckets=buckets,
        bucket_digests={}, uses=Counter(),
    )  # fmt: skip


def _store(file: Path, snapshot: Snapshot) -> SnapshotStore:
    """The door's own, all of it proven as it is some moments after a start."""
    keep(file, snapshot)
    store = SnapshotStore(file, empty_head(DOOR))
    if store.layers.file is not None:
        store.layers.file.prove_all()
    return store


def _database(where: str, snapshot: Snapshot) -> sqlite3.Connection:
    database = sqlite3.connect(where)
    database.executescript(
        """create table tag (hash text primary key) without rowid;
           create table held (tag text, windows text, point text); create table span (name text, start_at text, end_at text);"""
    )
    database.executemany("insert into tag values (?)", ((tag,) for tag in snapshot.tags))
    rows = ((tag, right.windows, IN) for tag, held in snapshot.tags.items() for right in held.rights)
    database.executemany("insert into held values (?, ?, ?)", rows)
    spans = ((name, str(w.start), str(w.end)) for name, windows in snapshot.window_sets.items() for w in windows)
    database.executemany("insert into span values (?, ?, ?)", spans)
    database.executescript("create index held_tag on held (tag); create index span_name on span (name, start_at, end_at);")
    database.commit()
    return database
