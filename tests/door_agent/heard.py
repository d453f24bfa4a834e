# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes down what a reader tells, line by line, as its own words."""

from __future__ import annotations

from door_agent.readers.port import Heard


def written_down(said: list[str]) -> Heard:
    """Return whom a reader may tell: `tap NUMBER`, `unreadable`, `reader NAME WHY`, `noticed WORD RAISED DETAIL`."""
    return Heard(
        tapped=lambda number, assurance: said.append(f"tap {number} {assurance.name}"),
        unreadable=lambda: said.append("unreadable"),
        moved=lambda name, why: said.append(f"reader {name} {why}".rstrip()),
        noticed=lambda about, raised, detail: said.append(f"noticed {about} {raised} {detail}".rstrip()),
    )
