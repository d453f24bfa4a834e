# SPDX-License-Identifier: AGPL-3.0-or-later
"""Looks the whole server over: gathers the facts and judges them. It never changes anything."""

from __future__ import annotations

from pathlib import Path

from booking_server.config import Config
from booking_server.doctor.finding import Finding
from booking_server.doctor.gathering import gather
from booking_server.doctor.rules import judged


def checks(config: Config, config_file: Path | None = None) -> list[Finding]:
    """Return what was found, what is well too, within half a minute. As the server's own user, who alone may see all of it,
    or as root; a PostgreSQL that asks who is there wants the server's own user."""
    return judged(gather(config, config_file))
