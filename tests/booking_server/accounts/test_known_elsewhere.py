# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is somebody here whom a provider vouches for, and is an answer of a passkey taken once, on both databases?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select

from booking_server import schema
from booking_server.accounts import challenges, federated
from booking_server.accounts import service as accounts
from booking_server.accounts.openid import Claims, Refused
from booking_server.accounts.service import Account
from booking_server.actors import Actor, Role
from booking_server.config import Federated
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.messages.tables import messages
from tests.booking_server.hub import ADMINISTRATOR, NOW, Hub

SCHOOL = Federated(issuer="https://school.example", name="School", roles={"staff": "host", "site": "caretaker@Omnia"})
SECRET, BROWSER = b"the session secret", "a form's token"


def _claims(subject: str = "s1", email: str = "aino@example.org", *groups: str) -> Claims:
    return Claims(issuer=SCHOOL.issuer, subject=subject, email=email, name="Aino", groups=frozenset(groups), two_factors=False)


def _come(hub: Hub, claims: Claims, settings: Federated = SCHOOL) -> Account:
    with hub.desk.database.write() as tx:
        return federated.account_of(tx, claims, settings, now=NOW)


def test_roles_follow_the_groups_of_each_sign_in(hub: Hub) -> None:
    """A role of the whole hub and one of a site come with their groups and go with them; being a member stays."""
    assert _come(hub, _claims("s1", "aino@example.org", "staff", "site", "other")).roles == {
        (Role.MEMBER, None), (Role.HOST, None), (Role.CARETAKER, hub.site),
    }  # fmt: skip
    assert _come(hub, _claims("s1", "", "site")).roles == {(Role.MEMBER, None), (Role.CARETAKER, hub.site)}
    assert _come(hub, _claims("s1", "")).roles == {(Role.MEMBER, None)}


def test_an_address_that_passed_to_somebody_else_opens_no_account(hub: Hub) -> None:
    """Another subject with the address of a linked account is another person: they are not let in as the first."""
    _come(hub, _claims("s1"))
    with pytest.raises(Refused, match="You have an account here already"):
        _come(hub, _claims("s2"))


def test_roles_of_groups_lapse_for_who_comes_another_way(hub: Hub) -> None:
    """Whoever left the school keeps no role by a passkey that they added before; what staff gave by hand stays."""
    found = _come(hub, _claims("s1", "aino@example.org", "staff"))
    for later, roles in (
        (timedelta(hours=11), {(Role.MEMBER, None), (Role.HOST, None)}),
        (timedelta(hours=12), {(Role.MEMBER, None)}),
    ):
        with hub.desk.database.write() as tx:
            assert federated.let_lapse(tx, found, now=NOW + later).roles == roles
    assert _come(hub, _claims("s1", "", "staff")).roles == {(Role.MEMBER, None), (Role.HOST, None)}


def test_who_connects_their_account_is_told_by_mail(hub: Hub, member: Actor) -> None:
    """A way in that somebody else made is seen by the owner: the mail is there with what it tells of."""
    with hub.desk.database.write() as tx:
        federated.link(tx, member, _claims("s1"), SCHOOL, now=NOW)
        told = tx.execute(select(messages)).one()
    assert (told.kind, told.account_id, told.facts["which"]) == ("sign_in_changed", member.account_id, "School")


def test_members_may_be_asked_to_connect_by_themselves(hub: Hub) -> None:
    """With members = "linked" an address lets nobody in, not even the first time."""
    settings = Federated(issuer=SCHOOL.issuer, name="School", members="linked")
    with pytest.raises(Refused, match="No account here is connected with School yet"):
        _come(hub, _claims(), settings)


def test_who_was_shut_out_stays_out(hub: Hub) -> None:
    """A closed account is not opened, nor a second one made, by the way of the school."""
    found = _come(hub, _claims())
    with hub.desk.database.write() as tx:
        accounts.close_account(tx, ADMINISTRATOR, now=NOW, account_id=found.id)
    for subject in ("s1", "s2"):
        with pytest.raises(Refused, match=r"closed|account here already"):
            _come(hub, _claims(subject))


def test_an_answer_is_taken_once_however_many_come_at_once(database: Database) -> None:
    """Of eight that bring the same answer at the same time one is heard."""
    new, sealed = challenges.ask(SECRET, now=NOW, purpose="sign_in", browser=BROWSER, handle="h")

    def bring(_: int) -> bool:
        try:
            return challenges.answered(database, SECRET, now=NOW, purpose="sign_in", browser=BROWSER, sealed=sealed) == new
        except Invalid:
            return False

    with ThreadPoolExecutor(8) as many:
        assert sum(many.map(bring, range(8))) == 1


def test_an_answer_is_for_one_hub_purpose_browser_and_time(database: Database) -> None:
    """Of another hub, purpose or browser, too old or of the future: refused, and still good where it belongs."""
    _, sealed = challenges.ask(SECRET, now=NOW, purpose="sign_in", browser=BROWSER)
    right = {"secret": SECRET, "purpose": "sign_in", "browser": BROWSER, "now": NOW}
    for other in (
        {"secret": b"another hub's"},
        {"purpose": "confirm"},
        {"browser": "another browser's"},
        {"now": NOW + challenges.GOOD_FOR},
        {"now": NOW - timedelta(minutes=1)},
        {"sealed": "made up"},
    ):
        with pytest.raises(Invalid, match="Try again"):
            challenges.answered(database, **{"sealed": sealed, **right, **other})  # type: ignore[arg-type]
    assert challenges.answered(database, sealed=sealed, **right).challenge  # type: ignore[arg-type]


def test_going_back_a_version_leaves_nobody_a_role_of_elsewhere(hub: Hub) -> None:
    """Where the way in is dropped, what came by it is too; what staff gave by hand stays."""
    found = _come(hub, _claims("s1", "aino@example.org", "staff"))
    schema.downgrade(hub.desk.database, "0014")
    schema.upgrade(hub.desk.database)
    with hub.desk.database.read() as tx:
        assert accounts.existing_account(tx, found.id).roles == {(Role.MEMBER, None)}
