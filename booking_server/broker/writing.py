# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes a file whole or not at all, several writers beside each other: half a list, key or right would lock doors out."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECRET, OPEN = 0o600, 0o644


def write(file: Path, content: bytes, *, mode: int) -> None:
    """Put `content` in the place of `file`, on the disk, readable as `mode` says from its first byte on."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fchmod(out.fileno(), mode)
            os.fsync(out.fileno())
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for one command at a time."""
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
