# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is what the server sends of the snapshot in force at once, whatever the disk does, and nothing that it did not send?"""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from access_contract.messages import Event, Tapped
from access_contract.snapshot import Right, Snapshot, TagRights, Window, digest_of
from access_contract.vocabulary import AccessPointId, TagNumber, tag_hash
from door_agent.config import load
from door_agent.happenings import TagRead
from door_agent.loop import Loop
from door_agent.main import made
from door_agent.snapshots import SnapshotStore
from tests.door_agent.pins import forget_pins, pin, remembering_pins
from tests.door_agent.snapshot_files import FRONT, NOTHING, delta, keep, parts, tag
from tests.door_agent.test_agent import KEY, write_door
from tests.system.processes import wait_for

IN, MINE = AccessPointId("in"), TagNumber.parse("04782E21801D80")
BEGUN, ENDED = datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC)


def rights(number: int, *, others: int = 3, mine: bool = True) -> Snapshot:
    right = Right(cause="grant:1", windows="always", access_points=(IN,))
    held = {tag(n): TagRights(rights=(msgspec.structs.replace(right, cause=f"grant:other{n}"),)) for n in range(others)}
    if mine:
        held[tag_hash(KEY, MINE)] = TagRights(rights=(right,))
    sets: dict[str, tuple[Window, ...]] = {"always": (Window(BEGUN, ENDED),)}
    return Snapshot(
        door=FRONT, number=number, made_at=BEGUN, expires_at=BEGUN + timedelta(days=36500), window_sets=sets, tags=held
    )


@contextmanager
def door(folder: Path) -> Iterator[Loop]:
    """A whole door, its loop in a thread of its own; no broker is there."""
    remembering_pins()
    came: queue.SimpleQueue[Loop] = queue.SimpleQueue()

    def work() -> None:
        with ExitStack() as ends:
            loop = made(folder / "door.toml", load(folder / "door.toml"), ends)
            came.put(loop)
            loop.run()

    thread = threading.Thread(target=work)
    thread.start()
    loop = came.get(timeout=20)
    try:
        yield loop
    finally:
        loop.put(None)
        thread.join(20)
        assert not thread.is_alive()
        forget_pins()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a door that holds rights number 5."""
    write_door(tmp_path)
    keep(tmp_path / "state" / "snapshot.sqlite", rights(5))
    return tmp_path


def send(loop: Loop, snapshot: Snapshot) -> None:
    for part in parts(snapshot, size=200):
        loop.heard(part)


def holds(loop: Loop, snapshot: Snapshot) -> None:
    wait_for(lambda: loop.state.digest == digest_of(snapshot), "the snapshot is in force")


def tapped(folder: Path) -> list[Tapped]:
    with closing(sqlite3.connect(folder / "state" / "journal.sqlite")) as journal:
        rows = journal.execute("select content from event order by sequence").fetchall()
    said = [msgspec.json.decode(content, type=Event).what for (content,) in rows]
    return [what for what in said if isinstance(what, Tapped)]


def tap(loop: Loop, folder: Path) -> str | None:
    """Return why a tap of our tag was refused, None if it was granted."""
    before = len(tapped(folder))
    loop.offer(TagRead(IN, MINE))
    return wait_for(lambda: tapped(folder)[before:], "the tap is recorded")[0].reason


def on_disk(folder: Path, snapshot: Snapshot) -> bool:
    store = SnapshotStore(folder / "state" / "snapshot.sqlite", NOTHING.head)
    store.close()
    return store.held.digest == digest_of(snapshot)


def test_parts_and_deltas_are_in_force_and_outlast_the_process(folder: Path) -> None:
    """A whole brings a right, a delta takes it, the next start knows; the journal names the snapshot that decided."""
    with door(folder) as loop:
        send(loop, rights(6, mine=False))
        holds(loop, rights(6, mine=False))
        assert tap(loop, folder) == "tag_unknown"
        loop.heard(delta(rights(6, mine=False), rights(7)))
        holds(loop, rights(7))
        assert tap(loop, folder) is None
        loop.heard(delta(rights(7), rights(8, mine=False)))
        holds(loop, rights(8, mine=False))
        wait_for(lambda: on_disk(folder, rights(8, mine=False)), "it is on the disk")
    with door(folder) as loop:
        assert tap(loop, folder) == "tag_unknown"
    assert [what.snapshot_number for what in tapped(folder)] == [6, 7, 8]


def test_a_revocation_is_in_force_while_the_disk_hangs(folder: Path) -> None:
    """Another one is in force on top of it, too; both are on the disk once that works again."""
    with door(folder) as loop, closing(sqlite3.connect(folder / "state" / "snapshot.sqlite", isolation_level=None)) as disk:
        disk.execute("begin immediate")
        loop.heard(delta(rights(5), rights(6, mine=False)))
        holds(loop, rights(6, mine=False))
        assert tap(loop, folder) == "tag_unknown"
        loop.heard(delta(rights(6, mine=False), rights(7, mine=False, others=1)))
        holds(loop, rights(7, mine=False, others=1))
        loop.offer(TagRead(IN, MINE))
        assert loop.parts.snapshots.unwritten is not None
        disk.execute("rollback")
        wait_for(lambda: loop.parts.snapshots.unwritten is None, "it is written")
        assert on_disk(folder, rights(7, mine=False, others=1))
        assert (loop.state.attention, pin(17).levels) == ((), [False])


def test_a_disk_that_refuses_does_not_keep_the_new_rights_out(folder: Path) -> None:
    """They are in force and said to be unwritten; once the disk takes them, that is said too."""
    file = folder / "state" / "snapshot.sqlite"
    file.unlink()
    file.mkdir()
    with door(folder) as loop:
        assert tap(loop, folder) == "tag_unknown"
        assert loop.state.attention == ("snapshot_lost",)
        send(loop, rights(6))
        wait_for(lambda: loop.state.attention == ("snapshot_unwritable",), "it is said")
        assert tap(loop, folder) is None
        file.rmdir()
        loop.heard(delta(rights(6), rights(7)))
        wait_for(lambda: loop.state.attention == (), "it is written")
    assert on_disk(folder, rights(7))


def test_rot_is_found_before_it_admits_anybody_and_mended_by_the_server(folder: Path) -> None:
    """A right that changed on the disk is lost with all others: everyone is refused until the whole comes again."""
    file = folder / "state" / "snapshot.sqlite"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"grant:other1", b"grant:other9"))
    with door(folder) as loop:
        wait_for(lambda: loop.state.attention == ("snapshot_lost",), "it is found, also where nobody taps")
        assert loop.state.digest is None
        assert tap(loop, folder) == "tag_unknown"
        send(loop, rights(4))
        send(loop, rights(5))
        holds(loop, rights(5))
        assert tap(loop, folder) is None
        assert loop.parts.link.counts["bad_snapshot_part"] > 0
        wait_for(lambda: on_disk(folder, rights(5)), "a new file takes the place of the rotten one")
        assert loop.state.attention == ()


def test_what_does_not_fit_is_dropped_and_counted(folder: Path) -> None:
    """A delta to another snapshot, one that leads elsewhere, a whole that is not what it claims: nothing changes."""
    with door(folder) as loop:
        loop.heard(delta(rights(4), rights(6)))
        loop.heard(msgspec.structs.replace(delta(rights(5), rights(6, mine=False)), digest="0" * 64))
        loop.heard(msgspec.structs.replace(parts(rights(6, mine=False))[0], digest="0" * 64))
        wait_for(lambda: loop.parts.link.counts["bad_snapshot"] == 1, "the whole is refused")
        assert loop.parts.link.counts["bad_snapshot_delta"] == 2
        assert loop.state.digest == digest_of(rights(5))
        assert tap(loop, folder) is None


def test_in_memory_only_nothing_of_it_is_on_the_disk(folder: Path) -> None:
    """Who takes the box finds no tag but those that were tapped; a start refuses everyone until the server is heard."""
    toml = folder / "door.toml"
    toml.write_text(toml.read_text(encoding="utf-8") + 'snapshot_storage = "ram"\n', encoding="utf-8")
    with door(folder) as loop:
        assert tap(loop, folder) == "tag_unknown"
        send(loop, rights(6, others=50))
        holds(loop, rights(6, others=50))
        loop.heard(delta(rights(6, others=50), rights(7, others=60)))
        holds(loop, rights(7, others=60))
        assert tap(loop, folder) is None
        assert loop.state.attention == ()
    content = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert tag_hash(KEY, MINE).encode() in content
    assert b"grant:other" not in content
    assert not any(tag(n).encode() in content or bytes.fromhex(tag(n)) in content for n in range(60))
    assert list((folder / "state").glob("snapshot*")) == []
    with door(folder) as loop:
        assert tap(loop, folder) == "tag_unknown"
