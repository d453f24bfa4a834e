# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the journal lose nothing, keep its chain, and forget only what was acknowledged?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access_contract.messages import Closed
from access_contract.vocabulary import ClockQuality
from door_agent.errors import JournalUnwritable
from door_agent.journal import Journal, Syncer

AT = datetime(2026, 1, 31, 5, tzinfo=UTC)
_WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from access_contract.messages import Closed
from access_contract.vocabulary import ClockQuality
from door_agent.journal import Journal
journal = Journal(Path(sys.argv[1]))
while True:
    n = journal.append(Closed(), at=datetime(2026, 1, 31, tzinfo=UTC), monotonic=0, clock=ClockQuality.SYNCED)
    print(n, flush=True)
"""


def add(journal: Journal, count: int = 1) -> None:
    for _ in range(count):
        journal.append(Closed(), at=AT, monotonic=1e9, clock=ClockQuality.SYNCED)


def test_a_killed_writer_loses_nothing_it_reported(tmp_path: Path) -> None:
    """What append returned for is still there after kill -9, and the chain holds."""
    file = tmp_path / "journal"
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(50):
        writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    said = writer.stdout.read().split("\n")[:-1]
    writer.stdout.close()
    writer.wait()
    journal = Journal(file)
    assert journal.sequence >= 50 + len(said)
    assert journal.verify()
    assert len(journal.unacknowledged(1_000_000)) == journal.sequence


def test_only_what_was_acknowledged_is_forgotten(tmp_path: Path) -> None:
    """Missing events and everything after them stay to be sent again, also after a restart."""
    journal = Journal(tmp_path / "journal")
    add(journal, 10)
    journal.acknowledge(journal.id, 8, [5])
    assert [b'"sequence":%d,' % n in e for n, e in zip(range(5, 11), journal.unacknowledged(100), strict=True)] == [True] * 6
    journal.acknowledge(journal.id, 10, [])
    assert journal.unacknowledged(100) == []
    again = Journal(tmp_path / "journal")
    assert (again.sequence, again.acknowledged) == (10, 10)


def test_an_acknowledgement_of_the_unwritten_changes_nothing(tmp_path: Path) -> None:
    """The server cannot make a door forget what it has not written."""
    journal = Journal(tmp_path / "journal")
    add(journal, 2)
    journal.acknowledge(journal.id, 3, [])
    journal.acknowledge("another", 2, [])
    assert len(journal.unacknowledged(100)) == 2


def test_after_a_fork_a_new_journal_continues_and_the_old_events_stay(tmp_path: Path) -> None:
    """A new journal starts at 1, names the one before, and what was not acknowledged is sent first."""
    journal = Journal(tmp_path / "journal")
    add(journal, 2)
    before = journal.id
    assert journal.start_new() == before
    add(journal)
    assert journal.sequence == 1
    assert len(journal.unacknowledged(100)) == 3


def test_a_full_disk_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A failed write adds nothing, names the file, and the next write goes on where the last good one ended."""
    journal = Journal(tmp_path / "journal")
    add(journal)
    journal._db.execute("pragma query_only=1")
    with pytest.raises(JournalUnwritable, match="journal"):
        add(journal)
    journal._db.execute("pragma query_only=0")
    add(journal)
    assert journal.sequence == 2
    assert journal.verify()


def test_the_syncer_reports_what_is_on_the_disk(tmp_path: Path) -> None:
    """Each wish to sync is reported once it is done, with the sequence it covers."""
    journal = Journal(tmp_path / "journal")
    add(journal, 3)
    synced = threading.Event()
    seen: list[tuple[int, str | None]] = []

    def report(sequence: int, error: str | None) -> None:
        seen.append((sequence, error))
        synced.set()

    syncer = Syncer(journal.file, report)
    syncer.sync(3)
    assert synced.wait(5)
    syncer.close()
    assert seen == [(3, None)]
