# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may be a door, what is said of its log, and what remains of one that is taken out of use?"""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from access_contract.messages import CommandDone, Status
from access_contract.snapshot import DoorRules
from access_contract.vocabulary import Assurance, DoorMode
from booking_server.access import changes
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.doors import adding, commands
from booking_server.doors import service as doors
from booking_server.doors.service import Door
from booking_server.errors import Invalid, NotFound
from booking_server.places import service as places
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, Hub


def _add(hub: Hub, **changed: Any) -> Door:
    with hub.desk.database.write() as tx:
        site = places.area(tx, hub.site).site_id
        wanted: dict[str, Any] = {"door_id": "gate", "site_id": site, "name": "Gate", "to_area_id": hub.room}
        return adding.add_door(tx, HOST, now=NOW, vault=hub.desk.keys.vault, **(wanted | changed))


def test_a_door_is_kept_as_given(hub: Hub) -> None:
    """Its rules, its log and its access points; two readers lead there and back."""
    rules = DoorRules(minimum_assurance=Assurance.A2, untrusted_clock_admits=True)
    made = _add(
        hub, from_area_id=hub.site, way_out_reader=True, rules=rules, log_named="always", log_reason="tools", log_days=7
    )
    with hub.desk.database.read() as tx:
        assert doors.door(tx, "gate") == made
        points = [(point.point, point.from_area_id, point.to_area_id) for point in doors.access_points(tx, "gate")]
        assert doors.tag_key(tx, hub.desk.keys.vault, "gate") not in {
            doors.tag_key(tx, hub.desk.keys.vault, other) for other in ("lobby", "room")
        }
        noted = audit.of_subject(tx, "door:gate")
    assert points == [("in", hub.site, hub.room), ("out", hub.room, hub.site)]
    assert (made.rules, made.log_named, made.log_reason, made.log_days) == (rules, "always", "tools", 7)
    assert [row["act"] for row in noted] == ["door_added"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"door_id": "server-doors-1"}, "door_id"),
        ({"door_id": "Gate"}, "door_id"),
        ({"door_id": "gate/+"}, "door_id"),
        ({"door_id": "x" * 33}, "door_id"),
        ({"door_id": ""}, "door_id"),
        ({"door_id": "lobby"}, "door_id"),
        ({"name": " "}, "name"),
        ({"to_area_id": 9999}, "leads_into"),
        ({"from_area_id": 9999}, "leads_from"),
        ({"log_named": "sometimes"}, "log_named"),
        ({"log_named": "always"}, "log_reason"),
        ({"log_named": "always", "log_reason": "x" * 401}, "log_reason"),
        ({"log_days": 0}, "log_days"),
        ({"log_days": 731}, "log_days"),
        ({"snapshot_expiry_days": 0}, "snapshot_expiry_days"),
        ({"snapshot_expiry_days": 36}, "snapshot_expiry_days"),
    ],
)
def test_what_cannot_be_a_door_is_refused_at_its_field(hub: Hub, changed: dict[str, Any], field: str) -> None:
    """An id that could be a server's or break a topic, one that is taken, areas of nowhere, a log without its reason; or
    deciding alone for longer than a snapshot's windows reach."""
    with pytest.raises(Invalid) as refused:
        _add(hub, **changed)
    assert refused.value.field == field


def test_a_door_leads_between_areas_of_its_own_site(hub: Hub) -> None:
    """Into another site's space, or from an area into itself, is refused."""
    elsewhere = hub.desk.site("Other")
    for changed, field in (
        ({"to_area_id": elsewhere}, "leads_into"),
        ({"from_area_id": elsewhere}, "leads_from"),
        ({"from_area_id": hub.room}, "leads_from"),
    ):
        with pytest.raises(Invalid) as refused:
            _add(hub, **changed)
        assert refused.value.field == field


def test_whose_names_a_log_shows_is_changed_with_a_trace(hub: Hub) -> None:
    """With who did it; names without a stated reason are refused, and what stood before stays."""
    before = _add(hub)
    with hub.desk.database.write() as tx:
        with pytest.raises(Invalid, match="Members may read it"):
            doors.change_log(tx, HOST, now=NOW, door_id="gate", log_named="always", log_reason=" ", log_days=30)
        assert doors.door(tx, "gate") == before
        changed = doors.change_log(tx, HOST, now=NOW, door_id="gate", log_named="always", log_reason="theft", log_days=30)
        assert (changed.log_named, changed.log_reason, changed.log_days) == ("always", "theft", 30)
        noted = audit.of_subject(tx, "door:gate")[0]
    assert (noted["actor"], noted["act"]) == ("Heikki", "door_log_changed")


def test_taking_a_door_out_of_use_is_told_once(hub: Hub) -> None:
    """The second time changes nothing; the door stays known, for what was tapped there."""
    with hub.desk.database.write() as tx:
        known = changes.latest_change(tx)
        retired = doors.retire_door(tx, HOST, now=NOW, door_id="room")
        assert doors.retire_door(tx, HOST, now=NOW, door_id="room") == retired == doors.door(tx, "room")
        assert retired.retired_at == NOW
        assert [change.door_id for change in changes.changes_after(tx, known)] == ["room"]
        assert {door.id for door in doors.doors(tx)} == {"lobby", "room"}


def test_a_door_that_stands_unlocked_is_not_taken_out_of_use(hub: Hub) -> None:
    """Nothing could lock it afterwards: not while it says so, nor while it may yet do so; once it is locked, it goes."""
    unlocked = Status(online=True, at=NOW, boot="b1", nonce="n1", mode=DoorMode.UNLOCKED)
    with hub.desk.database.write() as tx:
        asked = commands.ask_mode(tx, HOST, now=NOW, door_id="room", mode="unlocked", reason="open day")
        with pytest.raises(Invalid, match="stands unlocked"):
            doors.retire_door(tx, HOST, now=NOW, door_id="room")
        commands.command_done(tx, now=NOW, door_id="room", done=CommandDone(command=asked.command, did="set_mode"))
        doors.keep_status(tx, now=NOW, door_id="room", status=unlocked)
        with pytest.raises(Invalid, match="Set its mode to locked first"):
            doors.retire_door(tx, HOST, now=NOW, door_id="room")
        later = NOW + timedelta(seconds=10)
        doors.keep_status(tx, now=later, door_id="room", status=replace(unlocked, at=later, mode=DoorMode.LOCKED))
        assert doors.retire_door(tx, HOST, now=later, door_id="room").retired_at == later


def test_only_the_desk_changes_doors(hub: Hub) -> None:
    """Not the billing person, not a member; and a door that is not there is said."""
    with hub.desk.database.write() as tx:
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                doors.retire_door(tx, actor, now=NOW, door_id="room")
            with pytest.raises(NotAllowed):
                doors.change_log(tx, actor, now=NOW, door_id="room", log_named="never", log_reason="", log_days=30)
        with pytest.raises(NotFound):
            doors.retire_door(tx, HOST, now=NOW, door_id="cellar")
