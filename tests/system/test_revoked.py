# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a real door, told only what changed, refuse a blocked keytag without the server a moment later?"""

from __future__ import annotations

from booking_server.doors import knowing
from booking_server.tags import service as tags
from tests.system.one_door import SECOND, OneDoor
from tests.system.processes import wait_for


def _has_all(hub: OneDoor) -> bool:
    """Whether staff are told that every door has what was changed for the second member."""
    with hub.desk.database.read() as tx:
        return not knowing.of_person(tx, hub.second).missing


def test_a_door_that_says_it_has_a_block_refuses_alone(hub: OneDoor) -> None:
    """Granted and blocked while the door is online, then the plug is pulled: the tag that opened a moment ago does not open."""
    today = hub.desk.clock.now().date()
    grant = hub.desk.grant(hub.second, hub.space, from_day=today)
    with hub.desk.database.read() as tx:
        (keytag,) = tags.tags_of(tx, hub.second)
    try:
        wait_for(lambda: _has_all(hub), "the door has the grant", limit_seconds=5)
        since = hub.tap(SECOND)
        hub.opens(since)
        hub.relocks(since)
        hub.desk.block(keytag.id)
        wait_for(lambda: _has_all(hub), "the door has the block", limit_seconds=5)
        hub.door.plug.pull()
        hub.refuses(hub.tap(SECOND))
    finally:
        hub.door.plug.put_back()
        hub.desk.withdraw(grant)
        with hub.desk.database.write() as tx:
            tags.unblock_tag(tx, hub.desk.actor, now=hub.desk.clock.now(), keytag_id=keytag.id)
