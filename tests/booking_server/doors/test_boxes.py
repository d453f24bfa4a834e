# SPDX-License-Identifier: AGPL-3.0-or-later
"""What becomes of a door whose box is stolen or replaced: of its tag key, its names for tags, its tags at risk, its history?"""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from access_contract.messages import Status
from access_contract.vocabulary import DoorId, TagNumber, tag_hash
from booking_server.access import changes
from booking_server.access.index import build
from booking_server.access.snapshots import for_door
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import boxes, commands, knowing
from booking_server.doors import service as doors
from booking_server.doors.boxes import Revocation
from booking_server.errors import Invalid, NotFound
from booking_server.tags import exposure
from booking_server.tags import service as tags
from tests.booking_server.hub import ADMINISTRATOR, BILLING, HOST, MEMBER, NOW, OTHER_TAG, TAG, Hub

LATER = NOW + timedelta(hours=1)
SHORT = TagNumber.parse("D1 E5 A0 C0")
TODAY = date(2026, 11, 24)


def _stolen(tx: Connection, hub: Hub, door_id: str = "room", serials: tuple[str, ...] = ("a1",)) -> Revocation:
    vault = hub.desk.keys.vault
    return boxes.mark_stolen(
        tx, ADMINISTRATOR, now=NOW, vault=vault, door_id=door_id, reason="torn off the wall", serials=serials
    )


def _listed(tx: Connection, hub: Hub, **only: int | str) -> list[tuple[int, str, int]]:
    found = exposure.exposed(tx, HOST, vault=hub.desk.keys.vault, **only)  # type: ignore[arg-type]
    return [(one.keytag.id, one.door_id, one.number_bytes) for one in found]


@pytest.fixture
def held(hub: Hub) -> dict[str, int]:
    """Aino may pass both doors with two keytags, Ville the lobby only; one keytag is blocked."""
    ids = {"long": hub.desk.tag(hub.aino, TAG), "short": hub.desk.tag(hub.aino, SHORT)}
    ids |= {"ville": hub.desk.tag(hub.ville, OTHER_TAG), "lost": hub.desk.tag(hub.aino, TagNumber.parse("04A1B2C3D4E580"))}
    hub.desk.block(ids["lost"])
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    return ids


def test_a_stolen_box_leaves_the_tags_that_it_might_admit_to_be_exchanged(hub: Hub, held: dict[str, int]) -> None:
    """Those in the door's own snapshot and no others, the number that is found by trial first; they go on working."""
    with hub.desk.database.write() as tx:
        risk = boxes.at_risk(tx, now=NOW, door_id="room")
        assert (risk.keytag_ids, risk.people) == (frozenset({held["long"], held["short"]}), 1)
        _stolen(tx, hub)
        assert _listed(tx, hub) == [(held["short"], "room", 4), (held["long"], "room", 7)]
        assert [one.is_short for one in exposure.exposed(tx, HOST, vault=hub.desk.keys.vault)] == [True, False]
        assert exposure.count_exposed(tx) == 2
        assert _listed(tx, hub, person_id=hub.ville) == _listed(tx, hub, door_id="lobby") == []
        assert len(for_door(build(tx, now=NOW)[DoorId("room")]).tags) == 2


def test_what_a_box_was_not_told_any_more_is_at_risk_too(hub: Hub, held: dict[str, int]) -> None:
    """Away since before a keytag was blocked and another taken back, it holds both still. Told of it, it does not any more."""
    with hub.desk.database.write() as tx:
        doors.keep_status(tx, now=NOW, door_id="room", status=Status(online=True, snapshot_number=1, snapshot_digest="d"))
        knowing.confirm(tx, ["room"], changes.latest_change(tx))
        tags.block_tag(tx, HOST, now=NOW, keytag_id=held["short"], reason="lost")
        tags.take_back_tag(tx, HOST, now=NOW, keytag_id=held["long"])
        risk = boxes.at_risk(tx, now=NOW, door_id="room")
        assert risk.keytag_ids >= {held["short"], held["long"]}
        assert held["ville"] not in risk.keytag_ids
        knowing.confirm(tx, ["room"], changes.latest_change(tx))
        assert boxes.at_risk(tx, now=NOW, door_id="room").keytag_ids == frozenset()


def test_what_the_thief_holds_names_no_tag_any_more(hub: Hub, held: dict[str, int]) -> None:
    """The door has another key and every tag another name; what it wrote under the old names is still understood."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        old, other = doors.tag_key(tx, vault, "room"), doors.tag_key(tx, vault, "lobby")
        _stolen(tx, hub)
        new = doors.tag_key(tx, vault, "room")
        names = {tag.hash for tag in tags.held_tags(tx, "room")}
        assert names == {tag.hash for tag in tags.named_tags(tx, keytag_ids=held.values())[DoorId("room")]}
        assert tag_hash(new, TAG) in names
        assert tag_hash(old, TAG) not in names
        assert tag_hash(old, TAG) not in for_door(build(tx, now=NOW)[DoorId("room")]).tags
        assert tags.keytags_of_hashes(tx, [("room", tag_hash(old, TAG))]) == {("room", tag_hash(old, TAG)): held["long"]}
        assert doors.tag_key(tx, vault, "lobby") == other


def test_a_tag_leaves_the_list_when_it_opens_nothing_and_is_never_handed_out_again(hub: Hub, held: dict[str, int]) -> None:
    """Blocked or taken back it is off, unblocked on again: its number stays known. The drawer is no way round."""
    with hub.desk.database.write() as tx:
        _stolen(tx, hub)
        tags.block_tag(tx, HOST, now=LATER, keytag_id=held["short"], reason="lost")
        tags.take_back_tag(tx, HOST, now=LATER, keytag_id=held["long"])
        assert (_listed(tx, hub), exposure.count_exposed(tx)) == ([], 0)
        tags.unblock_tag(tx, HOST, now=LATER, keytag_id=held["short"])
        assert _listed(tx, hub) == [(held["short"], "room", 4)]
        with pytest.raises(Invalid, match="Use another one"):
            tags.hand_out_tag(tx, HOST, now=LATER, vault=hub.desk.keys.vault, number=TAG, person_id=hub.ville)


def test_an_exchange_gives_the_new_tag_and_ends_the_old_in_one(hub: Hub, held: dict[str, int]) -> None:
    """To the same person; the old one opens nothing. Tapped by mistake, the old one is refused and nothing changed."""
    vault, new_number = hub.desk.keys.vault, TagNumber.parse("04 55 66 77 88 99 80")
    with hub.desk.database.write() as tx:
        _stolen(tx, hub)
        with pytest.raises(Invalid, match="Tap the new one"):
            exposure.exchange_tag(tx, HOST, now=LATER, vault=vault, keytag_id=held["short"], number=SHORT)
        assert tags.tag(tx, held["short"]).blocked_at is None
        new = exposure.exchange_tag(tx, HOST, now=LATER, vault=vault, keytag_id=held["short"], number=new_number)
        old = tags.tag(tx, held["short"])
        assert (new.person_id, old.person_id, old.blocked_at) == (hub.aino, None, LATER)
        assert _listed(tx, hub) == [(held["long"], "room", 7)]
        assert audit.of_subject(tx, f"keytag:{old.id}")[0]["act"] == "keytag_exchanged"


def test_all_are_blocked_at_once_only_as_staff_were_shown(hub: Hub, held: dict[str, int]) -> None:
    """With another count by now nothing is blocked; with the right one all are, and the list is empty."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        _stolen(tx, hub)
        with pytest.raises(Invalid, match="another by now"):
            exposure.block_exposed(tx, HOST, now=LATER, vault=vault, door_id="room", count=3)
        assert exposure.block_exposed(tx, HOST, now=LATER, vault=vault, door_id="room", count=2) == 2
        assert _listed(tx, hub) == []
        assert tags.tag(tx, held["ville"]).blocked_at is None


def test_a_stolen_door_is_asked_to_do_nothing(hub: Hub) -> None:
    """Neither to open nor to take a keytag, and it cannot be stolen twice before it has a new box."""
    with hub.desk.database.write() as tx:
        _stolen(tx, hub)
        assert doors.stolen(tx) == {"room"}
        with pytest.raises(Invalid, match="Put a new box"):
            commands.ask_open(tx, HOST, now=NOW, door_id="room", reason="parcel")
        with pytest.raises(Invalid, match="known as stolen already"):
            _stolen(tx, hub)


def test_a_new_box_takes_the_door_over_with_its_history(hub: Hub, held: dict[str, int]) -> None:
    """After a theft the door is spoken to again, under the key that the thief does not have; what was done stays known."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        _stolen(tx, hub)
        after_theft = doors.tag_key(tx, vault, "room")
        assert boxes.replace_box(tx, HOST, now=LATER, vault=vault, door_id="room", serials=()) is None
        assert (doors.stolen(tx), doors.tag_key(tx, vault, "room")) == (frozenset(), after_theft)
        wish = boxes.replace_box(tx, HOST, now=LATER, vault=vault, door_id="room", serials=["b2", "b1"])
        assert wish is not None
        assert (wish.why, wish.serials) == ("replaced", ["b1", "b2"])
        assert doors.tag_key(tx, vault, "room") != after_theft
        assert _listed(tx, hub) == [(held["short"], "room", 4), (held["long"], "room", 7)]
        assert [row["act"] for row in audit.of_subject(tx, "door:room")][:3] == ["box_replaced", "box_replaced", "box_stolen"]
        assert boxes.replace_box(tx, HOST, now=LATER, vault=vault, door_id="lobby", serials=()) is None
        assert audit.of_subject(tx, "door:lobby")[0]["act"] == "door_added"


def test_a_wish_is_carried_out_by_one_process_and_by_another_if_that_died(hub: Hub) -> None:
    """Taken once; free again a minute later unless it is done; what came of it stands."""
    with hub.desk.database.write() as tx:
        wish = _stolen(tx, hub)
        assert [one.id for one in boxes.waiting(tx, now=NOW)] == [wish.id]
        assert boxes.is_being_put_out(tx, "room")
        assert boxes.take(tx, now=NOW, revocation_id=wish.id)
        assert not boxes.take(tx, now=NOW, revocation_id=wish.id)
        assert boxes.waiting(tx, now=NOW) == []
        minutes_later = NOW + timedelta(minutes=2)
        assert boxes.take(tx, now=minutes_later, revocation_id=wish.id)
        boxes.done(tx, now=minutes_later, revocation_id=wish.id, became="ended")
        assert boxes.waiting(tx, now=LATER) == []
        assert not boxes.is_being_put_out(tx, "room")
        last = boxes.last_revocation(tx, "room")
    assert last is not None
    assert (last.became, last.done_at, last.by) == ("ended", minutes_later, ADMINISTRATOR.name)


def test_only_an_administrator_says_that_a_box_was_stolen(hub: Hub) -> None:
    """Not a host; a reason is needed; a door that is not there is said. Exchanging is the desk's."""
    vault = hub.desk.keys.vault
    with hub.desk.database.write() as tx:
        for actor in (HOST, BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                boxes.mark_stolen(tx, actor, now=NOW, vault=vault, door_id="room", reason="gone", serials=())
        with pytest.raises(Invalid, match="Say why"):
            boxes.mark_stolen(tx, ADMINISTRATOR, now=NOW, vault=vault, door_id="room", reason=" ", serials=())
        with pytest.raises(NotFound):
            boxes.mark_stolen(tx, ADMINISTRATOR, now=NOW, vault=vault, door_id="cellar", reason="gone", serials=())
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                exposure.exposed(tx, actor, vault=vault)
