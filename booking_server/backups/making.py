# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes a backup while the hub runs: whole under its final name, or not there at all. Only the newest are kept.

It is sealed to a key that is not here, so whoever gets hold of it, or of this machine, reads none of the earlier ones.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import pyrage

from booking_server.backups.collecting import collect
from booking_server.backups.sealing import BackupError, seal
from booking_server.broker.writing import SECRET, write
from booking_server.config import BadConfiguration, Config

RECORD = "backup.json"
_STAGE, _PART = ".backup-", ".part"
NO_RECIPIENT = (
    "backup.recipient is not set: make a key with `booking-server backup key`, keep it away from this machine, and write its"
    " public half (age1...) there"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A backup that was made. `file` is None where only the owner's command took it."""

    at: datetime
    file: Path | None
    bytes: int


class _Record(msgspec.Struct, frozen=True):
    at: datetime
    file: str
    bytes: int


def make_backup(config_file: Path, config: Config, *, now: datetime, to: Path | None = None) -> Made:
    """Make a backup into backup.folder and hand it to backup.command; or only into `to`, and hand it to nobody.

    Raise BadConfiguration where it is not settled to whom and where to, BackupError or OSError for all else: then what was
    there before is still there, and nothing new.
    """
    recipient = _recipient(config_file, config)
    folder = to or (Path(config.backup.folder) if config.backup.folder else None)
    if folder is None and not config.backup.command:
        raise BadConfiguration(f"{config_file}: neither backup.folder nor backup.command is set; set one, or say --to FOLDER")
    name = f"{_prefix(config)}{now.strftime('%Y%m%dT%H%M%SZ')}.age"
    with ExitStack() as ends:
        stage = _stage(config.folder, ends)
        target = (folder or stage) / name
        _make_folder(folder)
        members = collect(config_file, config, stage / "content", now=now)
        beside = target.with_name(f".{name}{_PART}")
        beside.unlink(missing_ok=True)
        seal(stage / "content", members, beside, recipient)
        beside.rename(target)
        _sync(target.parent)
        size = target.stat().st_size
        if to is None and config.backup.command:
            _hand_over(config.backup.command, target)
    if to is None and folder is not None:
        _let_go(folder, config)
    made = Made(at=now, file=None if folder is None else target, bytes=size)
    _note(config, made, name)
    return made


def last_made(state_folder: Path) -> datetime | None:
    """Return when the last backup was made that went wherever it was to go; None if none ever was."""
    try:
        return msgspec.json.decode((state_folder / RECORD).read_bytes(), type=_Record).at
    except (OSError, msgspec.DecodeError):
        return None


def _recipient(config_file: Path, config: Config) -> str:
    recipient = config.backup.recipient
    if not recipient:
        raise BadConfiguration(f"{config_file}: {NO_RECIPIENT}")
    try:
        pyrage.x25519.Recipient.from_str(recipient)
    except pyrage.RecipientError:
        raise BadConfiguration(
            f"{config_file}: backup.recipient is {recipient!r}; allowed is the public half of a key of age (age1...)"
        ) from None
    return recipient


def _prefix(config: Config) -> str:
    return f"hubkey-{re.sub(r'[^a-z0-9]+', '-', config.name.lower()).strip('-') or 'hub'}-"


def _stage(state_folder: Path, ends: ExitStack) -> Path:
    """Return an empty folder that nobody else reads and that is gone afterwards; what a killed backup left goes now."""
    if not state_folder.is_dir():
        raise BadConfiguration(
            f"state_folder is {str(state_folder)!r}, which is not there; make the hub with: booking-server init"
        )
    lock = ends.enter_context((state_folder / "backup.lock").open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise BackupError("another backup is being made just now; wait for its end") from None
    for left in state_folder.glob(f"{_STAGE}*"):
        shutil.rmtree(left, ignore_errors=True)
    stage = state_folder / f"{_STAGE}{os.getpid()}"
    stage.mkdir(mode=0o700)
    ends.callback(shutil.rmtree, stage, ignore_errors=True)
    (stage / "content").mkdir(mode=0o700)
    return stage


def _make_folder(folder: Path | None) -> None:
    if folder is None:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f".hubkey-*.age{_PART}"):
        left.unlink()


def _hand_over(command: list[str], file: Path) -> None:
    try:
        told = subprocess.run([*command, str(file)], capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise BackupError("backup.command: {command} cannot be run ({why})", command=command[0], why=error.strerror) from None
    if told.returncode:
        last = ((told.stderr or told.stdout).strip().splitlines() or ["it said nothing"])[-1]
        code = told.returncode
        raise BackupError("backup.command: {command} ended with {code}: {why}", command=command[0], code=code, why=last)


def _let_go(folder: Path, config: Config) -> None:
    """Delete what is older than the newest that are kept: this hub's own backups, and nothing else that lies there."""
    ours = re.compile(re.escape(_prefix(config)) + r"\d{8}T\d{6}Z\.age")
    for old in sorted(file for file in folder.iterdir() if ours.fullmatch(file.name))[: -config.backup.keep]:
        old.unlink()


def _note(config: Config, made: Made, name: str) -> None:
    where = str(made.file) if made.file is not None else f"{config.backup.command[0]} {name}"
    write(config.folder / RECORD, msgspec.json.encode(_Record(made.at, where, made.bytes)), mode=SECRET)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
