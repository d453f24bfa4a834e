# SPDX-License-Identifier: AGPL-3.0-or-later
"""Puts a client out for good: its certificates revoked, the broker told, its line ended. What it says of that is what was seen.

It takes a moment, waits for the broker, and needs the authority: the process that speaks with the doors does it, or a command.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from booking_server.broker import pki
from booking_server.broker.ending import Line, end_line
from booking_server.broker.rereading import have_reread
from booking_server.broker.settings import write_revocations
from booking_server.config import Config


def put_out(config: Config, name: str, *, now: datetime, serials: Collection[str] | None = None) -> Line:
    """Revoke these certificates of `name` (all, if None), have the broker read it, end its line. Again at will."""
    with tempfile.TemporaryDirectory(dir=pki.authority_folder(config.folder)) as folder:
        probe = pki.issue_to(config.folder, name, Path(folder))  # revoked with the others: tells when the broker knows
        pki.revoke(config.folder, name, now=now, serials=None if serials is None else {*serials, probe})
        write_revocations(config)
        have_reread(config)
        return end_line(config, name, Path(folder))
