# SPDX-License-Identifier: AGPL-3.0-or-later
"""Topics are built in one place, and say who wrote them."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_contract import topics
from access_contract.vocabulary import DoorId

DOORS = st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True).map(DoorId)


@given(door=DOORS, channel=st.sampled_from(get_args(topics.Up)))
def test_what_a_door_writes_is_parsed_back(door: DoorId, channel: topics.Up) -> None:
    """Every topic a door may write names that door and channel when it is read."""
    assert topics.parse_up(topics.up(door, channel)) == topics.FromDoor(door, channel)
    assert topics.parse_up(topics.status(door)) == topics.FromDoor(door, "status")


@given(door=DOORS, channel=st.sampled_from(get_args(topics.Down)))
def test_what_the_server_writes_is_what_its_door_subscribes_to(door: DoorId, channel: topics.Down) -> None:
    """Every topic the server may write to a door is in that door's subscription, and none that a door may write."""
    assert topics.down(door, channel) == topics.all_down(door).replace("+", channel)
    with pytest.raises(topics.UnknownTopic):
        topics.parse_up(topics.down(door, channel))


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "hubkey/v1/door/kitchen/up/",
        "hubkey/v2/door/kitchen/up/ask",
        "hubkey/v1/door/Kitchen/up/ask",
        "hubkey/v1/door/a/b/up/ask",
    ],
)
def test_a_foreign_topic_is_refused(topic: str) -> None:
    """What is not exactly ours is no topic of ours."""
    with pytest.raises(topics.UnknownTopic):
        topics.parse_up(topic)


def test_a_door_id_cannot_be_a_wildcard_or_a_path() -> None:
    """No door id can widen a subscription or climb to another door's topics."""
    assert topics.is_door_id("kitchen-2")
    assert not any(topics.is_door_id(text) for text in ("+", "#", "a/b", "", "2nd", "Kitchen", "a" * 33, "a\n"))
