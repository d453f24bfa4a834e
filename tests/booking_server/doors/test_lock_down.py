# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does every door of a site hear of a lock-down, in order, and does a page believe only what a door says?"""

import pytest

from access_contract.messages import Status
from access_contract.snapshot import LockDown
from access_contract.vocabulary import DoorId, DoorMode
from booking_server.access import service as access
from booking_server.access.index import build
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import lock_down
from booking_server.doors import service as doors
from booking_server.errors import Invalid, NotFound
from tests.booking_server.hub import BILLING, HOST, NOW, Hub


def _site(hub: Hub) -> int:
    with hub.desk.database.read() as tx:
        return doors.door(tx, "lobby").site_id


def _lock_down(hub: Hub) -> lock_down.Word:
    with hub.desk.database.write() as tx:
        return lock_down.lock_down(tx, HOST, now=NOW, site_id=_site(hub), reason="somebody shouts")


def _told(hub: Hub) -> dict[DoorId, LockDown | None]:
    with hub.desk.database.read() as tx:
        return {door: rights.head.lock_down for door, rights in build(tx, now=NOW).items()}


def test_every_door_of_the_site_is_told_and_no_other(hub: Hub) -> None:
    """Lobby and room are, a door of another site is not."""
    other = hub.desk.site("Other")
    hub.desk.door("other", "Other", leads_into=other)
    word = _lock_down(hub)
    told = LockDown(number=word.number, on=True)
    assert _told(hub) == {"lobby": told, "room": told, "other": None}


def test_lifting_is_a_later_word(hub: Hub) -> None:
    """Its number is higher, so that no older word undoes it; both are kept with name and reason."""
    first = _lock_down(hub)
    with hub.desk.database.write() as tx:
        second = lock_down.lift(tx, HOST, now=NOW, site_id=first.site_id, reason="all is well")
        acts = [row["act"] for row in audit.of_subject(tx, f"site:{first.site_id}")]
    assert second.number > first.number
    assert (second.on, second.reason, second.by) == (False, "all is well", HOST.name)
    assert acts[:2] == ["lock_down_lifted", "locked_down"]


def test_a_lock_down_is_a_rights_change_of_each_door(hub: Hub) -> None:
    """So each `doors` process tells them at once."""
    with hub.desk.database.read() as tx:
        before = access.latest_change(tx)
    _lock_down(hub)
    with hub.desk.database.read() as tx:
        assert {change.door_id for change in access.changes_after(tx, before)} == {"lobby", "room"}


def test_only_the_doors_own_word_counts_as_obeyed(hub: Hub) -> None:
    """Not the asking, not an older word, not the number without the mode."""
    word = _lock_down(hub)
    said = [
        (Status(online=True), False),
        (Status(online=True, lock_down=word.number - 1, mode=DoorMode.LOCKED_DOWN), False),
        (Status(online=True, lock_down=word.number, mode=DoorMode.LOCKED), False),
        (Status(online=True, lock_down=word.number, mode=DoorMode.LOCKED_DOWN), True),
    ]
    for status, obeyed in said:
        with hub.desk.database.write() as tx:
            doors.keep_status(tx, now=NOW, door_id="lobby", status=status)
            assert lock_down.has_obeyed(word, doors.door_states(tx)["lobby"]) is obeyed
    assert not lock_down.has_obeyed(word, None)


def test_what_cannot_be_meant_is_refused(hub: Hub) -> None:
    """No reason, twice the same, lifting what is not there, an unknown site, somebody who may not."""
    site = _site(hub)
    with hub.desk.database.write() as tx:
        with pytest.raises(Invalid):
            lock_down.lock_down(tx, HOST, now=NOW, site_id=site, reason=" ")
        with pytest.raises(Invalid):
            lock_down.lift(tx, HOST, now=NOW, site_id=site, reason="why not")
        with pytest.raises(NotFound):
            lock_down.lock_down(tx, HOST, now=NOW, site_id=9999, reason="fire")
        with pytest.raises(NotAllowed):
            lock_down.lock_down(tx, BILLING, now=NOW, site_id=site, reason="fire")
    _lock_down(hub)
    with pytest.raises(Invalid):
        _lock_down(hub)
