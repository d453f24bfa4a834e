# SPDX-License-Identifier: AGPL-3.0-or-later
"""What files tell: room on disks, modes and owners, the last backup, the clock, and which of this hub's processes run."""

from __future__ import annotations

import ctypes
import os
import pwd
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy import make_url

import booking_server
from booking_server.broker.settings import broker_folder
from booking_server.config import BadConfiguration, Config
from booking_server.doctor.facts import BackupFact, FileFact, ProcessFact, Room

FILES_MAX = 20_000
COMMANDS = ("web", "doors", "mail")
_TIME_ERROR, _STA_UNSYNC = 5, 0x0040
_STEPPED = (Path("/run/systemd/timesync/synchronized"),)


class _Backup(msgspec.Struct):
    at: datetime
    file: str
    bytes: int = 0


def rooms(config: Config) -> Iterator[Room]:
    """Yield the room where state, database and backups lie; each file system once."""
    file, seen = sqlite_file(config), set()
    places = [("state_folder", config.folder), ("database", None if file is None else file.parent)]
    places.append(("backup.folder", Path(config.backup.folder) if config.backup.folder else None))
    for what, folder in places:
        if folder is None or not folder.exists():
            continue
        device = folder.stat().st_dev
        if device not in seen:
            seen.add(device)
            yield room(what, folder)


def sqlite_file(config: Config) -> Path | None:
    """Return the file that the hub's database is; None for PostgreSQL."""
    url = make_url(config.database)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def holds_password(config: Config) -> bool:
    """True if the settings themselves hold a secret: the database's password."""
    return bool(make_url(config.database).password)


def room(what: str, folder: Path) -> Room:
    found = os.statvfs(folder)
    return Room(
        what=what,
        folder=str(folder),
        free_bytes=found.f_bavail * found.f_frsize,
        bytes=found.f_blocks * found.f_frsize,
        free_files=found.f_favail,
        files=found.f_files,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )


def folder_fact(folder: Path) -> FileFact | None:
    with suppress(OSError):
        return _fact(folder, secret=True, inside=True)
    return None


def files(config: Config, config_file: Path | None) -> Iterator[FileFact]:
    """Yield every file of the state folder, and what else the settings name that holds a secret."""
    for count, path in enumerate(_below(config.folder)):
        if count == FILES_MAX:
            break
        with suppress(OSError):
            yield _fact(path, secret=_is_secret(path), inside=True)
    named = [config.mail.password_file, config.sign_in.federated.client_secret_file, config.web.key]
    database = sqlite_file(config)
    outside = [Path(name) for name in named if name]
    outside += [] if config_file is None or not holds_password(config) else [config_file]
    outside += [] if database is None else [database]
    for path in outside:
        if not path.is_relative_to(config.folder):
            with suppress(OSError):
                yield _fact(path, secret=True, inside=False)


def missing(config: Config) -> tuple[str, ...]:
    """Return the settings that name a file which is not there."""
    named = {
        "mail.password_file": config.mail.password_file,
        "sign_in.federated.client_secret_file": config.sign_in.federated.client_secret_file,
        "web.certificate": config.web.certificate,
        "web.key": config.web.key,
        "backup.folder": config.backup.folder,
    }
    return tuple(f"{key} is {name!r}" for key, name in named.items() if name and not _exists(Path(name)))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return True  # it lies where we may not look


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        for name in (*folders, *names):
            yield Path(where) / name


def _is_secret(path: Path) -> bool:
    return path.suffix == ".key" or path.name == "key.pem"


def _is_reached(path: Path) -> bool:
    """True if every folder on the way lets everybody through."""
    return all(folder.stat().st_mode & 0o001 for folder in path.absolute().parents)


def _fact(path: Path, *, secret: bool, inside: bool) -> FileFact:
    found = path.lstat()
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    mode = found.st_mode & 0o7777
    return FileFact(
        path=str(path), mode=mode if inside or _is_reached(path) else mode & ~0o007, owner=owner, secret=secret, inside=inside
    )


def backup(folder: Path) -> BackupFact | None:
    """Return what the last backup left behind; None if none was ever made here."""
    with suppress(OSError, msgspec.DecodeError):
        found = msgspec.json.decode((folder / "backup.json").read_bytes(), type=_Backup)
        at = found.at if found.at.tzinfo else found.at.replace(tzinfo=UTC)
        return BackupFact(at=at, file=found.file, is_there=_exists(Path(found.file)))
    return None


def is_synced() -> bool | None:
    """Ask the kernel, which every time service tells; None where it cannot be asked."""
    timex = (ctypes.c_long * 64)()  # modes = 0 reads only; larger than any struct timex
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state == -1:
        return True if any(file.exists() for file in _STEPPED) else None
    status = ctypes.cast(timex, ctypes.POINTER(ctypes.c_int))[5 * ctypes.sizeof(ctypes.c_long) // ctypes.sizeof(ctypes.c_int)]
    return bool(state != _TIME_ERROR and not status & _STA_UNSYNC)


def broker_runs(config: Config) -> bool:
    """True if the broker that the settings were written for runs."""
    with suppress(OSError, ValueError, BadConfiguration):
        folder = broker_folder(config)
        process = int((folder / "broker.pid").read_text(encoding="ascii"))
        return str(folder / "mosquitto.conf").encode() in _words(process)
    return False


def processes(config_file: Path | None) -> Iterator[ProcessFact]:
    """Yield this hub's processes: those that were started with these settings, or with the settings that are the default."""
    booted = _booted()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            words = [word.decode(errors="replace") for word in _words(int(entry.name))]
            command = _command(words, config_file)
            if command is not None and booted is not None:
                yield ProcessFact(command=command, pid=int(entry.name), since=_since(entry, booted))


def _command(words: list[str], config_file: Path | None) -> str | None:
    at = next((at for at, word in enumerate(words[:4]) if Path(word).name == "booking-server"), None)
    if at is None or not words or words[-1] not in COMMANDS:
        return None
    named = next((word for before, word in zip(words[at:], words[at + 1 :], strict=False) if before == "--config"), None)
    return words[-1] if named is None or config_file is None or Path(named) == config_file else None


def _words(process: int) -> list[bytes]:
    return Path(f"/proc/{process}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")


def _booted() -> float | None:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return None


def _since(entry: Path, booted: float) -> datetime:
    ticks = int((entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    return datetime.fromtimestamp(booted + ticks / os.sysconf("SC_CLK_TCK"), UTC)


def installed_at() -> datetime:
    """Return when this version came to lie here: the instant its files were put in place, whatever date they carry."""
    return datetime.fromtimestamp(Path(booking_server.__file__).stat().st_ctime, UTC)
