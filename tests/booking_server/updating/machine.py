# SPDX-License-Identifier: AGPL-3.0-or-later
"""A machine in a folder: a package is a file, the database SQLite, a hub that runs a file. Its power can be cut anywhere."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from booking_server.updating.alone import data, record
from booking_server.updating.alone.moving import Failed, Steps, move
from booking_server.updating.alone.record import Plan, Record


class PowerCut(BaseException):
    """No step may catch it."""


@dataclass
class Machine:
    """`breaks` names the steps that fail; `cuts` counts down to the power cut, one for each thing that a step does."""

    root: Path
    breaks: set[str] = field(default_factory=set)
    cuts: int = -1
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.root / "update"
        if not self.folder.exists():
            self.folder.mkdir()
            (self.root / "etc").mkdir()
            (self.root / "etc" / "server.toml").write_text("old")
            self.package, self.runs = "1", True
            self.query("create table kept (what text)")
            self.query("insert into kept values ('before')")
            self.query("pragma user_version = 1")

    @property
    def database(self) -> dict[str, str]:
        return {"file": str(self.root / "hub.sqlite")}

    def query(self, statement: str) -> list[str]:
        with closing(sqlite3.connect(self.root / "hub.sqlite")) as database, database:
            return [str(row[0]) for row in database.execute(statement)]

    @property
    def package(self) -> str:
        return (self.root / "package").read_text()

    @package.setter
    def package(self, version: str) -> None:
        (self.root / "package").write_text(version)

    @property
    def runs(self) -> bool:
        return (self.root / "runs").exists()

    @runs.setter
    def runs(self, on: bool) -> None:
        if on:
            (self.root / "runs").touch()
        else:
            (self.root / "runs").unlink(missing_ok=True)

    def state(self) -> tuple[str, str, str, bool]:
        """Package, tables, settings, whether it runs."""
        tables = self.query("pragma user_version")[0]
        return self.package, tables, (self.root / "etc" / "server.toml").read_text(), self.runs

    def begin(self, **words: object) -> Record:
        plan = Plan("hub", "1", "2", "2.deb", str(self.root / "etc" / "server.toml"), "", self.database, revision_before="1")
        record.write(self.folder, Record(plan, **words))  # type: ignore[arg-type]
        return self.go()

    def go(self) -> Record:
        return move(self.folder, lambda found: Hands(self, found), self.said.append)

    def does(self) -> None:
        """Something is about to be done, or was just done."""
        if self.cuts == 0:
            raise PowerCut
        self.cuts -= 1


class Hands(Steps):
    """The steps, each in pieces between which the power may be cut."""

    def __init__(self, machine: Machine, found: Record) -> None:
        self.machine, self.found = machine, found
        self.before = machine.folder / "before"

    def _do(self, step: str) -> Iterator[None]:
        """The first half of a step, then whether it fails, then its second half."""
        self.machine.does()
        yield
        self.machine.does()
        if step in self.machine.breaks:
            raise Failed("it was to fail")

    def keep(self) -> None:
        for _ in self._do("keep"):
            shutil.rmtree(self.before, ignore_errors=True)
            self.before.mkdir()
            (self.before / "package").write_text(self.machine.package)
            data.copy_folder(self.machine.root / "etc", self.before / "settings")

    def stop(self) -> None:
        for _ in self._do("stop"):
            self.machine.runs = False

    def copy(self) -> None:
        for _ in self._do("copy"):
            assert not self.machine.runs
            data.copy(self.machine.database, self.before, [])

    def copy_again(self) -> None:
        (self.machine.folder / "after").mkdir(exist_ok=True)
        data.copy(self.machine.database, self.machine.folder / "after", [])

    def install(self) -> None:
        for _ in self._do("install"):
            self.machine.package = "half of 2"
            self.machine.does()
            self.machine.package = "2"

    def migrate(self) -> None:
        for _ in self._do("migrate"):
            assert self.machine.package == "2"
            self.machine.query("pragma user_version = 2")
            (self.machine.root / "etc" / "server.toml").write_text("new")

    def start(self) -> None:
        for _ in self._do(f"start {self.machine.package}"):
            self.machine.runs = True

    def check(self) -> None:
        for _ in self._do(f"check {self.machine.package}"):
            assert self.machine.runs
            self.machine.query(f"insert into kept values ('served by {self.machine.package}')")  # noqa: S608

    def downgrade(self) -> None:
        for _ in self._do("downgrade"):
            if "downgrade" in self.machine.breaks:
                raise Failed("it was to fail")
            if not self.found.restore:
                assert self.machine.package == "2"
                self.machine.query("pragma user_version = 1")

    def undo_package(self) -> None:
        for _ in self._do("undo_package"):
            self.machine.package = (self.before / "package").read_text()

    def undo_data(self) -> None:
        for _ in self._do("undo_data"):
            assert not self.machine.runs
            if self.found.restores_data and data.is_whole(self.before):
                data.put_back(self.machine.database, self.before, [])

    def undo_settings(self) -> None:
        for _ in self._do("undo_settings"):
            data.put_folder_back(self.machine.root / "etc", self.before / "settings")
