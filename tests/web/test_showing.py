# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a page claim of a door only what the door said, and only as long as it may be true?"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from access_contract.messages import Status
from booking_server.doors.commands import Command
from booking_server.doors.service import DoorState
from booking_server.doors.showing import Became, became, is_online, nobody_listens
from tests.booking_server.hub import NOW


def _command(outcome: str | None = None, *, sent: bool = True) -> Command:
    return Command(
        command="c",
        door_id="studio",
        kind="open",
        argument={},
        by="anna",
        reason="parcel",
        asked_at=NOW,
        expires_at=NOW + timedelta(seconds=10),
        sent_at=NOW if sent else None,
        done_at=NOW if outcome else None,
        outcome=outcome,
        captured=False,
    )


def _state(heard: float, *, online: bool = True) -> DoorState:
    heard_at = NOW - timedelta(seconds=heard)
    return DoorState(door_id="studio", online=online, changed_at=heard_at, heard_at=heard_at, status=Status(online=online))


@pytest.mark.parametrize(
    ("command", "after_seconds", "shown"),
    [
        (_command(sent=False), 1, Became.ASKED),
        (_command(), 1, Became.SENT),
        (_command(), 12, Became.SENT),
        (_command(), 16, Became.NO_ANSWER),
        (_command(sent=False), 3600, Became.NO_ANSWER),
        (_command("no_answer"), 1, Became.NO_ANSWER),
        (_command("door_blocked"), 1, Became.REFUSED),
        (_command("a word of a later version"), 1, Became.REFUSED),
        (_command("done"), 3600, Became.DONE),
    ],
)
def test_a_command_is_done_only_by_the_door_s_word(command: Command, after_seconds: int, shown: Became) -> None:
    """Sent is not done; no word in time is no answer, also if nobody wrote that down; an unknown word is a refusal."""
    assert became(command, NOW + timedelta(seconds=after_seconds)) is shown


@pytest.mark.parametrize(
    ("state", "online"),
    [(None, False), (_state(0), True), (_state(35), True), (_state(35.1), False), (_state(0, online=False), False)],
)
def test_a_door_is_online_only_while_it_is_heard(state: DoorState | None, online: bool) -> None:  # noqa: FBT001
    """Never heard, said to be gone, or silent for more than 35 seconds: offline."""
    assert is_online(state, NOW) is online


def test_silence_of_all_doors_means_that_nobody_listens() -> None:
    """If all doors that were online fell silent, the listening process has stopped; a door that is gone says nothing of it."""
    assert nobody_listens([_state(60), _state(90)], NOW)
    assert nobody_listens([_state(60), _state(9000, online=False)], NOW)
    assert not nobody_listens([_state(60), _state(5)], NOW)
    assert not nobody_listens([_state(60, online=False)], NOW)
    assert not nobody_listens([], NOW)


def test_a_clock_that_was_turned_back_hides_nothing() -> None:
    """A word from the future, as after a clock was set, counts as just heard."""
    assert is_online(_state(-3600), NOW)
    assert became(_command(), datetime.min.replace(tzinfo=NOW.tzinfo)) is Became.SENT
