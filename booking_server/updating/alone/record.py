# SPDX-License-Identifier: AGPL-3.0-or-later
"""What an update is about and how far it is, in one small file: replaced whole, and on the disk before each step begins."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

FORWARD = ("keep", "stop", "copy", "install", "migrate", "start", "check")
BACK = ("stop", "undo_package", "undo_data", "undo_settings", "start", "check")
UNDO = ("stop", "copy_again", "downgrade", "undo_package", "undo_data", "undo_settings", "start", "check")
STAY = ("start", "check")
_STEPS = {"forward": FORWARD, "back": BACK, "undo": UNDO, "stay": STAY}
_RESULTS = {"forward": "done", "back": "back", "undo": "undone", "stay": "unchanged"}
_RUNNING, _WHOLE = ("keep",), ("stop", "copy")
"""Steps that fail while the hub still runs, and while nothing but its running has changed."""


@dataclass(frozen=True)
class Plan:
    """What was found out before anything was touched.

    `database` is {"file": path} or {"uri": libpq's, "password": ...}. `well` is what the doctor found no
    fault in before: an update must not spoil it, and does not have to heal the rest, nor what only a newer doctor looks at.
    """

    package: str
    version_before: str
    version_after: str
    file: str
    settings: str
    user: str
    database: dict[str, str]
    well: list[str] = field(default_factory=list)
    revision_before: str = ""
    begun_at: str = ""


@dataclass(frozen=True)
class Record:
    """`way` is "forward", "back" (an update that failed), "undo" (one that was done) or "stay" (an undo that could not be
    begun); `step` the one to do next.

    `result` is "" while it is under way; then "done", "back", "undone" or "unchanged". `served` says that the new version
    may have spoken with doors and people. `restore` says that an undo puts the copied database back.
    """

    plan: Plan
    way: str = "forward"
    step: str = FORWARD[0]
    why: str = ""
    result: str = ""
    served: bool = False
    restore: bool = False
    stuck: str = ""

    @property
    def steps(self) -> tuple[str, ...]:
        return _STEPS[self.way]

    @property
    def under_way(self) -> bool:
        return not self.result

    @property
    def restores_data(self) -> bool:
        """True where the copied database takes the present one's place."""
        return self.way == "back" or self.restore

    @property
    def can_turn_back(self) -> bool:
        """True on the way forward, and while an undo has not touched the package yet."""
        return self.way == "forward" or (self.way == "undo" and self.step in UNDO[: UNDO.index("undo_package")])

    def next(self) -> Record:
        """Return the record once its step is done."""
        at = self.steps.index(self.step)
        if at + 1 < len(self.steps):
            return replace(self, step=self.steps[at + 1], stuck="")
        return replace(self, result=_RESULTS[self.way], stuck="")

    def turned_back(self, why: str) -> Record:
        """Return the record of going back to the version before, or of nothing to go back from."""
        if self.way == "forward" and self.step in _RUNNING:
            return replace(self, why=why, result="unchanged")
        if self.way == "undo" or self.step in _WHOLE:
            return replace(self, way="stay", step=STAY[0], why=why)
        return replace(self, way="back", step=BACK[0], why=why, stuck="")


def read(folder: Path) -> Record | None:
    """Return what the last update left, None where there never was one. Raise ValueError."""
    try:
        said = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Record(**{**said, "plan": Plan(**said["plan"])})


def write(folder: Path, record: Record) -> None:
    """Put it on the disk. Raise OSError: what stood there stands."""
    coming = folder / "record.json.coming"
    with os.fdopen(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        json.dump(asdict(record), out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    coming.replace(folder / "record.json")
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
