# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who is known, who pays for them, and who may see and change that?"""

import pytest

from booking_server.access import changes
from booking_server.accounts import service as accounts
from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound
from booking_server.people import service as people
from booking_server.people.service import Person
from tests.booking_server.hub import ADMINISTRATOR, BILLING, HOST, NOW, PASSWORD, Hub
from tests.system.desk import Desk

GOOD = {"name": "Åsa Öhman", "email": "asa@example.org", "language": "fi", "address": "Katu 1, 02100 Espoo"}


def _add(desk: Desk, **changed: str) -> Person:
    with desk.database.write() as tx:
        return people.add_person(tx, HOST, now=NOW, **(GOOD | changed))


def test_a_person_pays_for_themselves_unless_a_company_does(desk: Desk) -> None:
    """Everybody has a customer: of their own name, or the company named with its business ID."""
    own = _add(desk)
    employed = _add(desk, name="Ville", customer_name="Pop Up Oy", business_id="2077474-0")
    with desk.database.read() as tx:
        payers = people.payers(tx)
        himself, company = people.customer(tx, payers[own.id]), people.customer(tx, payers[employed.id])
    assert (himself.name, himself.business_id, himself.address) == ("Åsa Öhman", None, "Katu 1, 02100 Espoo")
    assert (company.name, company.business_id) == ("Pop Up Oy", "2077474-0")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("name", "x" * 201),
        ("email", "asa.example.org"),
        ("email", "asa@@example.org"),
        ("language", "xx"),
        ("address", " "),
        ("business_id", "2077474-1"),
        ("customer_name", "x" * 201),
    ],
)
def test_what_cannot_be_right_is_refused_at_its_field(desk: Desk, field: str, value: str) -> None:
    """And nothing is stored, no customer either."""
    with pytest.raises(Invalid) as refused:
        _add(desk, **{field: value})
    assert refused.value.field == field
    with desk.database.read() as tx:
        assert people.people(tx, HOST) == []
        with pytest.raises(NotFound):
            people.customer(tx, 1)


def test_changing_a_person_changes_who_pays_too(desk: Desk) -> None:
    """Name, language and invoice address, with an audit row in the name of who did it."""
    made = _add(desk)
    with desk.database.write() as tx:
        changed = people.change_person(
            tx, BILLING, now=NOW, person_id=made.id, name="Åsa Berg", email="asa@example.com", language="en", address="Katu 2"
        )
        payer = people.customer(tx, made.customer_id)
        noted = audit.of_subject(tx, f"person:{made.id}")
    assert (changed.name, changed.email, changed.language, changed.customer_id) == (
        "Åsa Berg",
        "asa@example.com",
        "en",
        made.customer_id,
    )
    assert (payer.name, payer.address, payer.email) == ("Åsa Berg", "Katu 2", "asa@example.com")
    assert [(row["actor"], row["act"]) for row in noted] == [("Birgit", "person_changed"), ("Heikki", "person_added")]


@pytest.mark.parametrize("search", ["åsa", "ÖHMAN", "sa@EXAMPLE", " öh "])
def test_people_are_found_by_any_part_in_any_case(desk: Desk, search: str) -> None:
    """Å and Ö too; and what has no such part is not found."""
    made = _add(desk)
    _add(desk, name="100% Ville", email="ville@example.com")
    with desk.database.read() as tx:
        assert people.people(tx, HOST, search=search) == [made]


def test_a_search_takes_what_is_typed_as_it_is(desk: Desk) -> None:
    """Signs that mean something to the database mean only themselves."""
    _add(desk)
    other = _add(desk, name="100% Ville_", email="ville@example.com")
    with desk.database.read() as tx:
        assert people.people(tx, HOST, search="%") == people.people(tx, HOST, search="_") == [other]


def test_a_member_sees_only_themselves(hub: Hub, member: Actor) -> None:
    """Another person does not exist for a member, and lists are for staff."""
    with hub.desk.database.read() as tx:
        assert people.person(tx, member, hub.aino).name == "Aino Virtanen"
        with pytest.raises(NotFound):
            people.person(tx, member, hub.ville)
        with pytest.raises(NotAllowed):
            people.people(tx, member)


def test_a_suspension_is_told_to_the_doors_and_can_be_lifted(hub: Hub) -> None:
    """Each way adds a rights change and an audit row."""
    with hub.desk.database.write() as tx:
        before = changes.latest_change(tx)
        assert not people.suspend_person(tx, HOST, now=NOW, person_id=hub.aino).active
        assert people.suspended(tx) == {hub.aino}
        assert people.resume_person(tx, HOST, now=NOW, person_id=hub.aino).active
        assert people.suspended(tx) == set()
        assert [change.person_id for change in changes.changes_after(tx, before)] == [hub.aino, hub.aino]
        acts = [row["act"] for row in audit.of_subject(tx, f"person:{hub.aino}", limit=2)]
    assert acts == ["person_resumed", "person_suspended"]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.BILLING])
def test_only_the_desk_suspends(hub: Hub, role: Role) -> None:
    """Neither a member nor the billing person."""
    with hub.desk.database.write() as tx, pytest.raises(NotAllowed):
        people.suspend_person(tx, Actor.of("x", role), now=NOW, person_id=hub.ville)


def test_an_account_with_an_endless_name_is_refused_at_its_field(desk: Desk) -> None:
    """On either engine, before a column has to."""
    with desk.database.write() as tx, pytest.raises(Invalid) as refused:
        accounts.add_account(tx, ADMINISTRATOR, now=NOW, sign_in_name="x", name="x" * 201, role=Role.HOST, password=PASSWORD)
    assert refused.value.field == "name"
