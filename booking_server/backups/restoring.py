# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts a hub back from a backup: all of it, or the machine is as it was.

Everything is unpacked beside its place, checked, brought to this version and let go on; only then it is moved to where it
belongs, the keys last, without which nothing starts. What was there before is moved aside, never deleted.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import SQLAlchemyError

from booking_server import schema
from booking_server.access import changes
from booking_server.backups.collecting import (
    DUMP,
    LEFT_OUT,
    SECRETS,
    SQLITE,
    Manifest,
    run_postgres,
    run_program,
    secret_paths,
    sqlite_file,
)
from booking_server.backups.going_on import go_on
from booking_server.backups.sealing import BackupError
from booking_server.backups.unpacking import Sealed, unpack
from booking_server.broker.settings import write_broker
from booking_server.config import Config
from booking_server.db import Database
from booking_server.keys import make_keys

STAGE, _PLACING = ".restoring", "placing"
_LAST = "keys"


@dataclass(frozen=True, slots=True)
class Secret:
    """A file outside the state folder, as it was in the backup."""

    path: Path
    content: bytes


@dataclass(frozen=True, slots=True)
class Restored:
    """What is to be put in place still, and where what was there before lies now."""

    secrets: list[Secret]
    aside: Path | None


def restore(config: Config, sealed: Sealed, *, now: datetime, over: bool) -> Restored:
    """Put database and state folder back, as these settings say where. `over` moves aside what is there.

    Raise BackupError; BadConfiguration; OSError: until it began to move files nothing is changed.
    """
    stage = config.folder / STAGE
    over = over or (stage / _PLACING).exists()  # an earlier restore was cut short while it moved files
    _check_still(config)
    if not over:
        _check_empty(config)
    with ExitStack() as ends:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        ends.callback(shutil.rmtree, stage, ignore_errors=True)
        try:
            manifest = unpack(sealed, stage / "content")
        except OSError as error:
            raise BackupError(
                "{folder}: the backup cannot be unpacked ({why})", folder=str(stage), why=error.strerror
            ) from None
        _check_kind(config, manifest)
        secrets = _secrets(config, stage / "content", manifest)
        _let_go_on(config, stage / "content", manifest, now=now, over=over)
        aside = _place(config, stage, now=now)
        write_broker(config)
    return Restored(secrets, aside)


def _check_still(config: Config) -> None:
    """A hub whose processes work is not put back under their hands."""
    with suppress(FileNotFoundError), (config.folder / f"{config.broker.identity}.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise BackupError("the hub is running here; stop it first: systemctl stop 'booking-server-*'") from None


def _check_empty(config: Config) -> None:
    there = next(iter(_entries(config.folder)), None)
    if there is not None:
        raise BackupError(
            "{folder} holds a hub already ({name}); --over moves it aside", folder=str(config.folder), name=there.name
        )
    file = sqlite_file(config)
    if file is not None and file.exists():
        raise BackupError("{file} is there already; --over moves it aside", file=str(file))
    if file is None and _tables(config):
        raise BackupError("the database that the settings name holds tables already; --over removes them all")


def _check_kind(config: Config, manifest: Manifest) -> None:
    wanted = SQLITE if sqlite_file(config) is not None else DUMP
    if manifest.database != wanted:
        kinds = {SQLITE: "SQLite", DUMP: "PostgreSQL"}
        raise BackupError(
            "the backup holds a database of {found}, and the settings name one of {wanted}; set database accordingly",
            found=kinds.get(manifest.database, manifest.database),
            wanted=kinds[wanted],
        )


def _entries(folder: Path) -> Iterator[Path]:
    """Yield what belongs to a hub in its state folder; no trace of a restore, and no lock."""
    for entry in sorted(folder.iterdir()) if folder.exists() else ():
        if not entry.name.startswith(LEFT_OUT) and entry.name != "lost+found" and entry.suffix != ".lock":
            yield entry


def _tables(config: Config) -> list[str]:
    database = Database(config.database)
    try:
        with database.read() as tx:
            return inspect(tx).get_table_names()
    finally:
        database.close()


def _secrets(config: Config, content: Path, manifest: Manifest) -> list[Secret]:
    """Where each belongs say the settings in force. The backup's own word for it counts nothing: who makes one up, which takes
    no secret, would have any file of the machine written."""
    named = {f"{SECRETS}{setting}": path for setting, path in secret_paths(config).items()}
    return [Secret(path, (content / name).read_bytes()) for name, path in named.items() if name in manifest.files]


# --- made ready beside its place ---


def _let_go_on(config: Config, content: Path, manifest: Manifest, *, now: datetime, over: bool) -> None:
    """Bring database and keys to this version, and their numbers beyond what doors can have."""
    newest = _newest_there(config) if over else 0
    if manifest.database == DUMP:
        _load(config, content, over=over)
    database = Database(config.database if manifest.database == DUMP else f"sqlite:///{content / SQLITE}")
    try:
        schema.upgrade(database)
        (content / "state" / "keys" / "session.key").unlink(missing_ok=True)  # whoever was signed in signs in once more
        make_keys(content / "state")
        go_on(database, content / "state", now=now, backup_at=manifest.at, version=manifest.version, at_least=newest)
    finally:
        database.close()


def _newest_there(config: Config) -> int:
    """Return the newest rights change of the hub that is to be moved aside, if it can be read."""
    file = sqlite_file(config)
    if file is not None and not file.exists():
        return 0
    database = Database(config.database)
    try:
        with database.read() as tx:
            return changes.latest_change(tx)
    except SQLAlchemyError:
        return 0
    finally:
        database.close()


def _load(config: Config, content: Path, *, over: bool) -> None:
    """All of the dump, or none of it."""
    script = content / "database.sql"
    run_program(["pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(content / DUMP)])
    clean = ["-c", "drop schema public cascade", "-c", "create schema public"] if over else []
    command = ["psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
    run_postgres([*command, *clean, f"--file={script}"], make_url(config.database))


# --- moved to its place ---


def _place(config: Config, stage: Path, *, now: datetime) -> Path | None:
    """Move everything to where it belongs; return where lies what was there before, if anything was."""
    content, file = stage / "content", sqlite_file(config)
    if file is not None and not _same_disk(file.parent, stage):
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(content / SQLITE, file.with_name(f"{file.name}.restoring"))
    os.sync()
    (stage / _PLACING).touch()
    aside = _move_aside(config, now)
    if file is not None:
        beside = file.with_name(f"{file.name}.restoring")
        (beside if beside.exists() else content / SQLITE).replace(file)
    state = content / "state"
    for entry in sorted(state.iterdir(), key=lambda one: one.name == _LAST):
        entry.replace(config.folder / entry.name)
    os.sync()
    return aside


def _same_disk(one: Path, other: Path) -> bool:
    return one.exists() and one.stat().st_dev == other.stat().st_dev


def _move_aside(config: Config, now: datetime) -> Path | None:
    aside, file = config.folder / f"before-restore-{now.strftime('%Y%m%dT%H%M%SZ')}", sqlite_file(config)
    outside = [] if file is None or file.parent == config.folder else [Path(f"{file}{end}") for end in ("", "-wal", "-shm")]
    moved = [*_entries(config.folder), *(one for one in outside if one.exists())]
    for entry in moved:
        aside.mkdir(mode=0o700, exist_ok=True)
        to = aside / entry.name
        if entry.is_dir() or _same_disk(entry.parent, aside):
            entry.replace(to)
        else:
            shutil.move(entry, to)
    return aside if moved else None
