# SPDX-License-Identifier: AGPL-3.0-or-later
"""What may staff grant, who may grant it, and what is left when it is withdrawn?"""

from datetime import time, timedelta
from typing import Any

import pytest

from booking_server.access import service as access
from booking_server.access.service import Grant
from booking_server.actors import NotAllowed
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from tests.booking_server.hub import BILLING, HOST, MEMBER, NOW, Hub

TODAY = NOW.date()


def _grant(hub: Hub, **changed: Any) -> Grant:
    with hub.desk.database.write() as tx:
        wanted: dict[str, Any] = {"person_id": hub.aino, "area_id": hub.room, "from_day": TODAY} | changed
        return access.grant_access(tx, HOST, now=NOW, **wanted)


def test_a_grant_is_kept_as_given(hub: Hub) -> None:
    """Days, hours and both privileges; with an audit row and a rights change for the person."""
    hours = {"from_time": time(8), "until_time": time(16, 30), "weekdays": 0b0011111}
    made = _grant(hub, until_day=TODAY + timedelta(days=7), standing=True, passes_lock_down=True, **hours)
    assert (made.from_time, made.until_time, made.weekdays, made.standing, made.passes_lock_down) == (
        time(8),
        time(16, 30),
        0b0011111,
        True,
        True,
    )
    with hub.desk.database.read() as tx:
        assert access.grant(tx, made.id) == made
        assert access.changes_after(tx, access.latest_change(tx) - 1)[0].person_id == hub.aino
        assert audit.of_subject(tx, f"grant:{made.id}")[0]["act"] == "access_granted"


@pytest.mark.parametrize(
    ("field", "value"), [("until_day", TODAY - timedelta(days=1)), ("weekdays", 0), ("weekdays", 128), ("weekdays", -1)]
)
def test_what_would_never_open_is_refused_at_its_field(hub: Hub, field: str, value: object) -> None:
    """An end before the start, and a week without days."""
    with pytest.raises(Invalid) as refused:
        _grant(hub, **{field: value})
    assert refused.value.field == field


def test_a_grant_for_nobody_or_nowhere_is_said(hub: Hub) -> None:
    """An unknown person, an unknown area."""
    for changed in ({"person_id": 9999}, {"area_id": 9999}):
        with pytest.raises(NotFound):
            _grant(hub, **changed)


def test_withdrawing_ends_it_once_and_is_told(hub: Hub) -> None:
    """The second time changes nothing, not even the rights changes; the grant stays readable."""
    made, kept = _grant(hub), _grant(hub, area_id=hub.site)
    with hub.desk.database.write() as tx:
        known = access.latest_change(tx)
        withdrawn = access.withdraw_access(tx, HOST, now=NOW, grant_id=made.id)
        again = access.withdraw_access(tx, HOST, now=NOW + timedelta(hours=1), grant_id=made.id)
        assert again == withdrawn == access.grant(tx, made.id)
        assert access.latest_change(tx) == known + 1
        assert access.grants_of(tx, hub.aino) == access.grants(tx) == [kept]
        assert audit.of_subject(tx, f"grant:{made.id}")[0]["act"] == "access_withdrawn"


def test_only_the_desk_grants_and_withdraws(hub: Hub) -> None:
    """Not the billing person, and no member for themselves."""
    made = _grant(hub)
    with hub.desk.database.write() as tx:
        for actor in (BILLING, MEMBER):
            with pytest.raises(NotAllowed):
                access.grant_access(tx, actor, now=NOW, person_id=hub.aino, area_id=hub.site, from_day=TODAY)
            with pytest.raises(NotAllowed):
                access.withdraw_access(tx, actor, now=NOW, grant_id=made.id)
