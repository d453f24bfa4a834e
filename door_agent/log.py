# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the agent writes into the log of the box. Its library is loaded at the first line: a door decides before it talks."""

from __future__ import annotations


class Log:
    """Lines of one part of the agent, as structlog writes them."""

    def __init__(self, part: str) -> None:
        self._part = part

    def info(self, what: str, **about: object) -> None:
        self._write("info", what, about)

    def warning(self, what: str, **about: object) -> None:
        self._write("warning", what, about)

    def _write(self, level: str, what: str, about: dict[str, object]) -> None:
        import structlog

        getattr(structlog.get_logger(self._part), level)(what, **about)
