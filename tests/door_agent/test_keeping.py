# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door keep what was acknowledged for as long as it should, and send it again to a server that lost it?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from access_contract.messages import Closed
from access_contract.vocabulary import ClockQuality
from door_agent.journal import Journal
from door_agent.journal_file import count_kept, header_of
from door_agent.keeping import AT_ONCE

AT = datetime(2026, 1, 31, 5, tzinfo=UTC)


def add(journal: Journal, count: int) -> None:
    for _ in range(count):
        journal.append(Closed(), at=AT, monotonic=1e9, clock=ClockQuality.SYNCED)


def waiting(journal: Journal) -> list[tuple[str, int]]:
    headers = [header_of(content) for content in journal.unacknowledged(1_000_000)]
    return [(header.journal, header.sequence) for header in headers if header is not None]


def test_what_was_acknowledged_stays_for_its_days(tmp_path: Path) -> None:
    """It is not sent again and still there a month later; after five weeks it goes, but for what came since."""
    journal = Journal(tmp_path / "journal")
    for day in range(36):
        add(journal, 10)
        journal.acknowledge(journal.id, journal.sequence, [], now=AT + timedelta(days=day))
    assert (journal.waiting, count_kept(journal._db)) == (0, 350)
    add(journal, 1)
    journal.acknowledge(journal.id, journal.sequence, [], now=AT + timedelta(days=45))
    assert count_kept(journal._db) == 251
    assert journal.verify()


def test_a_clock_that_nobody_trusts_ends_no_day(tmp_path: Path) -> None:
    """What a wrong clock would call old is kept."""
    journal = Journal(tmp_path / "journal")
    add(journal, 10)
    journal.acknowledge(journal.id, 10, [], now=AT)
    add(journal, 1)
    journal.acknowledge(journal.id, 11, [], now=None)
    assert count_kept(journal._db) == 11


def test_no_more_are_kept_than_the_setting_says(tmp_path: Path) -> None:
    """The oldest go, some thousand at once, so that no tap waits for it; nothing that waits ever does."""
    journal = Journal(tmp_path / "journal", kept_max=100)
    add(journal, 3 * AT_ONCE)
    assert journal.acknowledge(journal.id, 2 * AT_ONCE, [], now=AT) == AT_ONCE
    assert journal.waiting == AT_ONCE
    assert waiting(journal)[0] == (journal.id, 2 * AT_ONCE + 1)
    journal.acknowledge(journal.id, 3 * AT_ONCE, [], now=AT)
    add(journal, 1)
    journal.acknowledge(journal.id, journal.sequence, [], now=AT)
    assert count_kept(journal._db) == 100


def test_what_waits_goes_before_what_is_kept(tmp_path: Path) -> None:
    """A journal that fills up while the server is away keeps nothing else, and has all its room for what waits."""
    journal = Journal(tmp_path / "journal", events_max=1000)
    add(journal, 400)
    journal.acknowledge(journal.id, 400, [], now=AT)
    add(journal, 1000)
    assert not journal.has_room
    journal.acknowledge(journal.id, 401, [], now=AT)
    for up_to in range(500, 1401, 100):
        journal.acknowledge(journal.id, up_to, [], now=AT)
    assert count_kept(journal._db) <= 501


def test_with_no_days_nothing_is_kept(tmp_path: Path) -> None:
    """Whoever wants no trace at the door gets none but the last event."""
    journal = Journal(tmp_path / "journal", keep_days=0)
    add(journal, 10)
    journal.acknowledge(journal.id, 10, [], now=AT)
    assert count_kept(journal._db) == 1


def test_a_server_that_was_put_back_is_sent_what_it_lost(tmp_path: Path) -> None:
    """All after what it has, also of journals that it never heard of; a restart in between changes nothing."""
    journal = Journal(tmp_path / "journal")
    first = journal.id
    add(journal, 10)
    journal.acknowledge(first, 10, [], now=AT)
    journal.start_new()
    add(journal, 5)
    journal.acknowledge(journal.id, 5, [], now=AT)
    assert journal.send_again(first, 10) is None
    assert journal.send_again(first, 7) is True
    journal.close()
    journal = Journal(tmp_path / "journal")
    assert waiting(journal) == [(first, 8), (first, 9), (first, 10), *((journal.id, number) for number in range(1, 6))]
    assert (journal.waiting, journal.gone) == (8, {})
    journal.acknowledge(first, 10, [], now=AT)
    journal.acknowledge(journal.id, 5, [], now=AT)
    assert waiting(journal) == []


def test_what_is_here_no_more_is_named(tmp_path: Path) -> None:
    """A server that asks for more than is kept is told up to where it is gone, until it acknowledges what follows."""
    journal = Journal(tmp_path / "journal", kept_max=3)
    add(journal, 10)
    journal.acknowledge(journal.id, 10, [], now=AT)
    journal.acknowledge(journal.id, 10, [], now=AT)
    assert count_kept(journal._db) == 3
    assert journal.send_again(journal.id, 4) is False
    assert journal.gone == {journal.id: 7}
    assert [number for _, number in waiting(journal)] == [8, 9, 10]
    journal.close()
    journal = Journal(tmp_path / "journal", kept_max=3)
    assert journal.gone == {journal.id: 7}
    journal.acknowledge(journal.id, 8, [], now=AT)
    assert journal.gone == {}
    assert journal.waiting == 2


def test_a_word_about_a_journal_that_is_not_ours_changes_nothing(tmp_path: Path) -> None:
    """The journal of a card that was replaced is asked for in vain."""
    journal = Journal(tmp_path / "journal")
    add(journal, 3)
    journal.acknowledge(journal.id, 3, [], now=AT)
    assert journal.send_again("another", 0) is None
    assert journal.waiting == 0
