# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the file hold one whole snapshot, the old or the new, whatever happens to process and disk?"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from access_contract.snapshot import Snapshot, digest_of, encode, pack
from door_agent import layout
from door_agent.proving import whole
from door_agent.snapshot_file import SnapshotFile, SnapshotLost, SnapshotUnwritable, remove, write
from door_agent.snapshots import SnapshotStore
from tests.door_agent.snapshot_files import NOTHING, keep, snapshot, tag
from tests.door_agent.snapshot_swapper import TAGS

SEED = 20261125


def killed_while_swapping(file: Path, chance: random.Random) -> int:
    """Return the number that was being written when the process was killed."""
    command = [sys.executable, "-m", "tests.door_agent.snapshot_swapper", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
        assert swapper.stdout is not None
        for _ in range(chance.randint(1, 4)):
            number = swapper.stdout.readline()
        Event().wait(chance.random() * 0.03)
        swapper.kill()
        return int([number, *swapper.stdout.readlines()][-1])


def check_killed(file: Path, times: int) -> None:
    chance = random.Random(SEED)  # noqa: S311
    held = 0
    for _ in range(times):
        last = killed_while_swapping(file, chance)
        store = SnapshotStore(file, NOTHING.head)
        assert store.trouble is None
        number = store.held.head.number
        assert number in (last, last - 1) or (number == 0 and last == 1)
        assert number >= held
        held = number
        if number > 0:
            written = snapshot(number, TAGS[number % 2])
            assert store.held.digest == digest_of(written)
            assert store.layers.file is not None
            store.layers.file.prove_all()
            for n in range(0, TAGS[0], 97):
                assert store.look_up(tag(n)).rights_of(tag(n)) == written.rights_of(tag(n))
        store.close()


def test_a_process_killed_in_the_middle_of_a_swap_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """After kill -9 the file holds one of the two, whole, with the right digest, and never goes back."""
    check_killed(tmp_path / "s", 8)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_same_three_hundred_times(tmp_path: Path) -> None:
    """The full count."""
    check_killed(tmp_path / "s", 300)


def differs(file: Path, one: Snapshot) -> bool:
    """True if the file says it is lost; False if it says what `one` says. Anything else fails."""
    store = SnapshotStore(file, NOTHING.head)
    try:
        if store.trouble is not None:
            assert store.held == NOTHING
            return True
        for n in range(60):
            assert store.look_up(tag(n)).rights_of(tag(n)) == one.rights_of(tag(n))
        assert store.layers.file is not None
        store.layers.file.prove_all()
    except SnapshotLost:
        return True
    finally:
        store.close()
    return False


def test_no_damaged_page_ever_admits_anybody(tmp_path: Path) -> None:
    """Whatever page is torn, zeroed or rotten in one bit: the door says what it was sent, or that it is lost."""
    chance, one = random.Random(SEED), snapshot(5, tags=50)  # noqa: S311
    keep(tmp_path / "s", one)
    assert not differs(tmp_path / "s", one)
    sound = (tmp_path / "s").read_bytes()
    lost = 0
    for page in range(0, len(sound), 4096):
        for damage in (bytes(4096), bytes(2048), None):
            content = bytearray(sound)
            if damage is None:
                content[page + chance.randrange(4096)] ^= 1 << chance.randrange(8)
            else:
                content[page : page + len(damage)] = damage
            (tmp_path / "s").write_bytes(content)
            lost += differs(tmp_path / "s", one)
    assert lost > len(sound) // 4096


def test_a_right_changed_in_place_is_lost_at_its_first_use(tmp_path: Path) -> None:
    """Sound SQLite with other words in it: the first tap of that bucket finds out, before anybody is admitted."""
    keep(tmp_path / "s", snapshot(5, tags=50))
    content = (tmp_path / "s").read_bytes()
    assert b"grant:7" in content
    (tmp_path / "s").write_bytes(content.replace(b"grant:7", b"grant:8"))
    file = SnapshotFile(tmp_path / "s")
    with pytest.raises(SnapshotLost, match="is damaged"):
        file.tag(tag(7))
    file.close()


def test_a_file_cut_short_or_never_finished_is_lost(tmp_path: Path) -> None:
    """Nothing of it is believed, and a whole snapshot takes its place."""
    keep(tmp_path / "s", snapshot(5))
    sound = (tmp_path / "s").read_bytes()
    for content in (b"", sound[:100], sound[:5000], b"\x00" * 4096):
        (tmp_path / "s").write_bytes(content)
        store = SnapshotStore(tmp_path / "s", NOTHING.head)
        assert (store.held, store.begins_anew, store.trouble is None) == (NOTHING, True, False)
    keep(tmp_path / "s", snapshot(6))
    assert SnapshotStore(tmp_path / "s", NOTHING.head).held.head.number == 6


def test_a_disk_that_takes_nothing_keeps_what_it_has(tmp_path: Path) -> None:
    """The fault names file and cause; nothing of it is left behind once the file is removed."""
    keep(tmp_path / "s", snapshot(5))
    store = SnapshotStore(tmp_path / "s", NOTHING.head)
    later = snapshot(6)
    change, _ = whole(pack(encode(later)), digest_of(later), store.held)
    with pytest.raises(SnapshotUnwritable, match="unable to open"):
        write(tmp_path / "away" / "s", change, anew=False)
    assert store.look_up(tag(1)).tags != {}
    store.close()
    remove(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_what_broke_off_while_it_was_made_is_removed_too(tmp_path: Path) -> None:
    """A box that is to keep nothing on its disk keeps no half of a first snapshot either."""
    keep(tmp_path / "s", snapshot(5))
    keep(tmp_path / "s.new", snapshot(6))
    remove(tmp_path / "s")
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_a_newer_layout_is_lost_and_written_anew(tmp_path: Path) -> None:
    """Nothing of it is read: everyone is refused, the trouble says why, and what the server sends takes its place."""
    file = tmp_path / "s"
    keep(file, snapshot(5, tags=50))
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"pragma user_version = {layout.LAYOUT + 1}")
    store = SnapshotStore(file, NOTHING.head)
    assert store.held == NOTHING
    assert store.begins_anew
    assert "was written by a newer version of the agent (layout 2, this one knows 1)" in str(store.trouble)
    keep(file, snapshot(6, tags=50))
    store = SnapshotStore(file, NOTHING.head)
    assert (store.trouble, store.held.head.number) == (None, 6)
    store.close()


def test_a_file_of_the_first_version_is_read_and_numbered_at_its_next_change(tmp_path: Path) -> None:
    """It names no layout and is the first one."""
    file = tmp_path / "s"
    keep(file, snapshot(5, tags=50))
    with closing(sqlite3.connect(file)) as database:
        database.execute("pragma user_version = 0")
    SnapshotFile(file).close()
    change, _ = whole(pack(encode(snapshot(6, tags=50))), digest_of(snapshot(6, tags=50)), NOTHING)
    write(file, change, anew=False).close()
    with closing(sqlite3.connect(file)) as database:
        assert layout.number_of(database) == 1
