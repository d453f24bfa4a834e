# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a file taken in whole or not at all: killed in the middle, twice at once, and when it is large?"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import func, select

from access_contract.vocabulary import TagNumber
from booking_server.db import metadata
from booking_server.importing.applying import import_people
from booking_server.importing.planning import Options, Plan
from booking_server.importing.reading import sheet_of
from booking_server.tags.tables import door_tags
from tests.booking_server.hub import HOST, NOW, Hub

SEED = 20261125
OPTIONS = Options(language="fi", today=NOW.date())


def numbers(count: int) -> list[TagNumber]:
    """So many keytags, each with a number of its own."""
    chance = random.Random(SEED)  # noqa: S311
    return [TagNumber(b"\x04" + chance.randbytes(2) + number.to_bytes(4, "big")) for number in range(count)]


def text(count: int) -> bytes:
    """A file of so many people, each with a keytag and access."""
    rows = (f"Person {n};p{n}@example.org;Katu {n};{number};Omnia;" for n, number in enumerate(numbers(count)))
    return b"name;email;address;keytag;access;until\n" + "\n".join(rows).encode()


def everything(hub: Hub) -> dict[str, int]:
    with hub.desk.database.read() as tx:
        return {t.name: tx.execute(select(func.count()).select_from(t)).scalar_one() for t in metadata.sorted_tables}


def take(hub: Hub, content: bytes) -> Plan:
    desk = hub.desk
    with desk.database.write() as tx:
        return import_people(
            tx, HOST, now=NOW, vault=desk.keys.vault, sheet=sheet_of(content), options=OPTIONS, file="people.csv"
        )


def killed_at(hub: Hub, database_url: str, folder: Path, statement: int) -> bool:
    """Import in a process of its own and kill it before its nth statement; False if it was done by then."""
    command = [sys.executable, "-m", "tests.booking_server.importing.importer"]
    words = [database_url, str(folder / "people.csv"), str(folder / "state")]
    with subprocess.Popen([*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as importing:
        assert importing.stdin is not None
        assert importing.stdout is not None
        for _ in range(statement):
            if importing.stdout.readline() != "next\n":
                return False
            importing.stdin.write("\n")
            importing.stdin.flush()
        importing.kill()
    return True


def check_killed(hub: Hub, database_url: str, folder: Path, statements: list[int]) -> None:
    (folder / "people.csv").write_bytes(text(40))
    before = everything(hub)
    for statement in statements:
        assert killed_at(hub, database_url, folder, statement), "it was done before"
        assert everything(hub) == before, statement
    assert take(hub, text(40)).counts["new"] == 40


def test_a_killed_import_leaves_nothing(hub: Hub, database_url: str, tmp_path: Path) -> None:
    """kill -9 before the keytags and before the end: not a row is there, and the next try does all of it."""
    check_killed(hub, database_url, tmp_path, [12, 22])


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_same_before_each_statement(hub: Hub, database_url: str, tmp_path: Path) -> None:
    """The full count."""
    check_killed(hub, database_url, tmp_path, list(range(1, 24)))


def test_the_same_file_twice_at_once_counts_once(hub: Hub) -> None:
    """One does it, the other waits and then finds nothing left to do."""
    with ThreadPoolExecutor(2) as pool:
        done = [future.result(30) for future in [pool.submit(take, hub, text(60)) for _ in range(2)]]
    assert sorted((one.counts["new"], one.counts["same"]) for one in done) == [(0, 60), (60, 0)]


def check_large(hub: Hub, people: int, doors: int, most_seconds: float) -> None:
    for number in range(doors - 2):
        hub.desk.door(f"door-{number}", f"Door {number}", leads_into=hub.site)
    began = time.monotonic()
    assert take(hub, text(people)).counts["new"] == people
    took = time.monotonic() - began
    with hub.desk.database.read() as tx:
        assert tx.execute(select(func.count()).select_from(door_tags)).scalar_one() == people * doors
    assert took < most_seconds, f"{people} people at {doors} doors took {took:.1f} s"
    assert take(hub, text(people)).does_nothing


def test_every_keytag_is_named_at_every_door(hub: Hub) -> None:
    """A few hundred people at five doors, in seconds."""
    check_large(hub, 300, 5, 10)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_people_at_25_doors(hub: Hub) -> None:
    """The size of a college, within a minute."""
    check_large(hub, 10_000, 25, 60)
