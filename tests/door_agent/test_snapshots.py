# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door hold exactly the snapshot that it was sent, proven, through parts, deltas and starts?"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from access_contract.messages import SnapshotDelta, SnapshotPart
from access_contract.snapshot import LockDown, Snapshot, TagRights, Unlocking, digest_of, encode, pack, taken_apart
from door_agent.proving import PARTS_MAX, Gathering, changed, whole
from door_agent.snapshot_file import write
from door_agent.snapshots import BadSnapshot, Held, SnapshotStore
from tests.door_agent.snapshot_files import NOTHING, delta, keep, parts, snapshot, tag


def stored(file: Path) -> SnapshotStore:
    return SnapshotStore(file, NOTHING.head)


def take_whole(store: SnapshotStore, of: Snapshot) -> None:
    store.take_on(*whole(pack(encode(of)), digest_of(of), store.held))


def take_delta(store: SnapshotStore, what: SnapshotDelta) -> None:
    store.take_on(*changed(what, store.layers, store.held))


def put_on_disk(store: SnapshotStore) -> None:
    assert store.path is not None
    change = store.unwritten
    assert change is not None
    store.written(change, write(store.path, change, anew=store.begins_anew))


def says(store: SnapshotStore, of: Snapshot, tags: int) -> bool:
    """True if the store says of every tag what `of` says, and of others nothing."""
    for number in range(tags):
        found = store.look_up(tag(number))
        known = of.rights_of(tag(number))
        if found.rights_of(tag(number)) != known or found.number != of.number:
            return False
        for right in () if known is None else known.rights:
            if found.windows(right.windows) != of.windows(right.windows):
                return False
    return store.held.digest == digest_of(of)


def test_parts_in_any_order_and_twice_make_one_snapshot(tmp_path: Path) -> None:
    """It is whole with the last part that was missing, in force at once, and the same after a start."""
    store, gathering, one = stored(tmp_path / "s"), Gathering(), snapshot()
    cut = parts(one, size=90)
    came = [gathering.add(part, at_least=3) for part in [cut[-1], cut[-1], *cut[:-1]]]
    assert came[:-1] == [None] * len(cut)
    assert came[-1] is not None
    store.take_on(*whole(came[-1], cut[0].digest, store.held))
    assert says(store, one, 5)
    put_on_disk(store)
    assert (store.unwritten, says(store, one, 5)) == (None, True)
    assert says(stored(tmp_path / "s"), one, 5)


def test_a_half_gathered_snapshot_is_in_no_newer_one_s_way() -> None:
    """What broke off in the middle is let go once a newer one is whole; its other parts then make nothing."""
    gathering, older = Gathering(), parts(snapshot(5), size=90)
    gathering.add(older[0], at_least=0)
    assert [gathering.add(part, at_least=0) for part in parts(snapshot(6), size=90)][-1] == pack(encode(snapshot(6)))
    assert [gathering.add(part, at_least=0) for part in older[1:]] == [None] * (len(older) - 1)


def test_two_servers_at_once_starve_no_door() -> None:
    """Each sends the same rights under its own number, part by part in turn: both become whole."""
    gathering, turns = Gathering(), zip(parts(snapshot(5), size=90), parts(snapshot(6), size=90), strict=True)
    came = [gathering.add(part, at_least=0) for turn in turns for part in turn]
    assert came[-2:] == [pack(encode(snapshot(5))), pack(encode(snapshot(6)))]


def test_what_is_gathered_never_takes_more_than_one_snapshot_may() -> None:
    """Whatever number of them break off: the oldest makes room, and the newest still becomes whole."""
    gathering = Gathering()
    for number in range(PARTS_MAX + 9):
        gathering.add(SnapshotPart(number=number, digest="d", part=0, parts=2, content=b"a"), at_least=0)
    halves = [SnapshotPart(number=number, digest="d", part=1, parts=2, content=b"b") for number in (0, PARTS_MAX + 8)]
    assert [gathering.add(half, at_least=0) for half in halves] == [None, b"ab"]


@pytest.mark.parametrize(
    "bad",
    [
        SnapshotPart(number=5, digest="d", part=2, parts=2, content=b""),
        SnapshotPart(number=2, digest="d", part=0, parts=1, content=b""),
        SnapshotPart(number=5, digest="d", part=0, parts=PARTS_MAX + 1, content=b""),
        SnapshotPart(number=5, digest="d", part=0, parts=1, content=bytes(40_000)),
        SnapshotPart(number=5, digest="d", part=0, parts=1, content=b"", packing="zstd"),
    ],
    ids=["beyond", "old", "too many", "too long", "packed otherwise"],
)
def test_a_part_that_cannot_be_right_is_refused(bad: SnapshotPart) -> None:
    """No memory is held for it."""
    with pytest.raises(BadSnapshot):
        Gathering().add(bad, at_least=3)


def encoded(**changes: object) -> tuple[bytes, str]:
    one = msgspec.structs.replace(snapshot(), **changes)
    return pack(encode(one)), digest_of(one)


@pytest.mark.parametrize(
    ("packed", "digest", "says"),
    [
        (b"{}", "d", "no snapshot"),
        (pack(b"\xff"), "d", "no snapshot"),
        (pack(b"[]"), "d", "no snapshot"),
        (encoded()[0], "d", "digest"),
        (*encoded(door="back"), "another|'back'"),
        (*encoded(number=2), "older"),
        (*encoded(tags={"E4" * 32: TagRights()}), "malformed"),
        (*encoded(tags={"e4": TagRights()}), "malformed"),
    ],
    ids=["not packed", "no JSON", "no object", "digest", "door", "older", "capitals", "short"],
)
def test_a_whole_that_cannot_be_right_is_refused(packed: bytes, digest: str, says: str) -> None:
    """Nothing is taken on of what is foreign, older, broken or not what it claims."""
    with pytest.raises(BadSnapshot, match=says):
        whole(packed, digest, Held(head=msgspec.structs.replace(NOTHING.head, number=3)))


@pytest.mark.parametrize("way", ["each on the disk", "all in memory first", "ram"])
def test_deltas_lead_where_the_whole_would_have_led(tmp_path: Path, way: str) -> None:
    """Tags and windows come, change and go; the door says the same as one that got the whole, also after a start."""
    steps = [snapshot(5, tags=300), snapshot(6, tags=301), snapshot(7, tags=150)]
    hours, lock_down = Unlocking(windows="always"), LockDown(number=1, on=True)
    steps.append(msgspec.structs.replace(snapshot(8, tags=150), unlocking=hours, lock_down=lock_down))
    steps.append(msgspec.structs.replace(steps[-1], number=9, tags={}, window_sets={}, unlocking=None))
    steps.append(snapshot(10, tags=2))
    store = stored(tmp_path / "s") if way != "ram" else SnapshotStore(None, NOTHING.head)
    take_whole(store, steps[0])
    for before, after in pairwise(steps):
        if way == "each on the disk":
            put_on_disk(store)
        take_delta(store, delta(before, after))
        assert says(store, after, 310)
        assert len(store.held.unlocking_windows) == (35 if after.unlocking else 0)
    if way != "ram":
        put_on_disk(store)
        assert says(stored(tmp_path / "s"), steps[-1], 310)
    else:
        assert (store.unwritten, list(tmp_path.iterdir())) == (None, [])


def test_a_delta_that_does_not_fit_changes_nothing(tmp_path: Path) -> None:
    """Onto another snapshot, to a wrong digest, of another door, to a lower number: what was in force stays."""
    store, one, two = stored(tmp_path / "s"), snapshot(5), snapshot(6, tags=4)
    take_whole(store, one)
    good = delta(one, two)
    lower, foreign = (delta(one, msgspec.structs.replace(two, **change)) for change in ({"number": 4}, {"door": "back"}))
    forgetful = msgspec.structs.replace(good, put_tags={})
    for bad in (delta(two, one), forgetful, lower, foreign):
        with pytest.raises(BadSnapshot):
            take_delta(store, bad)
        assert says(store, one, 5)
    take_delta(store, good)
    assert says(store, two, 5)


def test_a_field_of_a_later_version_stays_in_what_is_kept(tmp_path: Path) -> None:
    """A newer server may add to rights and head: the digest still fits, through the file and a delta on top."""
    store, one = stored(tmp_path / "s"), snapshot(5, tags=1)
    later = msgspec.json.decode(encode(one))
    later["added_in_2031"], later["tags"][tag(0)]["added_in_2031"] = 1, 2
    content = msgspec.json.encode(later)
    store.take_on(*whole(pack(content), taken_apart(content).digest(), store.held))
    put_on_disk(store)
    assert stored(tmp_path / "s").held == store.held
    assert stored(tmp_path / "s").look_up(tag(0)).rights_of(tag(0)) == one.tags[tag(0)]


def test_what_is_written_late_takes_nothing_newer_back(tmp_path: Path) -> None:
    """A delta that comes while the one before is being written stays in force, and is written after it."""
    store, one, two, three = stored(tmp_path / "s"), snapshot(5), snapshot(6, tags=4), snapshot(7, tags=1)
    keep(tmp_path / "s", one)
    store = stored(tmp_path / "s")
    take_delta(store, delta(one, two))
    writing = store.unwritten
    assert writing is not None
    take_delta(store, delta(two, three))
    store.written(writing, write(tmp_path / "s", writing, anew=False))
    assert says(store, three, 5)
    put_on_disk(store)
    assert says(stored(tmp_path / "s"), three, 5)


def test_what_is_lost_leaves_the_head_and_refuses_everyone(tmp_path: Path) -> None:
    """A lost file takes with it what builds on it, even what was just being written; a whole one in memory stays in force."""
    one, two = snapshot(5), snapshot(6, tags=4)
    keep(tmp_path / "s", one)
    store = stored(tmp_path / "s")
    take_delta(store, delta(one, two))
    writing = store.unwritten
    assert writing is not None
    assert store.lose()
    assert (store.held, store.look_up(tag(0)).tags) == (Held(head=store.held.head), {})
    store.written(writing, write(tmp_path / "s", writing, anew=False))
    assert store.look_up(tag(0)).tags == {}
    take_whole(store, two)
    assert not store.lose()
    assert says(store, two, 5)


def test_a_file_of_another_door_is_none(tmp_path: Path) -> None:
    """A card from another box starts with nothing, and says why."""
    keep(tmp_path / "s", snapshot(door="back"))
    store = stored(tmp_path / "s")
    assert (store.held, store.look_up(tag(0)).tags) == (NOTHING, {})
    assert "'back'" in (store.trouble or "")
