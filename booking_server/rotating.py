# SPDX-License-Identifier: AGPL-3.0-or-later
"""Changes the server's signing and sealing keys, one safe step at a time: make and announce, sign by it, drop the old.

Each step is one replaced file: killed or without power in the middle, the hub stands before the step or after it. A private key
is deleted only once nothing names it any more, and one that nothing names only when the next rotation begins.
"""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from booking_server.broker.writing import SECRET, alone, write
from booking_server.config import BadConfiguration
from booking_server.keys import ROTATION, Keys, Rotation, load_keys, make_pair, remove_pair, rotation

_PAIRS = "pairs"
_log = structlog.get_logger()


def make_next(folder: Path, *, now: datetime) -> Keys:
    """Make the next pair of the hub whose state folder is `folder`, for the doors to be told of; it signs nothing yet."""
    keys = folder / "keys"
    with alone(keys):
        stands = rotation(keys)
        if stands.next is None and stands.old is None:
            _sweep(keys, stands)
            made = _made(keys)
            _settle(keys, msgspec.structs.replace(stands, next=made, number=_number(stands, now)))
    return load_keys(folder)


def sign_by_next(folder: Path, *, now: datetime) -> Keys:
    """Sign by the next pair from now on; the one until now goes on speaking to doors that hold no other."""
    keys = folder / "keys"
    with alone(keys):
        stands = rotation(keys)
        if stands.next is not None:
            _settle(keys, Rotation(current=stands.next, old=stands.current, number=_number(stands, now)))
    return load_keys(folder)


def drop_old(folder: Path, *, now: datetime) -> Keys:
    """Delete the old pair. A door that holds no other hears nothing more of this server until it is given new files."""
    keys = folder / "keys"
    with alone(keys):
        stands = rotation(keys)
        if stands.old is not None:
            _settle(keys, Rotation(current=stands.current, number=_number(stands, now)))
            remove_pair(keys / stands.old)
    return load_keys(folder)


def count_on(folder: Path, *, now: datetime) -> None:
    """Let the keys be as they are, under a number that no door was told yet: what it was told since a backup counts less."""
    keys = folder / "keys"
    with alone(keys):
        stands = rotation(keys)
        _settle(keys, msgspec.structs.replace(stands, number=_number(stands, now)))


class Keyring:
    """The keys that a running process works with. `keys` is whole at any time; one thread calls `refresh`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""
        self.keys = load_keys(folder)

    def refresh(self) -> bool:
        """Take on the keys of the folder, if a step was made there, and return whether. What cannot be read is said once."""
        try:
            if rotation(self._folder / "keys").number == self.keys.number:
                return False
            self.keys = load_keys(self._folder)
        except BadConfiguration as error:
            if self._said != str(error):
                self._said = str(error)
                _log.error("keys_unreadable", detail=self._said)
            return False
        return True


def _number(stands: Rotation, now: datetime) -> int:
    """Grow beyond any number that a door may have seen, even where the folder was put back from an old backup."""
    return max(stands.number + 1, int(now.timestamp()))


def _made(keys: Path) -> str:
    pairs = keys / _PAIRS
    pairs.mkdir(mode=0o700, exist_ok=True)
    fresh = pairs / "new"
    pair = make_pair(fresh)
    fresh.rename(pairs / pair.id)
    _sync(pairs)
    return f"{_PAIRS}/{pair.id}"


def _settle(keys: Path, to: Rotation) -> None:
    write(keys / ROTATION, msgspec.json.encode(to), mode=SECRET)
    _sync(keys)


def _sweep(keys: Path, stands: Rotation) -> None:
    """Delete pairs that a killed step left behind."""
    for folder in (keys / _PAIRS).glob("*"):
        if f"{_PAIRS}/{folder.name}" != stands.current:
            shutil.rmtree(folder)
    if stands.current != ".":
        remove_pair(keys)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
