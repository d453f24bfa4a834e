# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 1 after a long time alone: a full journal, a disk restored from an image, ten tags in a second; on real processes."""

from __future__ import annotations

import shutil
import time
from datetime import timedelta

import pytest
from sqlalchemy import text

from access_contract.messages import Closed, Opened
from access_contract.vocabulary import ClockQuality, TagNumber
from door_agent.journal import Journal
from tests.system.one_door import MACHINE_SECONDS, NUMBER, PULSE_SECONDS, SECOND, OneDoor
from tests.system.processes import wait_for

EVENTS_A_SECOND_MIN = 300
"""What a resend must bring on a busy test machine, with a server killed on the way."""


def reached(hub: OneDoor, journal: str) -> int:
    """Up to where the server holds the whole journal."""
    with hub.desk.database.read() as tx:
        told = text("select coalesce(max(up_to), 0) from journals where journal = :journal")
        return int(tx.execute(told, {"journal": journal}).scalar_one())


def numbered(hub: OneDoor, journal: str) -> tuple[int, int]:
    """How many events of a journal the server holds, and the highest number."""
    with hub.desk.database.read() as tx:
        told = text("select count(*), coalesce(max(sequence), 0) from events where journal = :journal")
        count, last = tx.execute(told, {"journal": journal}).one()
    return int(count), int(last)


def forks(hub: OneDoor) -> int:
    with hub.desk.database.read() as tx:
        return int(tx.execute(text("select count(*) from forks")).scalar_one())


def live_alone(hub: OneDoor, count: int) -> tuple[str, int]:
    """Write what happens at the door while it is alone; return its journal and the last number."""
    journal = Journal(hub.door.folder / "state" / "journal.sqlite")
    begin = hub.building.hand.now()
    for number in range(count):
        at = begin + timedelta(milliseconds=number)
        what = Opened(forced=True) if number % 2 == 0 else Closed()
        journal.append(what, at=at, monotonic=float(number), clock=ClockQuality.SYNCED)
    told = journal.id, journal.sequence
    journal.close()
    return told


@pytest.mark.parametrize("count", [20_000, pytest.param(999_000, marks=[pytest.mark.soak, pytest.mark.timeout(2 * 3600)])])
def test_law_1_a_week_alone_arrives_whole_and_once(hub: OneDoor, count: int) -> None:
    """All that a door wrote while it was alone reaches the server through the broker's small queues, each once, though the
    server is killed on the way; and the door then forgets it."""
    hub.door.stop()
    journal, last = live_alone(hub, count)
    forked, began = forks(hub), time.monotonic()
    hub.door.start()
    wait_for(lambda: reached(hub, journal) > last - 0.9 * count, "it begins to arrive", limit_seconds=count)
    hub.building.kill_doors()
    hub.building.start_doors()
    wait_for(lambda: reached(hub, journal) >= last, "the last one arrives", limit_seconds=count / EVENTS_A_SECOND_MIN + 60)
    assert time.monotonic() - began < count / EVENTS_A_SECOND_MIN + 60
    held, highest = numbered(hub, journal)
    assert held == highest
    assert forks(hub) == forked
    state = hub.door.folder / "state"
    wait_for(lambda: waiting(hub) == 0, "the door forgets what is stored", limit_seconds=20)
    assert (state / "journal.sqlite-wal").stat().st_size < 64 * 2**20


def waiting(hub: OneDoor) -> int:
    journal = Journal(hub.door.folder / "state" / "journal.sqlite")
    try:
        return journal.waiting
    finally:
        journal.close()


def test_law_1_a_disk_restored_from_an_image_loses_no_later_tap(hub: OneDoor) -> None:
    """Back at an older state the door uses numbers again that the server has: it is found out at once, what it wrote is kept
    aside and named to staff, and from then on it writes another journal in which taps count as ever."""
    before, forked = len(hub.desk.taps()), forks(hub)
    hub.door.stop()
    state, image = hub.door.folder / "state", hub.door.folder / "image"
    shutil.copytree(state, image)
    hub.door.start()
    hub.relocks(hub.opens(hub.tap()).at)
    hub.arrived(before, 1)
    hub.door.stop()
    shutil.rmtree(state)
    image.rename(state)
    old = Journal(state / "journal.sqlite")
    old.close()
    hub.door.start()
    wait_for(lambda: forks(hub) > forked, "the server finds it out", limit_seconds=20)
    wait_for(lambda: "journal_forked" in attention(hub), "staff are told", limit_seconds=20)
    hub.relocks(hub.opens(hub.tap()).at)
    assert [tap.granted for tap in hub.arrived(before, 2)] == [True, True]
    new = Journal(state / "journal.sqlite")
    assert new.id != old.id
    assert new.verify()
    new.close()
    hub.door.stop()
    hub.door.start()


def attention(hub: OneDoor) -> list[str]:
    from booking_server.doors import service as doors

    with hub.desk.database.read() as tx:
        return doors.door_states(tx)["front"].status.attention


def test_ten_tags_in_a_second_are_ten_answers(hub: OneDoor) -> None:
    """Each is decided and stored, and the relay is on no longer than one pulse after the last that was granted."""
    before = len(hub.desk.taps())
    strangers = [TagNumber(bytes((4, number)) + b"\xd1\xe5\xa0\xc0\xfe") for number in range(7)]
    began = time.monotonic()
    for number in (strangers[0], NUMBER, *strangers[1:4], NUMBER, SECOND, *strangers[4:]):
        last = hub.tap(number)
    assert last - began < 1.0
    fall = hub.relocks(began)
    stored = hub.arrived(before, 10)
    assert sorted(tap.granted for tap in stored) == [False] * 8 + [True] * 2
    assert len(hub.door.pins.rises("relay", began)) == 1
    assert PULSE_SECONDS - 0.1 < fall.at - began < last - began + PULSE_SECONDS + 2 * MACHINE_SECONDS
    assert hub.door.pins.rises("refused", began)
