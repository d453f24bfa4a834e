# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a small machine carry a hundred thousand tags, with 35 days of bookings on board?"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from access_contract.snapshot import Snapshot, digest_of, encode, pack
from door_agent.proving import changed, whole
from door_agent.snapshot_file import write
from door_agent.snapshots import SnapshotStore
from tests.door_agent.snapshot_files import NOTHING, delta, keep, snapshot, tag

TAGS = 100_000
_LOOKS = """
import resource, sys
from pathlib import Path
from door_agent.snapshots import SnapshotStore
from tests.door_agent.snapshot_files import NOTHING, tag

store = SnapshotStore(Path(sys.argv[1]), NOTHING.head)
assert all(store.look_up(tag(n)).tags for n in range(0, int(sys.argv[2]), int(sys.argv[2]) // 1000))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.fixture(scope="module")
def many() -> Snapshot:
    return snapshot(5, tags=TAGS)


@pytest.fixture(scope="module")
def kept(many: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a door that holds them."""
    file = tmp_path_factory.mktemp("many") / "s"
    keep(file, many)
    return file


def test_one_tag_of_a_hundred_thousand_is_revoked_in_a_moment(many: Snapshot, kept: Path) -> None:
    """The delta is proven, in force, on the disk and there after a start; what it left alone is as it was."""
    gone = msgspec.structs.replace(many, number=6, tags={t: r for t, r in many.tags.items() if t != tag(7)})
    store, change = SnapshotStore(kept, NOTHING.head), delta(many, gone)
    begun = time.monotonic()
    store.take_on(*changed(change, store.layers, store.held))
    assert store.look_up(tag(7)).tags == {}
    unwritten = store.unwritten
    assert unwritten is not None
    store.written(unwritten, write(kept, unwritten, anew=False))
    again = SnapshotStore(kept, NOTHING.head)
    assert again.look_up(tag(7)).tags == {}
    assert time.monotonic() - begun < 3
    assert again.held.digest == change.digest
    for n in range(0, TAGS, 1000):
        found = again.look_up(tag(n))
        assert found.rights_of(tag(n)) == many.tags[tag(n)]
        assert all(found.windows(right.windows) for right in many.tags[tag(n)].rights)


def test_memory_does_not_grow_with_the_tags(kept: Path, tmp_path: Path) -> None:
    """A door that looks up a thousand of a hundred thousand needs hardly more than one that has a thousand."""
    keep(tmp_path / "few", snapshot(5, tags=1000))
    assert looks(kept, TAGS) < looks(tmp_path / "few", 1000) + 8


def looks(file: Path, tags: int) -> int:
    """Return the most memory that it took, in MiB."""
    return int(
        subprocess.run([sys.executable, "-c", _LOOKS, file, str(tags)], capture_output=True, text=True, check=True).stdout
    )


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_swapping_them_again_and_again_leaves_memory_as_it_was(many: Snapshot, kept: Path) -> None:
    """Twenty whole snapshots of a hundred thousand tags, each proven and written: what the tenth took, the last takes."""
    store, peaks = SnapshotStore(kept, NOTHING.head), []
    for number in range(10, 30):
        after = msgspec.structs.replace(many, number=number)
        store.take_on(*whole(pack(encode(after)), digest_of(after), store.held))
        unwritten = store.unwritten
        assert unwritten is not None
        store.written(unwritten, write(kept, unwritten, anew=False))
        del unwritten
        peaks.append(resident_mib())
    assert peaks[-1] < peaks[9] * 1.1


def resident_mib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) // 1024
