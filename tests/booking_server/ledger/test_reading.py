# SPDX-License-Identifier: AGPL-3.0-or-later
"""Law 9: whom do staff find in the list of taps, and in one person's? Only who the doors' logs may name."""

from datetime import date

import pytest

from access_contract.entries import Outcome
from access_contract.messages import Passed
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.billing import service as billing
from booking_server.doors import service as doors
from booking_server.ledger import service as ledger
from tests.booking_server.hub import ADMINISTRATOR, BILLING, HOST, NOW, Hub
from tests.booking_server.ledger.test_ingest import Room, room, written

__all__ = ["room"]


def _logged(room: Room, log_named: str) -> tuple[list[str | None], int]:
    """Return who is named in the list, oldest first, and how many taps staff find on Aino's own list."""
    hub: Hub = room.hub
    with hub.desk.database.write() as tx:
        doors.change_log(tx, HOST, now=NOW, door_id="room", log_named=log_named, log_reason="theft", log_days=30)
        priced = billing.priced(tx)
        named = [tap.person_name for tap in reversed(ledger.recent_taps(tx, HOST, priced=priced))]
        own = ledger.taps_of_person(tx, HOST, now=NOW, person_id=hub.aino, priced=priced)
    return named, len(own)


@pytest.fixture
def used(room: Room) -> Room:
    """Aino tapped twice, and entered once."""
    room.send(written(1, room.tap(), 0), written(2, Passed(tap=1, outcome=Outcome.ENTERED), 1), written(3, room.tap(), 600))
    return room


def test_a_door_that_never_names_names_nobody_on_a_persons_own_list_either(used: Room) -> None:
    """Somebody's list of taps says who tapped by being theirs."""
    assert _logged(used, "never") == ([None, None], 0)
    assert _logged(used, "always") == (["Aino Virtanen"] * 2, 2)


def test_where_only_priced_taps_are_named_an_entry_without_a_price_is_nobodys(used: Room) -> None:
    """From the day on which the space costs something it is named; a tap that was no entry is not."""
    assert _logged(used, "priced") == ([None, None], 0)
    _set_price(used, date(2026, 11, 25))
    assert _logged(used, "priced") == ([None, None], 0)
    _set_price(used, date(2026, 11, 24))
    assert _logged(used, "priced") == (["Aino Virtanen", None], 1)


def _set_price(room: Room, day: date) -> None:
    with room.hub.desk.database.write() as tx:
        what = {"space_id": room.hub.room, "unit": "entry", "amount_cents": 420, "vat_permille": 255, "from_day": day}
        billing.set_price(tx, BILLING, now=NOW, **what)  # type: ignore[arg-type]


def test_a_member_reads_all_their_own_taps_and_who_looked_is_known(used: Room, member: Actor) -> None:
    """What a door's log hides from staff it does not hide from the person."""
    assert _logged(used, "never") == ([None, None], 0)
    with used.hub.desk.database.write() as tx:
        own = ledger.taps_of_person(tx, member, now=NOW, person_id=used.hub.aino)
        assert [tap.person_name for tap in own] == ["Aino Virtanen"] * 2
        ledger.taps_of_person(tx, ADMINISTRATOR, now=NOW, person_id=used.hub.aino)
        looked = [row["actor"] for row in audit.of_subject(tx, f"person:{used.hub.aino}") if row["act"] == "taps_read"]
    assert looked == ["Anna", member.name, "Heikki"]
