# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does nobody wait at the inbox, and is what the door itself saw never pushed out by taps and messages?"""

from __future__ import annotations

import queue

import pytest

from door_agent.inbox import Inbox


def test_a_full_inbox_drops_taps_and_messages_and_counts_them() -> None:
    """What may be lost is lost at once, without waiting; what must not be lost still finds room."""
    inbox: Inbox[int] = Inbox(places=3, reserve=2)
    assert [inbox.offer(number) for number in range(5)] == [True, True, True, False, False]
    assert [inbox.put(number) for number in (10, 11, 12)] == [True, True, False]
    assert inbox.dropped == 3
    assert [inbox.take(0.1) for _ in range(5)] == [0, 1, 2, 10, 11]


def test_an_empty_inbox_is_said_after_the_wait() -> None:
    """The loop goes on with what time itself brings."""
    with pytest.raises(queue.Empty):
        Inbox[int]().take(0.01)
