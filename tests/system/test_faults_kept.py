# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door is to keep and cannot be right: a snapshot forged, foreign, older or rotten; a journal whose end is torn off."""

from __future__ import annotations

import re
import shutil
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from access_contract.messages import SnapshotPart
from access_contract.snapshot import Right, Snapshot, TagRights, Window, digest_of
from access_contract.vocabulary import AccessPointId, DoorId, tag_hash
from booking_server.doors import service as doors
from door_agent.journal import Journal
from tests.door_agent.snapshot_files import parts
from tests.system.one_door import NUMBER, STRANGER, OneDoor
from tests.system.processes import wait_for
from tests.system.test_laws_lies import Impostor, in_place_of_the_server

PAGE_BYTES = 4096


def for_a_stranger(hub: OneDoor) -> Snapshot:
    """The snapshot that would let the stranger in, as old as the one in force."""
    now = hub.building.hand.now()
    with hub.desk.database.read() as tx:
        held = doors.door_states(tx)["front"].status.snapshot_number
    stranger = tag_hash((hub.door.folder / "tag.key").read_bytes(), STRANGER)
    right = Right(cause="grant:1", windows="always", access_points=(AccessPointId("in"),))
    return Snapshot(
        door=DoorId("front"),
        number=held,
        made_at=now,
        expires_at=now + timedelta(days=1),
        window_sets={"always": (Window(now - timedelta(days=1), now + timedelta(days=1)),)},
        tags={stranger: TagRights(rights=(right,))},
    )


def send(impostor: Impostor, sent: list[SnapshotPart], *, own_key: bool = True) -> None:
    for part in sent:
        impostor.say("snapshot", impostor.sealed(part, own_key=own_key))


def test_law_4_a_snapshot_that_is_forged_foreign_older_or_rotten_changes_nothing(hub: OneDoor) -> None:
    """Each would let a stranger in, and none does; the one in force still opens for its member. The same one, signed by the
    server, whole, of this door and not older, is gone by."""
    good = for_a_stranger(hub)
    with in_place_of_the_server(hub) as impostor:
        send(impostor, parts(good), own_key=False)
        send(impostor, parts(msgspec.structs.replace(good, number=good.number - 1)))
        send(impostor, parts(msgspec.structs.replace(good, door=DoorId("side"))))
        send(impostor, [msgspec.structs.replace(part, content=part.content[:-9] + bytes(9)) for part in parts(good)])
        for cause in ("bad_signature", "bad_snapshot_part", "bad_snapshot"):
            wait_for(lambda: re.search(rf"cause={cause}\b", hub.door.said()), f"{cause} is counted")  # noqa: B023
        since = hub.tap(STRANGER)
        hub.refuses(since)
        hub.relocks(hub.opens(hub.tap(NUMBER)).at)
        assert len(hub.door.pins.rises("relay", since)) == 1
        send(impostor, parts(good))
        wait_for(lambda: digest_of(good) in impostor.snapshots, "the door has it", limit_seconds=20)
        hub.relocks(hub.opens(hub.tap(STRANGER)).at)
    hub.ready()
    hub.refuses(hub.tap(STRANGER))


def torn(file: Path, way: str) -> None:
    """Have the last page that was being written half on the disk: cut off, or the rest as zeros."""
    size, half = file.stat().st_size, PAGE_BYTES // 2
    with file.open("r+b") as log:
        log.truncate(size - half)
        if way == "zeros":
            log.truncate(size)


def kept(state: Path) -> int:
    """How many events a door that starts from a copy of these files would find."""
    copy = shutil.copytree(state, state.with_name("copy"), dirs_exist_ok=True)
    journal = Journal(copy / "journal.sqlite")
    found = len(journal.unacknowledged(1000))
    journal.close()
    shutil.rmtree(copy)
    return found


@pytest.mark.soak
@pytest.mark.parametrize("way", ["cut off", "zeros"])
def test_law_1_a_torn_last_page_costs_what_was_not_on_the_disk_and_no_more(hub: OneDoor, way: str) -> None:
    """The power fails while the journal's last page is written: the door comes up, what was on the disk before is there and
    arrives, the chain holds, and the next tap counts under a number of its own."""
    before = len(hub.desk.taps())
    hub.door.plug.pull()
    since = time.monotonic()
    hub.relocks(hub.opens(hub.tap()).at)
    state = hub.door.folder / "state"
    hub.door.kill()
    whole = kept(state)
    torn(state / "journal.sqlite-wal", way)
    assert 0 < kept(state) < whole
    hub.door.start()
    hub.relocks(hub.opens(hub.tap()).at)
    hub.door.plug.put_back()
    assert [tap.granted for tap in hub.arrived(before, 2)] == [True, True]
    assert len(hub.door.pins.rises("relay", since)) == 2
    journal = Journal(state / "journal.sqlite")
    assert journal.damaged is None
    assert journal.verify()
    journal.close()
