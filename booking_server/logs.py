# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a process of the server logs: one JSON object a line, on standard output. No name of a person and no tag number."""

from __future__ import annotations

import structlog


def write_lines() -> None:
    """Set this process's log up."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        cache_logger_on_first_use=True,
    )
