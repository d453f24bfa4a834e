# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the server say what the door's own snapshot would say, but for tags that it alone knows to be refused?"""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from access_contract.decide import decide
from access_contract.messages import Answer, Ask
from access_contract.sealing import seal_number
from access_contract.snapshot import DoorRules, LiveFacts, Window, decode, unpack
from access_contract.vocabulary import AccessPointId, DoorId, Moment, Reason, TagNumber, tag_hash
from booking_server.access.door_rights import DoorRights, index_of_door
from booking_server.access.holdings import Holdings
from booking_server.access.rules import HeldRight, Holder, Point, hours_of, opened_points
from booking_server.access.snapshots import snapshot_of
from booking_server.doors.answering import answer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DOOR, IN, KEY = DoorId("front"), AccessPointId("in"), bytes(range(32))
ADMITTED, BLOCKED, STRANGER = (TagNumber.parse(text) for text in ("04782E21801D80", "04782E21801D81", "04782E21801D82"))
SERVER = X25519PrivateKey.generate()


def _index() -> DoorRights:
    window = Window(NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    opens = opened_points([Point(door_id=DOOR, point=IN, from_area_id=None, to_area_id=2)], {1: None, 2: 1}, 2)
    tags = [
        (tag_hash(KEY, ADMITTED), Holder(1)),
        (tag_hash(KEY, BLOCKED), Holder(1, Reason.TAG_BLOCKED)),
    ]
    right = HeldRight(cause="grant:7", person_id=1, area_id=2, hours=hours_of("now", (window,)))
    rules = DoorRules()
    made = {"change": 3, "now": NOW, "expiry_days": 14}
    return index_of_door(door=DOOR, rules=rules, tags=tags, holdings=Holdings([right], {2: opens}), **made)  # type: ignore[arg-type]


def _answer(number: TagNumber, at: datetime, live: LiveFacts = LiveFacts()) -> Answer:  # noqa: B008 - frozen
    ask = Ask(
        ask="a1", access_point=IN, sealed=seal_number(number, door=DOOR, about="ask:a1", server_key=SERVER.public_key()), at=at
    )
    moment = Moment(now=at, access_point=IN)
    return answer(ask, index=_index(), tag_key=KEY, openers=(SERVER,), moment=moment, live=live, known=3)


@pytest.mark.parametrize("at", [NOW, NOW + timedelta(hours=1), NOW - timedelta(hours=2)])
@pytest.mark.parametrize("number", [ADMITTED, STRANGER])
def test_door_and_server_decide_alike(number: TagNumber, at: datetime) -> None:
    """For a tag that is not refused, the answer is what the snapshot in its wire bytes says."""
    snapshot = decode(unpack(snapshot_of(_index()).content))
    own = decide(snapshot, None, tag_hash(KEY, number), Moment(now=at, access_point=IN))
    said = _answer(number, at)
    assert (said.granted, said.reason, said.cause) == (own.granted, own.reason, own.cause)


def test_a_blocked_tag_is_refused_by_name_and_is_not_in_the_snapshot() -> None:
    """The server says why; the door does not know the tag at all."""
    assert _answer(BLOCKED, NOW).reason == Reason.TAG_BLOCKED
    assert tag_hash(KEY, BLOCKED) not in decode(unpack(snapshot_of(_index()).content)).tags


def test_a_number_sealed_by_another_door_is_unreadable() -> None:
    """Sealed bytes cannot be carried from door to door."""
    sealed = seal_number(ADMITTED, door=DoorId("back"), about="ask:a1", server_key=SERVER.public_key())
    ask = Ask(ask="a1", access_point=IN, sealed=sealed, at=NOW)
    moment = Moment(now=NOW, access_point=IN)
    said = answer(ask, index=_index(), tag_key=KEY, openers=(SERVER,), moment=moment, live=LiveFacts(), known=3)
    assert said.reason == Reason.TAG_UNREADABLE


def test_an_armed_site_admits_nobody_at_its_other_doors() -> None:
    """What the server knows of the burglar alarm refuses a tap that would be granted."""
    said = _answer(ADMITTED, NOW, LiveFacts(alarm_armed=True))
    assert (said.granted, said.reason) == (False, Reason.ALARM_ARMED)
