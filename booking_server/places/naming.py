# SPDX-License-Identifier: AGPL-3.0-or-later
"""The full name of each area, from its site down, in the order of the tree. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from booking_server.places.service import Area

ARROW = " › "


def in_order(areas: Iterable[Area]) -> list[tuple[Area, int]]:
    """Return each area with its depth, a site being 0: every area right before its parts, brothers by name."""
    children: dict[int | None, list[Area]] = {}
    for area in areas:
        children.setdefault(area.parent_id, []).append(area)
    found: list[tuple[Area, int]] = []
    waiting = [(area, 0) for area in _reversed(children.get(None, []))]
    while waiting:
        area, depth = waiting.pop()
        found.append((area, depth))
        waiting += [(part, depth + 1) for part in _reversed(children.get(area.id, []))]
    return found


def full_names(areas: Iterable[Area]) -> dict[int, str]:
    """Return "Omnia › 2nd floor › Big room" for each area, in the order of the tree."""
    names: dict[int, str] = {}
    for area, _ in in_order(areas):
        above = names.get(area.parent_id) if area.parent_id is not None else None
        names[area.id] = f"{above}{ARROW}{area.name}" if above else area.name
    return names


def _reversed(areas: list[Area]) -> list[Area]:
    return sorted(areas, key=lambda area: (area.name.casefold(), area.id), reverse=True)
