# SPDX-License-Identifier: AGPL-3.0-or-later
"""Small files that outlast a power cut: replaced whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Replace `file` whole: after a power cut it holds the old bytes or the new ones. Raise OSError."""
    beside = file.with_name(f"{file.name}.new")
    with beside.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    replace_durably(beside, file)


def replace_durably(beside: Path, file: Path) -> None:
    """Put `beside`, which is on the disk, in the place of `file`. Raise OSError."""
    beside.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Put a folder's names on the disk. Raise OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
