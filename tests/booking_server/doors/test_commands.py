# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 10: is a command done only when the door itself says so? And how long does a captured number stay?"""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, select

from access_contract.messages import CommandDone
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import commands
from booking_server.doors import service as doors
from booking_server.doors.commands import CAPTURE_STANDS, CAPTURED_KEPT, DONE, NO_ANSWER, Command
from booking_server.doors.tables import commands as rows
from booking_server.errors import Invalid, NotFound
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, OTHER_TAG, TAG, Hub

INSTANT = timedelta(microseconds=1)
REFUSAL = "door_blocked"


def _ask_open(tx: Connection) -> Command:
    return commands.ask_open(tx, HOST, now=NOW, door_id="lobby", reason="parcel")


def _done(tx: Connection, asked: Command, *, door: str = "lobby", refusal: str | None = None) -> Command:
    said = CommandDone(command=asked.command, did="open", refusal=refusal)
    commands.command_done(tx, now=NOW, door_id=door, done=said)
    return commands.command(tx, asked.command)


def test_a_command_waits_is_sent_and_is_done_only_by_the_doors_word(hub: Hub) -> None:
    """Sent says nothing of the door; the door's own word does, and another door's does not."""
    with hub.desk.database.write() as tx:
        asked, next_one = _ask_open(tx), _ask_open(tx)
        assert [one.command for one in commands.waiting(tx)] == [asked.command, next_one.command]
        commands.sent(tx, now=NOW, command_id=asked.command)
        assert commands.waiting(tx) == [next_one]
        assert commands.command(tx, asked.command).outcome is None
        assert _done(tx, asked, door="room").outcome is None
        done = _done(tx, asked)
    assert (done.outcome, done.done_at, done.by, done.reason) == (DONE, NOW, "Heikki", "parcel")


def test_the_doors_refusal_is_the_outcome(hub: Hub) -> None:
    """In the door's own word; what it says afterwards of the same command changes nothing."""
    with hub.desk.database.write() as tx:
        asked = _ask_open(tx)
        assert _done(tx, asked, refusal=REFUSAL).outcome == REFUSAL
        assert _done(tx, asked).outcome == REFUSAL


def test_silence_is_no_answer_until_the_door_speaks_after_all(hub: Hub) -> None:
    """Once its time is over, not an instant before; a late word outranks silence, and silence never a word."""
    with hub.desk.database.write() as tx:
        asked, answered = _ask_open(tx), _ask_open(tx)
        _done(tx, answered)
        assert commands.expire(tx, now=asked.expires_at) == 0
        assert commands.expire(tx, now=asked.expires_at + INSTANT) == 1
        assert commands.waiting(tx) == []
        assert commands.command(tx, asked.command).outcome == NO_ANSWER
        assert commands.command(tx, answered.command).outcome == DONE
        assert _done(tx, asked).outcome == DONE


def test_a_word_about_no_command_of_ours_is_left_alone(hub: Hub) -> None:
    """A door may name what it likes."""
    with hub.desk.database.write() as tx:
        commands.command_done(tx, now=NOW, door_id="lobby", done=CommandDone(command="nobody asked", did="open"))
        with pytest.raises(NotFound):
            commands.command(tx, "nobody asked")


def test_opening_and_modes_need_a_reason_that_is_kept(hub: Hub) -> None:
    """With who asked it; a mode that doors do not have is refused; a door out of use takes no command."""
    with hub.desk.database.write() as tx:
        with pytest.raises(Invalid) as refused:
            commands.ask_open(tx, HOST, now=NOW, door_id="lobby", reason=" ")
        assert refused.value.field == "reason"
        with pytest.raises(Invalid) as refused:
            commands.ask_mode(tx, HOST, now=NOW, door_id="lobby", mode="ajar", reason="fair")
        assert refused.value.field == "mode"
        asked = commands.ask_mode(tx, HOST, now=NOW, door_id="lobby", mode="unlocked", reason="open day")
        assert (asked.kind, asked.argument) == ("set_mode", {"mode": "unlocked"})
        noted = audit.of_subject(tx, "door:lobby")[0]
        assert (noted["actor"], noted["act"]) == ("Heikki", "door_set_mode_asked")
        assert noted["detail"] == {"reason": "open day", "mode": "unlocked"}
        doors.retire_door(tx, HOST, now=asked.expires_at, door_id="lobby")
        with pytest.raises(Invalid, match="out of use"):
            _ask_open(tx)


def test_only_the_desk_commands_doors(hub: Hub) -> None:
    """Not the billing person, not a member; and a door that is not there opens for nobody."""
    with hub.desk.database.write() as tx:
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                commands.ask_open(tx, actor, now=NOW, door_id="lobby", reason="parcel")
            with pytest.raises(NotAllowed):
                commands.ask_capture(tx, actor, now=NOW, door_id="lobby")
        with pytest.raises(NotFound):
            commands.ask_open(tx, HOST, now=NOW, door_id="cellar", reason="parcel")


def _captured(tx: Connection, hub: Hub, asked: Command, *, door: str = "lobby", after: timedelta = timedelta(0)) -> bool:
    vault = hub.desk.keys.vault
    commands.captured(tx, now=NOW + after, vault=vault, door_id=door, capture_id=asked.command, number=TAG)
    return commands.captured_number(tx, vault, asked.command) == TAG


def test_a_captured_number_is_kept_sealed_until_it_is_handed_out(hub: Hub) -> None:
    """Only for the door and the command that asked; the row holds no number that could be read; then it is gone."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        asked, other = commands.ask_capture(tx, HOST, now=NOW, door_id="lobby"), _ask_open(tx)
        assert asked.expires_at - asked.asked_at == CAPTURE_STANDS
        assert not _captured(tx, hub, asked, door="room")
        assert not _captured(tx, hub, other)
        assert commands.captured_number(tx, vault, asked.command) is None
        assert _captured(tx, hub, asked)
        assert commands.command(tx, asked.command).captured
        kept = tx.execute(select(rows.c.result).where(rows.c.command == asked.command)).scalar_one()
        assert TAG.uid.hex() not in str(kept).lower()
        commands.forget_captured(tx, asked.command)
        assert commands.captured_number(tx, vault, asked.command) is None
        assert not commands.command(tx, asked.command).captured
        assert not _captured(tx, hub, asked)


def test_of_two_captured_numbers_the_first_stands(hub: Hub) -> None:
    """A reader that sends another after staff have seen the first does not slip it in."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        asked = commands.ask_capture(tx, HOST, now=NOW, door_id="lobby")
        commands.captured(tx, now=NOW, vault=vault, door_id="lobby", capture_id=asked.command, number=OTHER_TAG)
        assert not _captured(tx, hub, asked)
        assert commands.captured_number(tx, vault, asked.command) == OTHER_TAG


def test_a_command_whose_time_is_over_is_not_sent(hub: Hub) -> None:
    """However long it waited to be marked: nobody stands at the door any more. Nor is one marked twice."""
    with hub.desk.database.write() as tx:
        late, asked = _ask_open(tx), _ask_open(tx)
        assert not commands.sent(tx, now=late.expires_at, command_id=late.command)
        assert commands.command(tx, late.command).sent_at is None
        assert commands.sent(tx, now=NOW, command_id=asked.command)
        assert not commands.sent(tx, now=NOW, command_id=asked.command)


def test_a_captured_number_that_nobody_hands_out_is_forgotten(hub: Hub) -> None:
    """It stands its time to the instant, then it is dropped, and one that comes later is not kept at all."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        asked = commands.ask_capture(tx, HOST, now=NOW, door_id="lobby")
        _captured(tx, hub, asked)
        commands.expire(tx, now=NOW + CAPTURED_KEPT)
        assert commands.captured_number(tx, vault, asked.command) == TAG
        commands.expire(tx, now=NOW + CAPTURED_KEPT + INSTANT)
        assert commands.captured_number(tx, vault, asked.command) is None
        assert not _captured(tx, hub, asked, after=CAPTURED_KEPT + INSTANT)
