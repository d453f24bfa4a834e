# SPDX-License-Identifier: AGPL-3.0-or-later
"""A process that swaps a door's snapshot as fast as it can, whole and by deltas, until it is killed in the middle of it."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from access_contract.snapshot import digest_of, encode, pack
from door_agent.proving import changed, whole
from door_agent.snapshot_file import write
from door_agent.snapshots import SnapshotStore
from tests.door_agent.snapshot_files import NOTHING, delta, snapshot

TAGS = (1200, 400)


def swap(file: Path) -> None:
    """Write snapshots of odd and even numbers in turn; say each number before it is written."""
    store = SnapshotStore(file, NOTHING.head)
    first = store.held.head.number
    last = snapshot(first, TAGS[first % 2])
    for number in count(first + 1):
        after = snapshot(number, TAGS[number % 2])
        by_delta = store.held.digest == digest_of(last) and number % 4 > 1
        came = changed(delta(last, after), store.layers, store.held) if by_delta else None
        store.take_on(*(came or whole(pack(encode(after)), digest_of(after), store.held)))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        change = store.unwritten
        assert change is not None
        store.written(change, write(file, change, anew=store.begins_anew))
        last = after


if __name__ == "__main__":
    swap(Path(sys.argv[1]))
