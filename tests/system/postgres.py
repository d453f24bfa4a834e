# SPDX-License-Identifier: AGPL-3.0-or-later
"""A PostgreSQL of the tests' own: a cluster in a temporary folder behind a socket there, gone with its folder afterwards.

It listens on no port and touches no cluster of the machine. PostgreSQL refuses root, so under root it runs as `nobody`.
Nothing in it needs to survive, so it lies in memory where there is room and never waits for a disk: it is not for measuring.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.system import parts
from tests.system.processes import Processes

_PREFIX = "hubkey-postgres-"
_MEMORY = Path("/dev/shm")  # noqa: S108
_MEMORY_BYTES_MIN = 2_000_000_000
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": "60",
    "shared_buffers": "32MB",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running PostgreSQL. Databases are addressed by the URL that `Database` takes."""

    programs: Path
    socket_folder: Path
    _numbers: Iterator[int] = field(default_factory=count)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket_folder}"

    def create(self, *, template: str = "template0") -> str:
        """Make a database, empty or a copy of `template` (to which nobody may be connected), and return its name."""
        name = f"hub_{next(self._numbers)}"
        statement = sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        with self._connected() as connection:
            if connection.info.server_version >= 150_000:
                statement += sql.SQL(" strategy file_copy")
            connection.execute(statement)
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self._connected() as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def dump(self, name: str) -> bytes:
        """All that stands in a database, as `pg_dump` writes it."""
        command: list[str | Path] = [self.programs / "pg_dump", "-h", self.socket_folder, "-U", "postgres", name]
        return subprocess.run(command, check=True, capture_output=True).stdout

    def _connected(self) -> psycopg.Connection:
        return psycopg.connect(host=str(self.socket_folder), user="postgres", dbname="postgres", autocommit=True)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Run a cluster; at the end whoever is still connected is turned out.

    Ask `parts.postgres_bin()` first whether there is one to run.
    """
    programs = parts.postgres_bin()
    assert programs is not None, parts.missing("PostgreSQL")
    where = _MEMORY if _has_room(_MEMORY) else Path(tempfile.gettempdir())
    _sweep(where)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=where))
    try:
        with _locked(folder), Processes(folder / "logs") as processes:
            _make(programs, folder)
            settings = [word for key, value in _SETTINGS.items() for word in ("-c", f"{key}={value}")]
            run: list[str | Path] = [programs / "postgres", "-D", folder / "data", "-k", folder, *settings]
            server = processes.start("postgres", _as_allowed_user(run), folder=folder)
            server.wait_until(lambda: _is_ready(programs, folder))
            try:
                yield Cluster(programs, folder)
            finally:
                server.process.send_signal(signal.SIGINT)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder's lock while this process lives; the lock is there only once it is held."""
    with (folder / "lock.new").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        (folder / "lock.new").rename(folder / "lock")
        yield


def _sweep(where: Path) -> None:
    """Remove the clusters of test runs that were killed: nobody holds their locks any more."""
    for lock in where.glob(f"{_PREFIX}*/lock"):
        with suppress(OSError), lock.open() as left:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent)


def _make(programs: Path, folder: Path) -> None:
    if os.geteuid() == 0:
        os.chown(folder, _nobody().pw_uid, _nobody().pw_gid)
    init: list[str | Path] = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "--no-sync"]
    command = _as_allowed_user([*init, "-E", "UTF8", "--locale=C.UTF-8"])
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > _MEMORY_BYTES_MIN


def _is_ready(programs: Path, folder: Path) -> bool:
    return subprocess.run([programs / "pg_isready", "-q", "-h", folder], check=False).returncode == 0


def _as_allowed_user(command: Sequence[str | Path]) -> list[str | Path]:
    if os.geteuid() != 0:
        return list(command)
    return ["setpriv", f"--reuid={_nobody().pw_uid}", f"--regid={_nobody().pw_gid}", "--clear-groups", *command]


def _nobody() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
