# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gathers all that a hub is into one folder while it runs: the database as of one instant, keys, authority, settings, secrets.

The database first, the files after it: a certificate too many harms nobody, one that is missing would put a door out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import msgspec
from alembic.migration import MigrationContext
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, make_url

from booking_server.backups.sealing import BackupError
from booking_server.broker.writing import alone
from booking_server.config import Config
from booking_server.db import Database

FORMAT = 1
MANIFEST, SETTINGS, SQLITE, DUMP = "manifest.json", "settings/server.toml", "database.sqlite", "database.dump"
STATE, SECRETS = "state/", "secrets/"
LEFT_OUT = ("before-restore-", ".")
"""What begins so in the state folder is of a backup or a restore itself, or a file that is being written."""
_SECRET_FILES: dict[str, Callable[[Config], str]] = {
    "mail.password_file": lambda config: config.mail.password_file,
    "sign_in.federated.client_secret_file": lambda config: config.sign_in.federated.client_secret_file,
    "web.certificate": lambda config: config.web.certificate,
    "web.key": lambda config: config.web.key,
}


class File(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a backup: its SHA-256, its mode, and for a secret outside the state folder where it belongs."""

    sha256: str
    mode: int
    path: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. `schema` is the revision of its database, `files` all that it holds beside this."""

    format: int
    version: str
    schema: str
    at: datetime
    name: str
    database: str
    files: dict[str, File]


def collect(config_file: Path, config: Config, folder: Path, *, now: datetime) -> list[str]:
    """Copy everything into `folder` and return the names of its files in the order to be packed. Raise BackupError; OSError."""
    files: dict[str, File] = {}
    database = SQLITE if make_url(config.database).get_backend_name() == "sqlite" else DUMP
    copy_database(config, folder / database)
    _take(config_file, folder, SETTINGS, files)
    for name, path in secret_files(config).items():
        _take(path, folder, f"{SECRETS}{name}", files, path_kept=str(path))
    with ExitStack() as held:
        for each in ("keys", "authority"):
            held.enter_context(alone(config.folder / each))
        for path in state_files(config):
            _take(path, folder, f"{STATE}{path.relative_to(config.folder)}", files)
    files[database] = File(sha256=sha256_of(folder / database), mode=0o600)
    manifest = Manifest(
        format=FORMAT,
        version=version("hubkey"),
        schema=_revision(config),
        at=now,
        name=config.name,
        database=database,
        files=files,
    )
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))
    return [MANIFEST, *files]


def secret_files(config: Config) -> dict[str, Path]:
    """Return the files outside the state folder that the settings name, by the setting; those that are there."""
    return {setting: path for setting, path in secret_paths(config).items() if path.is_file()}


def secret_paths(config: Config) -> dict[str, Path]:
    """Return where those files are or belong."""
    return {setting: Path(of(config)) for setting, of in _SECRET_FILES.items() if of(config)}


def state_files(config: Config) -> Iterator[Path]:
    """Yield what is to be kept of the state folder: no database, no lock, no backup."""
    apart = {sqlite_file(config), *([Path(config.backup.folder)] if config.backup.folder else [])}
    for above, folders, names in os.walk(config.folder):
        folders[:] = sorted(one for one in folders if not one.startswith(LEFT_OUT) and Path(above, one) not in apart)
        for path in (Path(above, name) for name in sorted(names)):
            stem = path.with_name(path.name.removesuffix("-wal").removesuffix("-shm"))
            passing = path.name.startswith(LEFT_OUT) or path.suffix in (".lock", ".pid") or stem in apart
            if not passing and path.is_file() and not path.is_symlink():
                yield path


def sqlite_file(config: Config) -> Path | None:
    """Return the database's file; None if it is another's."""
    url = make_url(config.database)
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def copy_database(config: Config, to: Path) -> None:
    """Copy the database as of one instant, however busy it is. Raise BackupError."""
    file = sqlite_file(config)
    if file is not None:
        _copy_sqlite(file, to)
        return
    run_postgres(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={to}"], make_url(config.database))


def _copy_sqlite(file: Path, to: Path) -> None:
    if not file.exists():
        raise BackupError("{file}: there is no database yet; run booking-server init", file=str(file))
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
            source.backup(target)
            target.execute("pragma journal_mode = delete")
            said = target.execute("pragma quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise BackupError("{file}: the database cannot be copied ({why})", file=str(file), why=str(error)) from None
    if said != "ok":
        raise BackupError("{file}: the database is damaged ({why}); an earlier backup may be whole", file=str(file), why=said)


def run_postgres(command: list[str], url: URL) -> None:
    """Run one of PostgreSQL's own programs on this database. Raise BackupError with what it says."""
    known = {"host": url.host, "port": url.port, "user": url.username, **url.query}
    where = make_conninfo(dbname=url.database or "", **{key: str(value) for key, value in known.items() if value is not None})
    run_program([*command, f"--dbname={where}"], password=str(url.password) if url.password else None)


def run_program(command: list[str], *, password: str | None = None) -> None:
    """Run one of PostgreSQL's own programs. The password goes by the environment: all users can read a command line."""
    environment = {**os.environ, **({"PGPASSWORD": password} if password is not None else {})}
    try:
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment)
    except FileNotFoundError:
        raise BackupError("{program} is not installed: apt install postgresql-client", program=command[0]) from None
    if told.returncode:
        said = told.stderr.decode(errors="replace").strip().splitlines() or ["it ended without a word"]
        raise BackupError("{program}: {why}", program=command[0], why=said[0].removeprefix(f"{command[0]}: "))


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _take(path: Path, folder: Path, name: str, files: dict[str, File], *, path_kept: str = "") -> None:
    to = folder / name
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(path, to)
    files[name] = File(sha256=sha256_of(to), mode=path.stat().st_mode & 0o777, path=path_kept)


def _revision(config: Config) -> str:
    database = Database(config.database)
    try:
        with database.read() as tx:
            return MigrationContext.configure(tx).get_current_revision() or ""
    finally:
        database.close()
