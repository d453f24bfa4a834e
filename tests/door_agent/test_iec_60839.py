# SPDX-License-Identifier: AGPL-3.0-or-later
"""What IEC 60839-11-1 asks of grades 1 and 2, one promise a test, as far as it is an agent's to keep.

The lines are taken from what vendors and installers' guides say of the standard, not from the standard itself, which is sold.
Nobody has certified this agent to any grade, and it claims none. Not offered, so not here: keypads, codes and duress, and
watching the mains and the battery of the lock's supply, which is the supply's own contact.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from access_contract.entries import Outcome
from access_contract.messages import Answer, Booted, Closed, HeldOpen, ModeChanged, Opened
from access_contract.vocabulary import ClockQuality, DoorMode, Reason
from door_agent import happenings as h
from door_agent.config import Config, Timing
from door_agent.inputs import watch
from door_agent.journal import Journal
from door_agent.wiring import Bolt, Lock, profile, profiles, under
from tests.door_agent.machine_door import IN, KNOWN, T0, TAP, Door, hold_head, hold_right, raised, set_mode, tapped
from tests.door_agent.pins import forget_pins, pin, remembering_pins
from tests.door_agent.test_agent import NUMBER, relay_is_on, say, write_door
from tests.door_agent.test_disk import AGENT
from tests.system.processes import Processes, wait_for

KEYTAGS_MAX = 100_000
INPUT_PINS = (5, 6, 12, 13, 22, 27)
MOVES = (h.Energise, h.StayUnlocked, h.Operate, h.Disarm)


def moves(effects: list[h.Effect]) -> list[h.Effect]:
    return [effect for effect in effects if isinstance(effect, MOVES)]


def shown(effects: list[h.Effect]) -> list[h.Show]:
    return [effect for effect in effects if isinstance(effect, h.Show)]


# --- every grade ---


@pytest.mark.parametrize("mode", list(DoorMode))
def test_losing_the_link_releases_no_door(mode: DoorMode) -> None:
    """Every grade: in no mode does the lock move when the server is lost."""
    door = Door(link=True)
    set_mode(door, mode)
    assert moves(door.happen(h.LinkChanged(False), after=1)) == []


@pytest.mark.parametrize("mode", list(DoorMode))
def test_regaining_the_link_releases_no_door(mode: DoorMode) -> None:
    """Every grade: in no mode does the lock move when the server is back."""
    door = Door()
    set_mode(door, mode)
    assert moves(door.happen(h.LinkChanged(True), after=1)) == []


def test_losing_the_link_interrupts_no_decision() -> None:
    """Every grade: a tap that waits for the server is decided at once by the door itself."""
    door = Door(link=True)
    door.happen(TAP)
    assert h.Show(True, IN) in door.happen(h.LinkChanged(False))


def test_regaining_the_link_interrupts_no_decision() -> None:
    """Every grade: a tap is decided while the link comes back, once and no more."""
    door = Door()
    door.happen(TAP)
    door.happen(h.LinkChanged(True))
    door.happen(TAP)
    door.happen(h.TimePassed(), after=1)
    assert [tap.granted for tap in tapped(door)] == [True, True]


def test_users_are_not_told_by_which_rule_they_are_refused() -> None:
    """Every grade: whatever the reason, a person at the reader sees and hears the same."""
    seen = set()
    for reason in Reason:
        door = Door(link=True)
        ask = next(effect for effect in door.happen(TAP) if isinstance(effect, h.SendAsk))
        seen |= set(shown(door.happen(h.Answered(Answer(ask=ask.ask, granted=False, reason=reason)))))
    assert seen == {h.Show(False, IN)}


def test_what_was_read_is_given_away_to_nobody() -> None:
    """Every grade: the number of a keytag is neither in what is written down nor in what is logged of it."""
    door = Door()
    door.happen(TAP)
    written = msgspec.json.encode(tapped(door)).decode().upper()
    assert str(KNOWN) not in written
    assert str(KNOWN) not in repr(KNOWN)


# --- grade 1 ---


def test_the_release_lasts_for_three_seconds_at_least_as_delivered() -> None:
    """G1: without a setting, and with each wiring that is offered, there are three seconds to open the door."""
    for name in profiles():
        lock = msgspec.convert(under({}, (profile(name) or {})["lock"]), Lock)
        assert lock.pulse_seconds + lock.stays_unlocked_seconds >= 3
    assert Lock().pulse_seconds >= 3


def test_granted_is_indicated() -> None:
    """G1: who may pass is shown so, at the reader that was tapped."""
    assert shown(Door().happen(TAP)) == [h.Show(True, IN)]


def test_refused_is_indicated() -> None:
    """G1: who may not pass is shown so."""
    door = Door()
    set_mode(door, DoorMode.BLOCKED)
    assert shown(door.happen(TAP)) == [h.Show(False, IN)]


def test_there_are_a_thousand_numbers_for_each_keytag() -> None:
    """G1: the shortest number, four bytes, against as many keytags as a door holds."""
    assert 256**4 / KEYTAGS_MAX >= 1000


# --- grade 2 ---


def test_the_door_is_monitored() -> None:
    """G2: opened and closed are events, and the status says how the leaf is."""
    door = Door()
    door.happen(TAP)
    door.happen(h.ContactMoved(True), after=1)
    assert door.state.contact_open is True
    door.happen(h.ContactMoved(False), after=1)
    assert (len(door.recorded(Opened)), len(door.recorded(Closed)), door.state.contact_open) == (1, 1, False)


@pytest.fixture
def pins() -> Iterator[None]:
    remembering_pins()
    yield
    forget_pins()


def test_inputs_that_are_active_for_four_tenths_of_a_second_are_processed(pins: None) -> None:
    """G2: both edges are heard, on each pin that the example uses for an input."""
    heard: dict[int, list[bool]] = {number: [] for number in INPUT_PINS}
    devices = [watch(number, "circuit_closed", heard[number].append) for number in INPUT_PINS]
    for number in INPUT_PINS:
        pin(number).drive_low()
    threading.Event().wait(0.4)
    for number in INPUT_PINS:
        pin(number).drive_high()
    assert list(heard.values()) == [[False, True, False]] * len(INPUT_PINS)
    for device in devices:
        device.close()


def test_what_was_logged_survives_the_loss_of_power_for_any_time(tmp_path: Path) -> None:
    """G2 (24 hours): the agent is killed in the middle; what it wrote stands on the disk, chained, and needs no current."""
    toml = write_door(tmp_path)
    with Processes(tmp_path / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"])
        door.wait_until((tmp_path / "control").exists)
        say(tmp_path, do="tap", number=NUMBER)
        wait_for(lambda: relay_is_on(tmp_path), "the relay is energised")
        door.process.send_signal(signal.SIGKILL)
        assert door.process.wait() == -signal.SIGKILL
    journal = Journal(tmp_path / "state" / "journal.sqlite")
    kept = [what for what in journal.unacknowledged(100) if b'"tapped"' in what]
    assert (journal.verify(), len(kept)) == (True, 1)
    journal.close()


def test_the_time_is_kept_with_each_event(tmp_path: Path) -> None:
    """G2: type, place, date and time, and how far the clock was trusted, stand in each line of the journal."""
    journal = Journal(tmp_path / "journal.sqlite")
    sequence = journal.append(Booted(version="1"), at=T0, monotonic=1.0, clock=ClockQuality.HOLDOVER)
    line = msgspec.json.decode(journal.unacknowledged(10)[0])
    assert (line["sequence"], line["what"]["kind"], line["clock"]) == (sequence, "booted", "holdover")
    assert line["at"] == "2026-01-31T05:00:00Z"
    journal.close()


def test_door_times_are_the_doors_own() -> None:
    """G2: release, held open and relock are settings of each door."""
    for table, names in (
        (Lock, {"pulse_seconds", "extended_pulse_seconds"}),
        (Timing, {"held_open_seconds", "extended_held_open_seconds", "pre_alarm_seconds"}),
        (Bolt, {"deadline_seconds"}),
    ):
        assert names <= set(table.__struct_fields__)
    assert {"lock", "timing", "bolt"} <= set(Config.__struct_fields__)


# --- what is shown, alerted and logged ---


def test_logged_granted() -> None:
    """Access granted, with the keytag, the reader and the rule behind it."""
    door = Door()
    door.happen(TAP)
    assert [(tap.granted, tap.access_point, tap.cause) for tap in tapped(door)] == [(True, IN, "grant:1")]


def test_logged_denied() -> None:
    """Access denied, with the reason; also of a keytag that nobody knows."""
    door = Door()
    hold_head(door, 2, tags={})
    door.happen(TAP)
    assert [(tap.granted, tap.reason) for tap in tapped(door)] == [(False, "tag_unknown")]


def test_logged_expired_keytag() -> None:
    """A keytag that has expired is denied with that reason."""
    door = Door(link=True)
    ask = next(effect for effect in door.happen(TAP) if isinstance(effect, h.SendAsk))
    door.happen(h.Answered(Answer(ask=ask.ask, granted=False, reason="tag_expired")))
    assert tapped(door)[0].reason == "tag_expired"


def test_logged_granted_and_not_entered() -> None:
    """Granted, and nobody opened the door."""
    door = Door()
    door.happen(TAP)
    door.happen(h.TimePassed(), after=5)
    assert door.outcomes() == [Outcome.NOT_ENTERED]


def test_alerted_forced_open() -> None:
    """The door was opened without having been released."""
    door = Door()
    door.happen(h.ContactMoved(True))
    assert raised(door) == [("forced_open", True)]


def test_alerted_held_open() -> None:
    """The door stands open for longer than it may."""
    door = Door()
    door.happen(h.ContactMoved(True))
    door.happen(h.TimePassed(), after=60)
    assert (len(door.recorded(HeldOpen)), ("held_open", True) in raised(door)) == (1, True)


def test_alerted_tamper() -> None:
    """The box was opened."""
    door = Door()
    door.happen(h.TamperMoved(True))
    assert raised(door) == [("tamper", True)]


def test_logged_while_the_link_is_lost() -> None:
    """What was decided without the server says so. (That a door is offline is its last will at the broker: test_online.py.)"""
    door = Door()
    door.happen(TAP)
    assert (tapped(door)[0].decided_by, tapped(door)[0].server_granted) == ("door", None)


def test_logged_configuration() -> None:
    """Settings are read at the start only, and every start is an event."""
    door = Door()
    door.happen(h.Started("1"))
    assert len(door.recorded(Booted)) == 1


def test_logged_release_by_staff() -> None:
    """A mode set from the desk is an event of the door."""
    door = Door()
    set_mode(door, DoorMode.UNLOCKED)
    assert h.StayUnlocked(True) in door.did
    assert door.recorded(ModeChanged) == [ModeChanged(mode=DoorMode.UNLOCKED, because="command")]


def test_a_keytag_without_rights_opens_nothing_in_extended_time() -> None:
    """Extended time is a time, not a right."""
    door = Door()
    hold_right(door, extended=True)
    hold_head(door, 3, tags={})
    assert moves(door.happen(TAP)) == []
