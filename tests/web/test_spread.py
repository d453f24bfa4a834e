# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a person's page say which doors have what was changed, by the doors' own word alone?"""

from __future__ import annotations

from datetime import timedelta

from access_contract.messages import Status
from access_contract.vocabulary import TagNumber
from booking_server.access import service as access
from booking_server.doors import knowing
from booking_server.doors import service as doors
from tests.web.conftest import Served


def test_a_persons_page_names_the_doors_that_lack_the_last_change(served: Served) -> None:
    """Nothing was changed: nothing is said. A blocked keytag: one door has it, one is away, one has not said so."""
    site, now = served.desk.site("Omnia"), served.desk.clock.now()
    for name in ("Kitchen", "Lobby", "Shed"):
        served.desk.door(name.lower(), name, leads_into=site)
    person = served.desk.person("Aino Virtanen")
    staff = served.visitor()
    assert b"last change" not in staff.see(f"/people/{person}").content
    served.desk.block(served.desk.tag(person, TagNumber.parse("04782E21801D80")))
    with served.desk.database.write() as tx:
        for door in ("kitchen", "lobby", "shed"):
            doors.keep_status(tx, now=now - timedelta(hours=1), door_id=door, status=Status(online=True))
        doors.keep_status(tx, now=now, door_id="kitchen", status=Status(online=False))
        knowing.confirm(tx, ["lobby"], access.latest_change(tx))
        knowing.confirm(tx, ["shed"], access.latest_change(tx) - 1)
    page = staff.see(f"/people/{person}")
    page.must_say("1 of 3 doors have the last change.", "Kitchen: offline since", "Shed: not yet")
    with served.desk.database.write() as tx:
        knowing.confirm(tx, ["kitchen", "shed"], access.latest_change(tx))
    staff.see(f"/people/{person}").must_say("Every door has the last change.")
