# SPDX-License-Identifier: AGPL-3.0-or-later
"""What people's rights come to at each door. Equal rights are one object, whatever the door: a hundred thousand tags at twenty
doors hold each person's rights once.

Pure; it lives as long as one building of the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from access_contract.snapshot import Right, TagRights, Window, exact
from access_contract.vocabulary import AccessPointId, DoorId, Reason
from booking_server.access.rules import HeldRight, Holder

Opens = Mapping[int, set[tuple[str, str]]]
"""opened_points by area."""
Points = tuple[AccessPointId, ...]
_NOWHERE: dict[int, Points] = {}
_UNMADE = TagRights()


class Holdings:
    """The rights of some people, and where they lead. `window_sets` are all hours they name."""

    def __init__(self, rights: Iterable[HeldRight], opens: Opens) -> None:
        self.window_sets: dict[str, tuple[Window, ...]] = {}
        self._of_person: dict[int, list[HeldRight]] = {}
        self._points = _points_by_door(opens)
        self._made: dict[object, TagRights | None] = {}
        self._rights: dict[tuple[str, Points], Right] = {}
        self._exact: dict[int, bytes] = {}
        for right in rights:
            if right.hours.windows:
                self._of_person.setdefault(right.person_id, []).append(right)
                self.window_sets[right.hours.name] = right.hours.windows
        for held in self._of_person.values():
            held.sort(key=lambda right: right.cause)

    def at(self, door: DoorId, holder: Holder) -> TagRights | None:
        """Return what a tag of this holder holds at the door; None for one that the door need not know."""
        person_id, refused, extended = holder
        if refused is not None:
            return self._refused(refused)
        mine = None if person_id is None else self._of_person.get(person_id)
        if mine is None:
            return None
        points = self._points.get(door, _NOWHERE)
        leads = tuple([points.get(right.area_id, ()) for right in mine])
        key = (person_id, leads, extended)
        found = self._made.get(key, _UNMADE)
        if found is _UNMADE:
            rights = tuple(self._right(right, to) for right, to in zip(mine, leads, strict=True) if to)
            found = self._made[key] = TagRights(rights=rights, extended=extended) if rights else None
        return found

    def exact(self, held: TagRights) -> bytes:
        """Return the exact bytes of what `at` returned."""
        found = self._exact.get(id(held))
        if found is None:
            found = self._exact[id(held)] = exact(held)
        return found

    def names(self, uses: Counter[int]) -> Counter[str]:
        """Return how often each window set is named, from how often each of what `at` returned (by id) is held."""
        named: Counter[str] = Counter()
        for held in self._made.values():
            if held is not None and id(held) in uses:
                for right in held.rights:
                    named[right.windows] += uses[id(held)]
        return named

    def _refused(self, reason: Reason) -> TagRights | None:
        if reason not in self._made:
            self._made[reason] = TagRights(refused=reason)
        return self._made[reason]

    def _right(self, held: HeldRight, points: Points) -> Right:
        key = (held.cause, points)
        if key not in self._rights:
            self._rights[key] = Right(
                cause=held.cause,
                windows=held.hours.name,
                access_points=points,
                standing=held.standing,
                until=held.until if held.standing else None,
                passes_lock_down=held.passes_lock_down,
                booked=held.booked,
                may_disarm=held.may_disarm,
                starts_unlocking=held.starts_unlocking,
            )
        return self._rights[key]


def _points_by_door(opens: Opens) -> dict[DoorId, dict[int, Points]]:
    found: dict[DoorId, dict[int, Points]] = {}
    for area, points in opens.items():
        for door, point in sorted(points):
            here = found.setdefault(DoorId(door), {})
            here[area] = (*here.get(area, ()), AccessPointId(point))
    return found
