# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does staff's own data hold what others confided, and does anything of a person's way in outlast them?"""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import func, insert, select, update

from booking_server.accounts import personal as accounts
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import sign_in_failures, sign_in_links
from booking_server.actors import Actor, Role
from booking_server.privacy import asking, erasing, exporting
from tests.booking_server.hub import ADMINISTRATOR
from tests.booking_server.privacy.conftest import AINO, NOW, ONE_ENGINE, Kept


@ONE_ENGINE
def test_who_answered_somebody_s_wish_takes_only_that_they_did(kept: Kept) -> None:
    """Aino, a host, answered Ville: her own data has when, and neither who asked nor what was asked and answered."""
    ville = Actor.of("ville", Role.MEMBER, account_id=99, person_id=kept.office.ville)
    with kept.office.desk.database.write() as tx:
        wish = asking.ask(tx, ville, now=NOW, kind="object", text="I am ill, tell nobody")
        asking.answer(tx, kept.actor, now=NOW, wish_id=wish.id, text="Get well soon")
        held = exporting.export(tx, kept.actor, now=NOW, person_id=kept.aino)["wishes"]
    said = json.dumps(held)
    assert [row["answered_by"] for row in held] == [None, AINO]
    assert [row["person_id"] for row in held] == [kept.aino, None]
    for words in ("I am ill", "Get well", "object"):
        assert words not in said
    assert "I married" in said


@ONE_ENGINE
def test_a_link_asked_for_does_not_outlast_its_person(kept: Kept) -> None:
    """Nor a try by their address where they sign in by another name; a link that nobody erased goes with the other tries."""
    link = {"id": "x", "email": AINO, "after": "/", "made_at": NOW, "until_at": NOW}
    left = [select(func.count()).select_from(table) for table in (sign_in_links, sign_in_failures)]
    with kept.office.desk.database.write() as tx:
        tx.execute(insert(sign_in_links).values(link))
        accounts.drop_old(tx, before=NOW)
        assert tx.execute(left[0]).scalar_one() == 1
        accounts.drop_old(tx, before=NOW + timedelta(seconds=1))
        assert tx.execute(left[0]).scalar_one() == 0
        tx.execute(insert(sign_in_links).values(link))
        tx.execute(insert(sign_in_failures).values(at=NOW, sign_in_name=AINO, address="192.0.2.7", step="link"))
        tx.execute(update(account_table).where(account_table.c.sign_in_name == AINO).values(sign_in_name="the host"))
        shown = erasing.preview(tx, ADMINISTRATOR, now=NOW, config=kept.config, person_id=kept.aino).digest
        erasing.erase_person(tx, ADMINISTRATOR, now=NOW, config=kept.config, person_id=kept.aino, shown=shown)
        assert [tx.execute(one).scalar_one() for one in left] == [0, 0]
