# SPDX-License-Identifier: AGPL-3.0-or-later
"""What `door-agent journal` says: which events are kept, whether their chain holds. Reads only, and shows no tag's name."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from access_contract.messages import Event, Tapped
from door_agent import layout
from door_agent.config import load
from door_agent.errors import DoorError
from door_agent.journal_file import broken_at, count_kept, count_waiting, last_kept
from door_agent.main import state_folder


@dataclass(frozen=True, kw_only=True)
class Told:
    """Lines to print, and what is wrong with the chain, if anything is."""

    lines: list[str]
    broken: str | None


def told(config_file: Path, last: int) -> Told:
    """Return what the journal of this door holds, reading it event by event. Raise DoorError if it cannot be read."""
    file = state_folder(config_file, load(config_file)) / "journal.sqlite"
    if not file.is_file():
        raise DoorError(f"{file}: there is no journal; this door has not run yet")
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
            layout.check(database)
            lines = [_line(*event) for event in last_kept(database, last)]
            lines.append(f"{count_kept(database)} events kept, {count_waiting(database)} not yet acknowledged by the server")
            broken = broken_at(database)
    except layout.NewerLayout as newer:
        raise DoorError(f"{file}: {newer}; install that version again to read it") from None
    except sqlite3.Error as error:
        raise DoorError(f"{file}: cannot be read ({error})") from None
    if broken is not None:
        return Told(lines=lines, broken=f"{file}: the chain is broken at event {broken[1]} of journal {broken[0][:8]}")
    return Told(lines=[*lines, "the chain holds"], broken=None)


def _line(journal: str, sequence: int, content: bytes) -> str:
    try:
        event = msgspec.json.decode(content, type=Event)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"{journal[:8]} {sequence:>6}  of a kind that this version does not know"
    kind = str(type(event.what).__struct_config__.tag)
    return (
        f"{journal[:8]} {sequence:>6}  {event.at:%Y-%m-%d %H:%M:%S}Z  {event.clock:<9}  {kind:<14} {_details(event)}".rstrip()
    )


def _details(event: Event) -> str:
    what = event.what
    if isinstance(what, Tapped):
        return f"{what.access_point}: {'granted' if what.granted else what.reason} by {what.decided_by}"
    fields = {field: getattr(what, field) for field in what.__struct_fields__}
    return ", ".join(f"{name} {value}" for name, value in fields.items() if value not in ("", None))
