# SPDX-License-Identifier: AGPL-3.0-or-later
"""The laws of the design, held by the real processes: killed, cut off and restarted."""

from __future__ import annotations

import time
from datetime import date, timedelta

from booking_server.doors import commands
from tests.system.one_door import DEADLINE_SECONDS, MACHINE_SECONDS, NUMBER, PULSE_SECONDS, SECOND, OneDoor
from tests.system.processes import wait_for


def test_law_1_a_killed_door_loses_no_tap(hub: OneDoor) -> None:
    """Killed outright as its relay moves, the door still delivers that tap after its restart, exactly once."""
    before = len(hub.desk.taps())
    hub.door.plug.pull()
    hub.opens(hub.tap())
    hub.door.kill()
    hub.door.start()
    hub.door.plug.put_back()
    assert [tap.granted for tap in hub.arrived(before, 1)] == [True]


def test_law_1_a_server_killed_in_a_burst_counts_each_tap_once(hub: OneDoor) -> None:
    """Twenty taps while the server is killed and started again are twenty taps in the ledger, none lost, none twice."""
    before = len(hub.desk.taps())
    for number in range(20):
        hub.tap()
        if number == 7:
            hub.building.kill_doors()
        if number == 14:
            hub.building.start_doors()
    arrived = hub.arrived(before, 20)
    assert len(arrived) == 20
    assert len({(tap.at, tap.event_id) for tap in arrived}) == 20


def test_law_2_without_a_broker_a_tap_opens_from_the_snapshot(hub: OneDoor) -> None:
    """With the broker gone the door opens at once by its own word, and the broker's return moves nothing."""
    before = len(hub.desk.taps())
    hub.building.cut_broker()
    since = hub.tap()
    assert hub.opens(since).at - since < DEADLINE_SECONDS + MACHINE_SECONDS
    hub.relocks(since)
    hub.building.restore_broker()
    assert [tap.decided_by for tap in hub.arrived(before, 1)] == ["door"]
    assert len(hub.door.pins.rises("relay", since)) == 1


def test_law_2_a_dead_line_delays_no_answer_beyond_the_deadline(hub: OneDoor) -> None:
    """Where the line is mute but not broken, the door waits for its deadline once, and afterwards not at all."""
    hub.door.plug.silence()
    try:
        first = hub.tap()
        waited = hub.opens(first).at - first
        hub.relocks(first)
        second = hub.tap()
        at_once = hub.opens(second).at - second
    finally:
        hub.door.plug.put_back()
    assert DEADLINE_SECONDS <= waited < DEADLINE_SECONDS + MACHINE_SECONDS
    assert at_once < DEADLINE_SECONDS


def test_law_2_a_pulled_plug_ends_no_pulse_and_begins_none(hub: OneDoor) -> None:
    """Pulling the plug and putting it back while the door is unlocked neither locks it early nor unlocks it again."""
    since, now = hub.tap(), hub.building.hand.now()
    on = hub.opens(since)
    hub.door.plug.pull()
    hub.door.plug.put_back()
    off = hub.relocks(since)
    hub.back(now)
    assert PULSE_SECONDS - 0.1 < off.at - on.at < PULSE_SECONDS + MACHINE_SECONDS
    assert len(hub.door.pins.rises("relay", since)) == 1


def test_law_2_a_late_answer_opens_nothing(hub: OneDoor) -> None:
    """A grant that comes when the deadline has passed opens only the next tap, never the one that was refused."""
    before = len(hub.desk.taps())
    hub.door.plug.silence()
    try:
        grant = hub.desk.grant(hub.second, hub.space, from_day=date(2026, 3, 1))
        since = hub.tap(SECOND)
        hub.refuses(since)
    finally:
        hub.door.plug.put_back()
    assert [tap.granted for tap in hub.arrived(before, 1)] == [False]
    assert not hub.door.pins.rises("relay", since)
    hub.opens(hub.tap(SECOND))
    hub.desk.withdraw(grant)


def test_law_3_the_relay_is_off_when_the_door_ends_and_when_it_starts(hub: OneDoor) -> None:
    """Asked to end in the middle of a pulse, the agent drops the relay first; started again it does not open by itself."""
    since = hub.tap()
    hub.opens(since)
    assert hub.door.stop() == 0
    fall = hub.relocks(since)
    assert fall.told
    assert fall.at - since < PULSE_SECONDS
    now = hub.building.hand.now()
    hub.door.start()
    hub.back(now)
    assert len(hub.door.pins.rises("relay", since)) == 1


def test_law_9_a_door_holds_no_name_and_no_number(hub: OneDoor) -> None:
    """Nothing that a door keeps, and nothing in the database, tells a tag's number; a door's files tell no name."""
    kept = b"".join(file.read_bytes() for file in hub.door.folder.rglob("*") if file.is_file())
    database = b"".join(file.read_bytes() for file in hub.building.folder.glob("hub.sqlite*"))
    for content in (kept, database):
        assert NUMBER.uid not in content
        assert NUMBER.uid.hex().encode() not in content.lower()
    assert b"Aino" in database
    assert b"Aino" not in kept


def test_law_10_a_door_that_does_not_hear_is_never_said_to_have_opened(hub: OneDoor) -> None:
    """Opening from the desk is done when the door says so; a door cut off is told as no answer, and opens at no later time."""
    command = hub.desk.open(hub.door.id, "forgot the keytag")
    assert wait_for(lambda: hub.desk.outcome(command), "the door answers") == commands.DONE
    wait_for(lambda: not hub.door.pins.is_on("relay"), "the door is locked")
    hub.door.plug.pull()
    since = time.monotonic()
    command = hub.desk.open(hub.door.id, "forgot the keytag")
    hub.building.hand.turn_by(timedelta(seconds=30))
    assert wait_for(lambda: hub.desk.outcome(command), "no answer is said") == commands.NO_ANSWER
    now = hub.building.hand.now()
    hub.door.plug.put_back()
    hub.back(now)
    assert not hub.door.pins.rises("relay", since)
