# SPDX-License-Identifier: AGPL-3.0-or-later
"""What must be known before an update touches anything: which package, from which version to which, and is there room."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from sqlalchemy import make_url

from booking_server import schema
from booking_server.config import Config
from booking_server.db import Database
from booking_server.errors import BookingServerError
from booking_server.updating.alone import packages

PACKAGE = "hubkey-server"
_POSTGRES_SIZE = "pg_database_size(current_database())"
_SPARE_BYTES = 300 * 1024 * 1024


class NotUpdated(BookingServerError):
    """Nothing was changed; the message says why."""


def package_file(given: Path | None, folder: Path) -> Path:
    """Return the package to install: the one given, or the newest that apt knows, fetched into `folder`. Raise NotUpdated."""
    if given is not None:
        if not given.is_file():
            raise NotUpdated("{file}: there is no such package", file=given)
        return given.resolve()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in folder.glob("*.deb"):
        old.unlink()
    _told(["apt-get", "--quiet", "update"], folder)
    _told(["apt-get", "--quiet", "-o", "APT::Sandbox::User=root", "download", PACKAGE], folder)
    return next(folder.glob("*.deb"))


def version_of(file: Path) -> str:
    """Return the version in a package file. Raise NotUpdated unless it is one of the server's, for this machine."""
    said = _told(["dpkg-deb", "--field", str(file), "Package", "Version", "Architecture"], file.parent)
    fields = dict(line.partition(": ")[::2] for line in said.splitlines())
    if fields.get("Package") != PACKAGE:
        raise NotUpdated("{file} is the package {found}, not {wanted}", file=file, found=fields.get("Package"), wanted=PACKAGE)
    here = _told(["dpkg", "--print-architecture"], file.parent).strip()
    if fields.get("Architecture") not in (here, "all"):
        raise NotUpdated(
            "{file} is for {found}, and this machine is {here}", file=file, found=fields["Architecture"], here=here
        )
    return fields["Version"]


def versions(file: Path) -> tuple[str, str]:
    """Return from which version to which `file` leads. Raise NotUpdated unless that is forward."""
    before, after = packages.installed(PACKAGE), version_of(file)
    if not before:
        raise NotUpdated("{package} is not installed whole: apt install --fix-broken, then again", package=PACKAGE)
    if before == after:
        raise NotUpdated("{version} is installed already; there is nothing to do", version=before)
    if subprocess.run(["dpkg", "--compare-versions", after, "lt", before], check=False).returncode == 0:
        said = (
            "{after} is older than {before}, which is installed. To go back to the version before: booking-server update --undo"
        )
        raise NotUpdated(said, after=after, before=before)
    return before, after


def must_have_room(database_bytes: int, folder: Path) -> None:
    """Raise NotUpdated where the copies of package and database would not find room in `folder`."""
    wanted = 2 * database_bytes + _SPARE_BYTES
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < wanted:
        said = "{folder}: {free} MB are free, and the update needs {wanted} MB for copies to go back to"
        raise NotUpdated(said, folder=folder, free=free // 10**6, wanted=wanted // 10**6)


def address_of(config: Config) -> dict[str, str]:
    """Return where the database is, in words that need no library of ours."""
    url = make_url(config.database)
    if url.get_backend_name() == "sqlite":
        return {"file": str(url.database)}
    plain = url._replace(drivername="postgresql", password=None).render_as_string(hide_password=False)
    return {"uri": plain, "password": str(url.password or "")}


def look_at_database(config: Config) -> tuple[str, int]:
    """Return the database's revision and its bytes. Raise BadConfiguration if its tables are not this version's."""
    database = Database(config.database)
    size = "page_count * page_size from pragma_page_count, pragma_page_size" if database.is_sqlite else _POSTGRES_SIZE
    try:
        schema.must_be_current(database)
        with database.read() as tx:
            return schema.revision(database), int(tx.exec_driver_sql(f"select {size}").scalar_one())
    finally:
        database.close()


def _told(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotUpdated("{program}: {why}", program=command[0], why=(said or ["failed"])[0].removeprefix("E: "))
    return done.stdout
