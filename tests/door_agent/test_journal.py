# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the journal lose nothing, keep its chain, and forget only what was acknowledged?"""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from access_contract.messages import Closed, EventHeader
from access_contract.vocabulary import ClockQuality
from door_agent import layout
from door_agent.errors import JournalDamaged, JournalUnwritable
from door_agent.journal import Journal
from door_agent.journal_file import CHECKED_AT_START_BYTES, broken_at, check_whole, checkpoint, last_kept
from door_agent.syncing import Mark, Syncer, check_beside
from tests.system.processes import wait_for

AT = datetime(2026, 1, 31, 5, tzinfo=UTC)
_WRITER = """
import sys
from pathlib import Path
from datetime import UTC, datetime
from access_contract.messages import Closed
from access_contract.vocabulary import ClockQuality
from door_agent.journal import Journal
from door_agent.journal_file import CHECKED_AT_START_BYTES, broken_at, check_whole, checkpoint, last_kept
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
    """Each wish to sync is reported once it is done, with the sequence it covers, also one that stands when it is closed."""
    journal = Journal(tmp_path / "journal")
    add(journal, 3)
    seen: list[tuple[Mark, str | None]] = []
    syncer = Syncer(journal.file, lambda *report: seen.append(report), print)
    syncer.sync((journal.id, 3))
    syncer.close()
    assert seen == [((journal.id, 3), None)]


def test_a_disk_that_cannot_be_synced_is_reported_with_its_own_words(tmp_path: Path) -> None:
    """A journal whose files are gone is an error in the report, and so is a folder that takes nothing."""
    seen: list[str | None] = []
    syncer = Syncer(tmp_path / "away" / "journal", lambda *report: seen.append(report[1]), seen.append)
    syncer.sync(("j", 1))
    syncer.probe()
    syncer.also(lambda: seen.append("also"))
    wait_for(lambda: len(seen) == 3, "three reports")
    syncer.close()
    assert sorted(str(said) for said in seen)[2] == "also"
    assert all("No such file" in str(said) for said in seen if said != "also")


def test_a_damaged_journal_is_put_aside_and_another_begins(tmp_path: Path) -> None:
    """The door comes up after its card was damaged: the old file is kept beside, the new journal starts at 1."""
    file = tmp_path / "journal"
    journal = Journal(file)
    add(journal, 50)
    journal.close()
    content = bytearray(file.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    file.write_bytes(content)
    again = Journal(file)
    add(again)
    assert again.id != journal.id
    assert again.sequence == 1
    assert again.damaged is not None
    assert again.damaged.exists()


def test_a_file_that_never_was_a_journal_is_put_aside(tmp_path: Path) -> None:
    """Nonsense in place of the journal does not keep the door from coming up."""
    file = tmp_path / "journal"
    file.write_bytes(b"nonsense " * 1000)
    assert Journal(file).damaged is not None


def test_a_fork_whose_numbers_go_beyond_ours_is_forgotten(tmp_path: Path) -> None:
    """After a power cut the server may hold more than we do; told of the fork we let go of ours, or it would block the rest."""
    journal = Journal(tmp_path / "journal")
    add(journal, 3)
    journal.acknowledge(journal.id, 9, [])
    assert len(journal.unacknowledged(100)) == 3
    journal.acknowledge(journal.id, 9, [], forked=True)
    assert journal.unacknowledged(100) == []


def test_what_is_not_on_the_disk_is_not_told(tmp_path: Path) -> None:
    """Events that a power cut may still take back are not sent, but for those of an older journal."""
    journal = Journal(tmp_path / "journal")
    add(journal, 2)
    journal.start_new()
    add(journal, 3)
    assert len(journal.unacknowledged(100, up_to=1)) == 3


def test_a_changed_event_breaks_the_chain_where_it_stands(tmp_path: Path) -> None:
    """Whoever alters a line of the journal is found out, with the journal and the number."""
    journal = Journal(tmp_path / "journal")
    add(journal, 5)
    journal._db.execute("update event set content = replace(content, 'closed', 'opened') where sequence = 3")
    assert not journal.verify()
    assert broken_at(journal._db) == (journal.id, 4)


def test_a_full_journal_takes_no_more_and_drops_nothing(tmp_path: Path) -> None:
    """At its bound a write is refused in one sentence; what the server acknowledges makes room, also after a restart."""
    journal = Journal(tmp_path / "journal", events_max=10)
    add(journal, 10)
    with pytest.raises(JournalUnwritable, match="full with 10 events"):
        add(journal)
    journal.close()
    journal = Journal(tmp_path / "journal", events_max=10)
    assert not journal.has_room
    assert len(journal.unacknowledged(100)) == 10
    journal.acknowledge(journal.id, 4, [])
    add(journal, 4)
    assert (journal.sequence, journal.has_room) == (14, False)
    assert journal.verify()


def large_and_damaged(file: Path) -> None:
    """A journal too large to be checked at the start, some of its events overwritten."""
    journal = Journal(file)
    add(journal, 3000)
    journal._db.execute("create table filler(content)")
    journal._db.execute("insert into filler values (zeroblob(?))", (CHECKED_AT_START_BYTES,))
    journal.close()
    assert check_whole(file) is None
    content = bytearray(file.read_bytes())
    content[4096 * 8 : 4096 * 20] = os.urandom(4096 * 12)
    file.write_bytes(content)


def test_damage_found_while_the_door_runs_is_put_aside_at_the_next_start(tmp_path: Path) -> None:
    """What cannot be read ends the run with one sentence, and the next start does not trip over it again."""
    file = tmp_path / "journal"
    large_and_damaged(file)
    journal = Journal(file)
    with pytest.raises(JournalDamaged, match="starting anew"):
        journal.unacknowledged(5000)
    journal.close()
    again = Journal(file)
    assert again.damaged is not None
    assert again.sequence == 0
    assert Journal(file).damaged is None


def test_a_journal_whose_end_does_not_follow_is_put_aside(tmp_path: Path) -> None:
    """The end is where a power cut would hit: it is looked at before anything is added to it, however large the file."""
    journal = Journal(tmp_path / "journal")
    add(journal, 20)
    journal._db.execute("update event set content = zeroblob(100) where sequence = 18")
    journal.close()
    assert Journal(tmp_path / "journal").damaged is not None


def test_a_large_journal_is_checked_beside_the_door(tmp_path: Path) -> None:
    """A file that takes long to read whole does not hold up the start: its check comes after, and finds what is wrong."""
    file = tmp_path / "journal"
    large_and_damaged(file)
    assert not Journal(file).checked
    found: list[str] = []
    check_beside(file, found.append)
    wait_for(lambda: found, "the check finds it")


def test_what_waits_is_sent_again_if_forgetting_it_was_not_written(tmp_path: Path) -> None:
    """In a flood what was acknowledged leaves the file by the thousand; killed before, the door sends it again, never less."""
    journal = Journal(tmp_path / "journal")
    add(journal, 5000)
    for up_to in range(50, 3001, 50):
        journal.acknowledge(journal.id, up_to, [])
    assert (journal.acknowledged, journal.waiting) == (3000, 2000)
    again = Journal(tmp_path / "journal")
    assert (again.acknowledged, again.waiting) == (2000, 3000)
    assert b'"sequence":2001,' in again.unacknowledged(1)[0]
    journal.acknowledge(journal.id, 5000, [])
    assert Journal(tmp_path / "journal").waiting == 0


def fill(journal: Journal, count: int) -> None:
    """Many events as fast as the disk allows, the write-ahead log kept short as the door's own thread does."""
    for number in range(count):
        add(journal)
        if number % 2000 == 0:
            checkpoint(journal.file)
    journal.close()


@pytest.mark.parametrize("count", [20_000, pytest.param(1_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(900)])])
def test_a_journal_as_large_as_it_may_get_opens_at_once_and_stays_small_in_memory(tmp_path: Path, count: int) -> None:
    """Full to its bound it opens in half a second, hands out its oldest events at once, and neither grows the process."""
    fill(Journal(tmp_path / "journal", events_max=count), count)
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    journal = Journal(tmp_path / "journal", events_max=count)
    assert time.monotonic() - began < 0.5
    assert not journal.has_room
    began = time.monotonic()
    assert len(journal.unacknowledged(100)) == 100
    assert time.monotonic() - began < 0.05
    with sqlite3.connect(tmp_path / "journal") as database:
        assert broken_at(database) is None
        assert [sequence for _, sequence, _ in last_kept(database, 2)] == [count - 1, count]
    database.close()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


def test_what_was_written_in_doubt_does_not_hide_when_the_time_was_last_known(tmp_path: Path) -> None:
    """A clock that is turned back and a power cut right after: the next start still knows the last trusted instant."""
    journal = Journal(tmp_path / "journal")
    add(journal)
    for _ in range(3):
        journal.append(Closed(), at=AT - timedelta(hours=1), monotonic=1e9, clock=ClockQuality.UNTRUSTED)
    journal.close()
    again = Journal(tmp_path / "journal")
    assert (again.last_trusted_at, again.sequence) == (AT, 4)
    again.close()


def of_a_newer_layout(file: Path, events: int) -> Journal:
    """Leave a journal that says to be laid out in a way that this agent does not know."""
    journal = Journal(file)
    add(journal, events)
    journal.close()
    number(file, layout.LAYOUT + 1)
    return journal


def number(file: Path, to: int) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(f"pragma user_version = {to}")


def test_a_journal_of_a_newer_agent_is_put_aside_untouched(tmp_path: Path) -> None:
    """An older agent neither reads nor changes it: it lies beside the new journal, at every start until it can be read."""
    file = tmp_path / "journal"
    of_a_newer_layout(file, 5)
    before = file.read_bytes()
    for _ in range(2):
        again = Journal(file)
        assert again.damaged is None
        assert again.newer is not None
        assert again.newer.read_bytes() == before
        assert again.unacknowledged(10) == []
        again.close()


def test_what_a_newer_agent_wrote_is_taken_back_once_it_can_be_read(tmp_path: Path) -> None:
    """Installed again, the newer agent sends what the older one had put aside, oldest first, and goes on where that one was."""
    file = tmp_path / "journal"
    written = of_a_newer_layout(file, 5)
    older = Journal(file)
    add(older, 3)
    older.close()
    assert older.newer is not None
    number(older.newer, layout.LAYOUT)
    again = Journal(file)
    headers = [msgspec.json.decode(content, type=EventHeader) for content in again.unacknowledged(10)]
    assert [(one.journal, one.sequence) for one in headers] == [
        *((written.id, n) for n in range(1, 6)),
        *((older.id, n) for n in range(1, 4)),
    ]
    assert again.id == older.id
    assert again.waiting == 8
    assert again.newer is None
    assert list(tmp_path.glob("*newer*")) == []
    again.close()
    assert Journal(file).verify()


def test_a_journal_of_the_first_version_is_taken_over_and_numbered(tmp_path: Path) -> None:
    """Its file names no layout; it is the first one, and says so from now on."""
    file = tmp_path / "journal"
    first = Journal(file)
    add(first, 2)
    first.close()
    number(file, 0)
    again = Journal(file)
    assert (again.id, again.sequence, again.damaged, again.newer) == (first.id, 2, None, None)
    again.close()
    with closing(sqlite3.connect(file)) as database:
        assert layout.number_of(database) == 1
