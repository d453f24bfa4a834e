# SPDX-License-Identifier: AGPL-3.0-or-later
"""The decision alone, at 100 000 tags, beside one raw SQLite query over the same rights."""

from __future__ import annotations

import random
import sqlite3
from datetime import UTC, datetime, timedelta

from access_contract.decide import decide
from access_contract.snapshot import LiveFacts, Right, Snapshot, TagRights, Window
from access_contract.vocabulary import AccessPointId, DoorId, Moment, TagHash
from tests.benchmarks.measure import Result, alternate, compared, timed

TAGS = 100_000
CALLS = 3_000
AT = datetime(2026, 1, 28, 12, 0, tzinfo=UTC)
IN = AccessPointId("in")
QUERY = """select 1 from tag t join held h on h.tag = t.hash join span s on s.name = h.windows
           where t.hash = ? and h.point = ? and s.start_at <= ? and ? < s.end_at limit 1"""


def _snapshot() -> Snapshot:
    sets = {
        f"w{n}": tuple(
            Window(AT + timedelta(days=day, hours=-n % 6), AT + timedelta(days=day, hours=4)) for day in range(-1, 34)
        )
        for n in range(50)
    }
    tags = {
        TagHash(f"{n:064x}"): TagRights(rights=(Right(cause=f"grant:{n}", windows=f"w{n % 50}", access_points=(IN,)),))
        for n in range(TAGS)
    }
    return Snapshot(door=DoorId("d"), number=1, made_at=AT, expires_at=AT + timedelta(days=14), window_sets=sets, tags=tags)


def _database(snapshot: Snapshot) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
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
    return database


def run() -> list[Result]:
    """Return the decision beside its floor. Goal: no slower than the query."""
    snapshot = _snapshot()
    database = _database(snapshot)
    chosen = random.Random(1).sample(sorted(snapshot.tags), CALLS)  # noqa: S311
    moment, live, at = Moment(now=AT, access_point=IN), LiveFacts(), str(AT)
    floors, products = alternate(
        lambda: [timed(lambda t=tag: database.execute(QUERY, (t, IN, at, at)).fetchone()) for tag in chosen],  # type: ignore[misc]
        lambda: [timed(lambda t=tag: decide(snapshot, live, t, moment)) for tag in chosen],  # type: ignore[misc]
    )
    return [compared("decision, 100 000 tags", "one raw SQLite query", floors, products, goal=1.0)]
