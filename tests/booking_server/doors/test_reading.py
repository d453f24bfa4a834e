# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is whatever comes from a door either read or named, and never fatal?"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access_contract import topics
from access_contract.messages import MESSAGE_BYTES_MAX, Event, Request, Status
from access_contract.vocabulary import DoorId
from booking_server.doors.reading import Heard, Unreadable, read
from booking_server.ledger.deriving import event_of
from tests.access_contract import golden

DOOR = DoorId("front")
TOPIC, STATUS = topics.up(DOOR, "request"), topics.status(DOOR)
MALFORMED = Unreadable(cause="malformed", door=DOOR)


@pytest.mark.parametrize(
    ("topic", "content", "expected"),
    [
        (TOPIC, b'{"kind": "request", "v": 1, "later": true}', Heard(door=DOOR, message=Request())),
        (TOPIC, b'{"kind": "request", "v": 2}', Unreadable(cause="unknown_kind", door=DOOR)),
        (TOPIC, b'{"kind": "ask", "v": 1}', Unreadable(cause="unknown_kind", door=DOOR)),
        (TOPIC, b'{"kind": "request", "digest": 7}', MALFORMED),
        (TOPIC, b"[" * 50_000, MALFORMED),
        (TOPIC, b" " * (MESSAGE_BYTES_MAX + 1), Unreadable(cause="oversized", door=DOOR)),
        (topics.down(DOOR, "answer"), b"{}", Unreadable(cause="unknown_topic")),
        (STATUS, b'{"kind": "status", "online": true, "snapshot_number": 9007199254740992}', MALFORMED),
        (STATUS, b'{"kind": "status", "online": true, "at": "0001-01-01T00:00:00+14:00"}', MALFORMED),
    ],
)
def test_each_is_read_or_named(topic: str, content: bytes, expected: Heard | Unreadable) -> None:
    """Unknown fields are skipped; another kind or version, bad shapes, numbers and instants that
    nothing can hold, and too much are each counted by name."""
    assert read(topic, content) == expected


@given(st.binary(max_size=200))
def test_no_bytes_are_fatal(content: bytes) -> None:
    """Any bytes at all come out as one of the two."""
    assert isinstance(read(TOPIC, content), Heard | Unreadable)


def test_a_mode_of_a_later_version_leaves_the_rest_readable() -> None:
    """A newer door's status and taps are taken in whole: only the one word is not known, and is kept as it came."""
    said = golden.stored("status").replace(b'"mode":"locked"', b'"mode":"sleeping"')
    heard = read(topics.status(DoorId("front")), said)
    assert isinstance(heard, Heard)
    assert isinstance(heard.message, Status)
    assert (heard.message.mode, heard.message.version) == ("sleeping", "0.1.0")
    tap = msgspec.json.decode(golden.stored("event_tapped"))
    tap["what"]["mode"] = "sleeping"
    event = event_of(msgspec.json.encode(tap))
    assert isinstance(event, Event)
    assert event.what == msgspec.structs.replace(golden.SAMPLES["event_tapped"].what, mode="sleeping")  # type: ignore[attr-defined]
