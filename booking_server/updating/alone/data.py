# SPDX-License-Identifier: AGPL-3.0-or-later
"""Copies a database while nobody uses it, and puts the copy back: all of it, or what was there stays.

A copy counts once its mark lies beside it. Whose the files were, they are again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .moving import Failed
from .record import sync_folder

_DROP = """
do $$ declare one record; begin
  for one in select tablename from pg_tables where schemaname = current_schema() loop
    execute format('drop table if exists %I cascade', one.tablename);
  end loop;
  for one in select sequencename from pg_sequences where schemaname = current_schema() loop
    execute format('drop sequence if exists %I cascade', one.sequencename);
  end loop;
  for one in select oid::regprocedure as name from pg_proc where pronamespace = current_schema()::regnamespace
      and not exists (select from pg_depend where objid = pg_proc.oid and deptype = 'e') loop
    execute 'drop function if exists ' || one.name || ' cascade';
  end loop;
end $$;
"""
"""Everything of ours goes; what comes back is in the same transaction."""


def copy(database: dict[str, str], to: Path, user: Sequence[str]) -> None:
    """Copy it into the folder `to`. `user` is how a program is run as the hub's own user. Raise Failed or OSError."""
    mark = to / "database.whole"
    mark.unlink(missing_ok=True)
    if "file" in database:
        for suffix in ("", "-wal"):
            (to / f"database{suffix}").unlink(missing_ok=True)
            if Path(f"{database['file']}{suffix}").exists():
                _copied(Path(f"{database['file']}{suffix}"), to / f"database{suffix}")
    else:
        with (to / "database").open("wb") as out:
            _run([*user, "pg_dump", "--no-owner", "--no-privileges", "--dbname", database["uri"]], database, stdout=out)
            os.fsync(out.fileno())
    mark.touch()
    sync_folder(to)


def is_whole(folder: Path) -> bool:
    """True if there is a copy to put back."""
    return (folder / "database.whole").exists()


def put_back(database: dict[str, str], held: Path, user: Sequence[str]) -> None:
    """Make the database what the copy in `held` is. Raise Failed or OSError."""
    if "file" in database:
        _put_back_file(Path(database["file"]), held)
        return
    drop = held / "drop.sql"
    drop.write_text(_DROP, encoding="ascii")
    words = ["psql", "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--single-transaction", "--dbname", database["uri"]]
    with (held / "both.sql").open("wb+") as both:
        for part in (drop, held / "database"):
            with part.open("rb") as reading:
                shutil.copyfileobj(reading, both)
        both.seek(0)
        _run([*user, *words], database, stdin=both, stdout=subprocess.DEVNULL)
    (held / "both.sql").unlink()


def _put_back_file(file: Path, held: Path) -> None:
    """The log beside a file belongs to it alone: it goes first, and its copy comes last."""
    for suffix in ("-wal", "-shm"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    _copied(held / "database", file.with_name(f"{file.name}.coming"))
    file.with_name(f"{file.name}.coming").replace(file)
    if (held / "database-wal").exists():
        _copied(held / "database-wal", Path(f"{file}-wal"))
    sync_folder(file.parent)


def copy_folder(folder: Path, to: Path) -> None:
    """Make `to` the same as `folder`, owners and modes too; whole or not at all."""
    coming = to.with_name(f"{to.name}.coming")
    shutil.rmtree(coming, ignore_errors=True)
    coming.mkdir(mode=0o700)
    for entry in sorted(folder.rglob("*")):
        _copied_entry(entry, coming / entry.relative_to(folder))
    _owned_as(folder, coming)
    gone = to.with_name(f"{to.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    if to.exists():
        to.rename(gone)
    coming.rename(to)
    sync_folder(to.parent)
    shutil.rmtree(gone, ignore_errors=True)


def put_folder_back(folder: Path, held: Path) -> None:
    """Write every file of `held` into `folder` where it differs, each whole. What is new there stays."""
    for entry in sorted(held.rglob("*")):
        to = folder / entry.relative_to(held)
        if entry.is_dir():
            to.mkdir(exist_ok=True)
        elif entry.is_symlink() or (to.is_file() and to.read_bytes() == entry.read_bytes()):
            continue
        else:
            _copied(entry, to.with_name(f"{to.name}.coming"))
            to.with_name(f"{to.name}.coming").replace(to)


def _copied_entry(entry: Path, to: Path) -> None:
    if entry.is_symlink():
        to.symlink_to(entry.readlink())
    elif entry.is_dir():
        to.mkdir()
        _owned_as(entry, to)
    elif entry.is_file():
        _copied(entry, to)


def _copied(file: Path, to: Path) -> None:
    shutil.copy2(file, to)
    _owned_as(file, to)
    with to.open("rb") as written:
        os.fsync(written.fileno())


def _owned_as(one: Path, other: Path) -> None:
    found = one.stat()
    os.chown(other, found.st_uid, found.st_gid)
    other.chmod(found.st_mode & 0o7777)


def _run(command: list[str], database: dict[str, str], **streams: object) -> None:
    environment = {**os.environ, "PGPASSWORD": database.get("password", "")} if database.get("password") else None
    try:
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, check=False, **streams)  # type: ignore[call-overload]
    except FileNotFoundError as error:
        raise Failed(f"{error.filename} is not installed: apt install postgresql-client") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Failed(next((line for line in said if "error" in line.lower()), said[-1] if said else f"{command[-3]} failed"))
