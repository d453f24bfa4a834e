# SPDX-License-Identifier: AGPL-3.0-or-later
"""The worst day: a hub in use is backed up, goes on, and loses its server. What it held is written down beside it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path

from sqlalchemy import MetaData, inspect, select, text

from booking_server.actors import Actor, Role
from booking_server.backups.making import make_backup
from booking_server.backups.sealing import make_key
from booking_server.config import load
from booking_server.db import Database
from booking_server.doors import lock_down
from booking_server.doors import service as doors
from booking_server.tags import service as tags
from tests.system.building import Building
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.one_door import AT, NUMBER, SECOND
from tests.system.processes import wait_for
from tests.system.settings_file import write_settings

STAFF = Actor.of("demo host", Role.ADMINISTRATOR)
Rows = list[tuple[object, ...]]


@dataclass
class WorstDay:
    """The hub, its two doors, and where its backups and their key lie."""

    building: Building
    desk: Desk
    front: Door
    side: Door
    space: int
    people: tuple[int, int]
    tags: tuple[int, int]
    identity: Path
    backups: Path
    tapped: dict[str, int] = field(default_factory=lambda: {"front": 0, "side": 0})

    def taps(self, door: Door, times: int) -> None:
        """Tap with both members' keytags in turn, each once the one before was answered."""

        def answers() -> int:
            return len(door.pins.rises("granted")) + len(door.pins.rises("refused"))

        def answered_since(before: int) -> bool:
            return answers() > before

        for number in range(times):
            waited_for = partial(answered_since, answers())
            door.tap(NUMBER if number % 2 else SECOND)
            wait_for(waited_for, "an answer")
            self.tapped[door.id] += 1

    def settled(self) -> None:
        """Wait until the doors are locked again and the server holds every event that they wrote."""
        open_still = "select count(*) from taps where granted and outcome is null"
        wait_for(lambda: not self.missing() and not self.number(open_still), "every event is here", limit_seconds=60)
        wait_for(lambda: not self.missing(), "every event is here", limit_seconds=60)

    def missing(self) -> set[tuple[str, int, str]]:
        """What the doors' own journals hold and the server does not, each by journal, number and hash."""
        return self.at_doors() - self.at_server()

    def at_server(self) -> set[tuple[str, int, str]]:
        with self.desk.database.read() as tx:
            return {tuple(row) for row in tx.execute(text("select journal, sequence, hash from events"))}

    def at_doors(self) -> set[tuple[str, int, str]]:
        found = set()
        for door in (self.front, self.side):
            file = door.folder / "state" / "journal.sqlite"
            with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as journal:
                rows = journal.execute("select journal, sequence, cast(content as blob) from event").fetchall()
            found |= {(each, number, hashlib.sha256(content).hexdigest()) for each, number, content in rows}
        return found

    def number(self, query: str) -> int:
        with self.desk.database.read() as tx:
            return int(tx.execute(text(query)).scalar_one() or 0)

    def tables(self) -> dict[str, Rows]:
        """Return all that stands in the database."""
        with self.desk.database.read() as tx:
            known = MetaData()
            known.reflect(tx)
            return {
                name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
                for name, table in known.tables.items()
                if name in inspect(tx).get_table_names()
            }

    def files(self) -> dict[str, bytes]:
        """Return what the state folder holds of keys, authority and identities."""
        return {
            str(path.relative_to(self.building.state)): path.read_bytes()
            for folder in ("keys", "authority", "identities")
            for path in sorted((self.building.state / folder).rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        }

    def held(self, door: Door) -> int:
        """The number of the snapshot that a door says that it holds."""
        with self.desk.database.read() as tx:
            return doors.door_states(tx)[door.id].status.snapshot_number

    def say_lock_down(self, *, on: bool) -> lock_down.Word:
        say = lock_down.lock_down if on else lock_down.lift
        with self.desk.database.write() as tx:
            [site] = {door.site_id for door in doors.doors(tx)}
            return say(tx, STAFF, now=self.desk.clock.now(), site_id=site, reason="drill")

    def obeyed(self, word: lock_down.Word) -> None:
        def all_did() -> bool:
            with self.desk.database.read() as tx:
                return all(lock_down.has_obeyed(word, state) for state in doors.door_states(tx).values())

        wait_for(all_did, "the doors obey", limit_seconds=30)

    def unblock(self, keytag: int) -> None:
        with self.desk.database.write() as tx:
            tags.unblock_tag(tx, STAFF, now=self.desk.clock.now(), keytag_id=keytag)

    def back_up_now(self) -> None:
        """Back up onto a stick, without a process of its own."""
        config = load(self.building.settings)
        make_backup(self.building.settings, config, now=self.desk.clock.now(), to=self.building.folder / "stick-backups")

    def backup(self) -> Path:
        """Back up by the command, and return the newest file."""
        self.building.command("backup")
        return max(self.backups.glob("*.age"))

    def destroy(self, *, database: bool = True) -> None:
        """End the server's processes at once and remove all of it: settings, keys, authority, data."""
        self.desk.database.close()
        self.building.kill_doors()
        self.building.cut_broker()
        shutil.rmtree(self.building.state)
        self.building.settings.unlink()
        if database:
            for end in ("", "-wal", "-shm"):
                Path(f"{self.building.folder / 'hub.sqlite'}{end}").unlink(missing_ok=True)

    def restore(self, file: Path) -> str:
        """Restore by the command, with the settings from the backup; the desk works in what was restored."""
        said = self.building.command("restore", file, "--identity", self.identity)
        self.desk = self.building.desk()
        return said


@contextmanager
def worst_day(database: str | None = None) -> Iterator[WorstDay]:
    """A hub with two doors that answer, and settings for backups."""
    with Building(at=AT, database=database, pulse_seconds=0.3) as building:
        identity, backups = building.folder / "stick", building.folder / "b"
        secret, public = make_key()
        identity.write_text(f"# kept on a stick\n{secret}\n", encoding="ascii")
        own = tomllib.loads(building.settings.read_text(encoding="utf-8"))
        write_settings(building.settings, {**own, "backup": {"recipient": public, "folder": str(backups), "keep": 2}})
        building.command("init", "--no-start", "--non-interactive")
        desk = building.desk()
        space = desk.space(desk.site("Hub"), "Studio", "co-creation", capacity=50)
        desk.price(space, "entry", 420, from_day=date(2026, 3, 1))
        for door in ("front", "side"):
            desk.door(door, door.title(), leads_into=space)
        people = desk.person("Aino Virtanen"), desk.person("Eetu Korhonen")
        keytags = desk.tag(people[0], NUMBER), desk.tag(people[1], SECOND)
        for person in people:
            desk.grant(person, space, from_day=date(2026, 3, 1))
        building.start_broker()
        building.start_doors()
        front, side = building.doors_made("front", "side", by_command=False)
        day = WorstDay(building, desk, front, side, space, people, keytags, identity, backups)
        wait_for(lambda: all(_has_rights(desk.database, each) for each in ("front", "side")), "rights", limit_seconds=30)
        yield day


def _has_rights(database: Database, door: str) -> bool:
    with database.read() as tx:
        state = doors.door_states(tx).get(door)
    return state is not None and state.status.snapshot_number > 0
