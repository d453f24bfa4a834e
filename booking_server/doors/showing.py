# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a page may say of a door or a command: only what the door itself said, and nothing that is older than it looks. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from booking_server.doors.commands import DONE, NO_ANSWER, Command
from booking_server.doors.service import DoorState

SILENT_AFTER = timedelta(seconds=35)
"""A door that was not heard for longer is shown offline: it says how it is every ten seconds."""
LATE = timedelta(seconds=5)
"""How long after a command's end its answer may still be under way."""


class Became(StrEnum):
    """What became of a command, as far as is known."""

    ASKED = "asked"
    SENT = "sent"
    DONE = "done"
    REFUSED = "refused"
    NO_ANSWER = "no_answer"

    @property
    def is_settled(self) -> bool:
        return self not in (Became.ASKED, Became.SENT)


def became(command: Command, now: datetime) -> Became:
    """Return what became of a command. DONE only by the door's own word; without any word in time it is NO_ANSWER."""
    if command.outcome == DONE:
        return Became.DONE
    if command.outcome == NO_ANSWER or (command.outcome is None and now > command.expires_at + LATE):
        return Became.NO_ANSWER
    if command.outcome is not None:
        return Became.REFUSED
    return Became.ASKED if command.sent_at is None else Became.SENT


def is_online(state: DoorState | None, now: datetime) -> bool:
    """True if the door is connected and was heard just now."""
    return state is not None and state.online and now - state.heard_at <= SILENT_AFTER


def nobody_listens(states: Iterable[DoorState], now: datetime) -> bool:
    """True if every door that last said it was online has been silent too long: then the listening process has stopped,
    for a door that goes away is said to be gone."""
    said_online = [state for state in states if state.online]
    return bool(said_online) and all(now - state.heard_at > SILENT_AFTER for state in said_online)
