# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 6: do no two people ever hold one place, however many clients book at once?"""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select

from booking_server.bookings.tables import bookings
from booking_server.db import Database
from tests.booking_server.bookings.client import HALF_HOUR
from tests.booking_server.hub import NOW, Hub
from tests.system import parts
from tests.system.processes import Child, Processes, wait_for

CLIENTS = 8
CAPACITIES = (1, 3)


class Attempt(NamedTuple):
    """What one client tried, and whether it got it."""

    space: int
    start: datetime
    end: datetime
    got: bool


@pytest.mark.timeout(900)
@pytest.mark.parametrize("tries", [60, pytest.param(400, marks=pytest.mark.soak)])
def test_a_space_is_never_overbooked_and_never_refused_without_cause(
    hub: Hub, database_url: str, tmp_path: Path, tries: int
) -> None:
    """Eight processes book at once: no instant is held by more than its space takes, and who was refused met a full one."""
    same = {_space(hub, f"Same {capacity}", capacity): capacity for capacity in CAPACITIES}
    mixed = {_space(hub, f"Mixed {capacity}", capacity): capacity for capacity in CAPACITIES}
    wanted = [*map(str, same), *(f"{space}:mixed" for space in mixed)]
    attempts = _contend(tmp_path / "clients", [database_url, hub.aino], [tries, *wanted])
    for space, capacity in (same | mixed).items():
        tried = [attempt for attempt in attempts if attempt.space == space]
        held = _held(hub.desk.database, space)
        assert sorted((attempt.start, attempt.end) for attempt in tried if attempt.got) == held
        _check_exact(tried, held, capacity, tries)
        assert len(tried) == CLIENTS * tries
        assert space in mixed or len(held) == capacity * tries


def _check_exact(tried: Sequence[Attempt], held: Sequence[tuple[datetime, datetime]], capacity: int, tries: int) -> None:
    steps = [NOW + number * HALF_HOUR for number in range(tries + 4)]
    together = {at: sum(start <= at < end for start, end in held) for at in steps}
    assert max(together.values()) == capacity
    for one in tried:
        full = any(together[at] == capacity for at in steps if one.start <= at < one.end)
        assert one.got or full, f"{one} was refused, but was free"


def _space(hub: Hub, name: str, capacity: int) -> int:
    return hub.desk.space(hub.site, name, "pop-up", capacity=capacity, bookable=True)


def _contend(logs: Path, who: Sequence[object], wanted: Sequence[object]) -> list[Attempt]:
    with Processes(logs) as processes:
        clients = [_start(processes, number, [*who, number, *wanted]) for number in range(1, CLIENTS + 1)]
        for client in clients:
            client.wait_until(client.said, limit_seconds=60)
        for client in clients:
            assert client.process.stdin is not None
            client.process.stdin.write(b"go\n")
            client.process.stdin.flush()
        wait_for(lambda: not processes.running(), "all clients done", limit_seconds=800)
        for client in clients:
            assert client.process.returncode == 0, client.last_lines()
        said = [attempt for client in clients for attempt in json.loads(client.said().splitlines()[-1])]
    return [Attempt(space, datetime.fromisoformat(start), datetime.fromisoformat(end), got) for space, start, end, got in said]


def _start(processes: Processes, number: int, words: Sequence[object]) -> Child:
    command = [sys.executable, "-m", "tests.booking_server.bookings.client", *map(str, words)]
    return processes.start(f"client-{number}", command, folder=parts.CHECKOUT, stdin=subprocess.PIPE)


def _held(database: Database, space: int) -> list[tuple[datetime, datetime]]:
    with database.read() as tx:
        found = tx.execute(select(bookings.c.start_at, bookings.c.end_at).where(bookings.c.space_id == space))
        return sorted((start, end) for start, end in found)
