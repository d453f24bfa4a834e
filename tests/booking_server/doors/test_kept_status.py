# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the server keep of a door what the door last said of itself, and when it was really heard?"""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from access_contract.messages import Status
from access_contract.vocabulary import ClockQuality, DoorMode
from booking_server.doors import knowing
from booking_server.doors import service as doors
from booking_server.doors.service import DoorState
from tests.booking_server.hub import NOW, Hub

LATER = NOW + timedelta(minutes=5)
SAID = Status(
    online=True,
    at=NOW,
    boot="b1",
    clock=ClockQuality.SYNCED,
    nonce="n1",
    mode=DoorMode.UNLOCKED,
    attention=["held_open"],
    last_sequence=7,
)
GONE = Status(online=False)


def _keep(hub: Hub, status: Status, *, after: timedelta = timedelta(0), retained: bool = False) -> DoorState:
    with hub.desk.database.write() as tx:
        doors.keep_status(tx, now=NOW + after, door_id="room", status=status, retained=retained)
        return doors.door_states(tx)["room"]


def test_what_a_door_says_is_kept_whole(hub: Hub) -> None:
    """And a door that was never heard has no state."""
    with hub.desk.database.read() as tx:
        assert doors.door_states(tx) == {}
    assert _keep(hub, SAID) == DoorState(door_id="room", online=True, changed_at=NOW, heard_at=NOW, status=SAID)


def test_a_door_never_heard_is_not_said_to_be_locked_once_its_line_was_ended(hub: Hub) -> None:
    """Where a box is put out that never spoke, no mode, leaf or clock of it is known, and none is shown."""
    with hub.desk.database.write() as tx:
        doors.keep_status(tx, now=NOW, door_id="room", status=GONE)
        assert doors.door_states(tx) == {}


def test_the_newest_word_wins_whatever_comes_last(hub: Hub) -> None:
    """An older one that was held up on the way changes nothing."""
    newer = replace(SAID, at=LATER, mode=DoorMode.LOCKED)
    kept = _keep(hub, newer, after=timedelta(minutes=5))
    assert _keep(hub, SAID, after=timedelta(minutes=6)) == kept


@pytest.mark.parametrize("before", [{"clock": ClockQuality.UNTRUSTED}, {"boot": None}, {"boot": "b0"}], ids=str)
def test_a_clock_that_was_set_back_or_lost_silences_no_door(hub: Hub, before: dict[str, Any]) -> None:
    """What a door says after it was dated ahead is kept: nobody trusted that time, or it was another start's."""
    _keep(hub, replace(SAID, at=LATER, mode=DoorMode.LOCKED, **before))
    now = replace(SAID, boot=None) if before.get("boot", "") is None else SAID
    assert _keep(hub, now, after=timedelta(minutes=6)).status == now


def test_a_last_will_takes_the_door_offline_and_nothing_else(hub: Hub) -> None:
    """What it said before stays, and so does when it was last heard; since when it is away is told."""
    _keep(hub, SAID)
    gone = _keep(hub, GONE, after=timedelta(minutes=5))
    assert (gone.online, gone.changed_at, gone.heard_at) == (False, LATER, NOW)
    assert (gone.status.mode, gone.status.attention) == (DoorMode.UNLOCKED, ["held_open"])
    assert _keep(hub, GONE, after=timedelta(minutes=9)).changed_at == LATER


def test_an_old_word_that_the_broker_kept_is_not_a_sign_of_life(hub: Hub) -> None:
    """Heard at a later connect, it counts as heard when the door said it."""
    assert _keep(hub, SAID, after=timedelta(hours=3), retained=True).heard_at == NOW


def test_online_since_is_not_renewed_by_each_word(hub: Hub) -> None:
    """It changes only when the door comes or goes."""
    _keep(hub, SAID)
    again = _keep(hub, replace(SAID, at=LATER), after=timedelta(minutes=5))
    assert (again.changed_at, again.heard_at) == (NOW, LATER)


def test_a_door_that_the_server_does_not_have_is_nobody(hub: Hub) -> None:
    """Its word stores nothing and breaks nothing."""
    with hub.desk.database.write() as tx:
        doors.keep_status(tx, now=NOW, door_id="cellar", status=SAID)
        assert doors.door_states(tx) == {}


def test_a_door_has_a_change_by_its_word_until_it_says_that_it_holds_nothing(hub: Hub) -> None:
    """Never less than before while it holds something or is away; a lost snapshot, or a new box, has nothing."""
    holds = replace(SAID, snapshot_digest="d")
    _keep(hub, holds)
    for change, known in ((7, 7), (5, 7)):
        with hub.desk.database.write() as tx:
            knowing.confirm(tx, ["room"], change)
        assert _keep(hub, holds).rights_known == known
    assert _keep(hub, GONE, after=timedelta(minutes=1)).rights_known == 7
    assert _keep(hub, SAID, after=timedelta(minutes=2)).rights_known == 0
