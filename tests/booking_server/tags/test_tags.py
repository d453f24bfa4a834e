# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who holds which keytag, when, and how does each door know it?"""

from datetime import timedelta

import pytest
from sqlalchemy import select

from access_contract.vocabulary import TagNumber, tag_hash
from booking_server.access import changes
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from booking_server.tags import service as tags
from booking_server.tags.service import Keytag
from booking_server.tags.tables import door_tags
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, OTHER_TAG, TAG, Hub

LATER = NOW + timedelta(hours=1)


def _hand_out(hub: Hub, number: TagNumber, person: int) -> Keytag:
    with hub.desk.database.write() as tx:
        return tags.hand_out_tag(tx, HOST, now=NOW, vault=hub.desk.keys.vault, number=number, person_id=person)


def _names_at_doors(hub: Hub) -> set[tuple[str, str, int]]:
    with hub.desk.database.read() as tx:
        return {tuple(row) for row in tx.execute(select(door_tags.c.door_id, door_tags.c.tag_hash, door_tags.c.keytag_id))}


def test_a_tag_handed_out_is_found_by_its_number_and_its_holder(hub: Hub) -> None:
    """By the number, never by one that differs; and all that staff see of it are four digits."""
    made = _hand_out(hub, TAG, hub.aino)
    assert (made.last_digits, made.person_id, made.since, made.blocked_at) == ("1D80", hub.aino, NOW, None)
    with hub.desk.database.read() as tx:
        assert tags.tag_of_number(tx, hub.desk.keys.vault, TAG) == made
        assert tags.tag_of_number(tx, hub.desk.keys.vault, OTHER_TAG) is None
        assert tags.tags_of(tx, hub.aino) == [made]
        assert tags.tags_of(tx, hub.ville) == []
        assert audit.of_subject(tx, f"keytag:{made.id}")[0]["act"] == "keytag_handed_out"


def test_every_door_knows_the_tag_by_a_hash_of_its_own(hub: Hub) -> None:
    """Doors that were there, and one that is added later; no two call it alike."""
    made = _hand_out(hub, TAG, hub.aino)
    hub.desk.door("new", "New", leads_into=hub.room)
    with hub.desk.database.read() as tx:
        keys = doors.tag_keys(tx, hub.desk.keys.vault)
    assert set(keys) == {"lobby", "room", "new"}
    assert _names_at_doors(hub) == {(door, tag_hash(key, TAG), made.id) for door, key in keys.items()}
    assert len({name for _, name, _ in _names_at_doors(hub)}) == 3


@pytest.mark.parametrize(
    ("number", "what_to_do"),
    [("08 12 34 56", "Use another kind of tag"), ("88 04 78 2E", "Set the reader to send the full number")],
)
def test_a_number_that_is_no_identity_is_refused_with_what_to_do(hub: Hub, number: str, what_to_do: str) -> None:
    """One made up at each tap, and one cut in half; nothing of them is kept."""
    with pytest.raises(Invalid, match=what_to_do) as refused:
        _hand_out(hub, TagNumber.parse(number), hub.aino)
    assert refused.value.field == "number"
    with hub.desk.database.read() as tx:
        assert not tags.any_tag(tx)


def test_a_tag_has_one_holder(hub: Hub) -> None:
    """Somebody else's is refused with the name; to its own holder again nothing changes; taken back it is free."""
    made = _hand_out(hub, TAG, hub.aino)
    with pytest.raises(Invalid, match=r"Aino Virtanen holds this keytag\. Take it back"):
        _hand_out(hub, TAG, hub.ville)
    with hub.desk.database.read() as tx:
        known = changes.latest_change(tx)
    assert _hand_out(hub, TAG, hub.aino) == made
    with hub.desk.database.read() as tx:
        assert changes.latest_change(tx) == known
    with hub.desk.database.write() as tx:
        assert tags.take_back_tag(tx, HOST, now=NOW, keytag_id=made.id).person_id is None
    assert _hand_out(hub, TAG, hub.ville).id == made.id


def test_a_member_may_hold_several_tags(hub: Hub) -> None:
    """A card and a fob."""
    held = [_hand_out(hub, TAG, hub.aino), _hand_out(hub, OTHER_TAG, hub.aino)]
    with hub.desk.database.read() as tx:
        assert tags.tags_of(tx, hub.aino) == held


def test_a_blocked_tag_is_handed_to_nobody_until_it_is_unblocked(hub: Hub) -> None:
    """The first reason stands, and each way is told to the doors in its holder's name."""
    made = _hand_out(hub, TAG, hub.aino)
    with hub.desk.database.write() as tx:
        before = changes.latest_change(tx)
        with pytest.raises(Invalid, match="Say why"):
            tags.block_tag(tx, HOST, now=NOW, keytag_id=made.id, reason=" ")
        tags.block_tag(tx, HOST, now=NOW, keytag_id=made.id, reason="lost")
        blocked = tags.block_tag(tx, HOST, now=LATER, keytag_id=made.id, reason="again")
    assert (blocked.blocked_at, blocked.blocked_reason, blocked.person_id) == (NOW, "lost", hub.aino)
    for person in (hub.aino, hub.ville):
        with pytest.raises(Invalid, match="blocked"):
            _hand_out(hub, TAG, person)
    with hub.desk.database.write() as tx:
        assert tags.unblock_tag(tx, HOST, now=LATER, keytag_id=made.id).blocked_at is None
        assert [change.person_id for change in changes.changes_after(tx, before)] == [hub.aino, hub.aino]


def test_who_is_suspended_gets_no_tag(hub: Hub) -> None:
    """Staff are told to lift the suspension first."""
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, HOST, now=NOW, person_id=hub.aino)
    with pytest.raises(Invalid, match="Resume the membership"):
        _hand_out(hub, TAG, hub.aino)


def test_only_the_desk_hands_out_and_blocks(hub: Hub) -> None:
    """Not the billing person, not a member; and what is not there is said."""
    made = _hand_out(hub, TAG, hub.aino)
    with hub.desk.database.write() as tx:
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                tags.hand_out_tag(tx, actor, now=NOW, vault=hub.desk.keys.vault, number=OTHER_TAG, person_id=hub.ville)
            with pytest.raises(NotAllowed):
                tags.block_tag(tx, actor, now=NOW, keytag_id=made.id, reason="lost")
            with pytest.raises(NotAllowed):
                tags.take_back_tag(tx, actor, now=NOW, keytag_id=made.id)
        with pytest.raises(NotFound):
            tags.block_tag(tx, HOST, now=NOW, keytag_id=9999, reason="lost")


def test_who_held_a_tag_is_dated_to_the_instant(hub: Hub) -> None:
    """From the hand-out on, until just before it came back; the next holder's time does not reach into the first's."""
    made = _hand_out(hub, TAG, hub.aino)
    with hub.desk.database.write() as tx:
        tags.take_back_tag(tx, HOST, now=LATER, keytag_id=made.id)
        tags.hand_out_tag(tx, HOST, now=LATER + timedelta(hours=1), vault=hub.desk.keys.vault, number=TAG, person_id=hub.ville)
        held = [(one.person_id, one.from_at, one.until_at) for one in tags.assignments_of(tx, [made.id])]
    assert held == [(hub.aino, NOW, LATER), (hub.ville, LATER + timedelta(hours=1), None)]
