# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a file of people do exactly what was shown, all or nothing, and nothing the second time?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from access_contract.vocabulary import DoorId, TagNumber, tag_hash
from booking_server.access import service as access
from booking_server.access.index import build
from booking_server.access.tables import rights_changes
from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit.tables import audit
from booking_server.db import metadata
from booking_server.doors import service as doors
from booking_server.errors import Invalid
from booking_server.importing import runs
from booking_server.importing.applying import import_people
from booking_server.importing.planning import FateKind, Options, Plan, plan
from booking_server.importing.reading import sheet_of
from booking_server.people import many as people_many
from booking_server.people import service as people
from booking_server.places import service as places
from booking_server.tags import service as tags
from tests.booking_server.hub import BILLING, HOST, NOW, OTHER_TAG, TAG, Hub

TODAY = date(2026, 11, 24)
OPTIONS = Options(language="fi", today=TODAY)
HEAD = "name;email;address;keytag;access;until;external id;customer;business id\n"


def shown(hub: Hub, text: str, options: Options = OPTIONS) -> Plan:
    """What the dry run shows."""
    with hub.desk.database.read() as tx:
        return plan(tx, HOST, vault=hub.desk.keys.vault, sheet=sheet_of(text.encode()), options=options)


def done(hub: Hub, text: str, *, skip: bool = False, word: str | None = None, actor: Actor = HOST) -> Plan:
    """What --apply did."""
    with hub.desk.database.write() as tx:
        return import_people(
            tx,
            actor,
            now=NOW,
            vault=hub.desk.keys.vault,
            sheet=sheet_of(text.encode()),
            options=OPTIONS,
            file="people.csv",
            shown=word,
            skip_refused=skip,
        )


def rows(hub: Hub) -> dict[str, int]:
    """How many rows stand in each table."""
    with hub.desk.database.read() as tx:
        return {t.name: tx.execute(select(func.count()).select_from(t)).scalar_one() for t in metadata.sorted_tables}


def refusals(made: Plan) -> dict[int, list[tuple[str, str]]]:
    return {fate.number: [(one.field, str(one)) for one in fate.refusals] for fate in made.refused}


NEW = HEAD + "Bo Åberg;bo@example.org;Gatan 2, 02100 Esbo;04A1B2C3D4E5F6;Omnia/Big room;31.12.2026;S7;Åberg Oy;2077474-0\n"


def test_a_new_person_comes_with_everything_and_the_second_time_changes_nothing(hub: Hub) -> None:
    """Customer, keytag named at every door, access, id: as shown before; doors know the tag. Then all is the same."""
    number = TagNumber.parse("04A1B2C3D4E5F6")
    before = shown(hub, NEW)
    assert before.counts == {"rows": 1, "new": 1, "changed": 0, "same": 0, "refused": 0, "ended": 0}
    assert done(hub, NEW, word=before.digest).digest == before.digest
    with hub.desk.database.read() as tx:
        [bo] = [one for one in people.people(tx, HOST) if one.name == "Bo Åberg"]
        payer = people.customer(tx, bo.customer_id)
        [grant] = access.grants_of(tx, bo.id)
        [tag] = tags.tags_of(tx, bo.id)
        index, keys = build(tx, now=NOW), doors.tag_keys(tx, hub.desk.keys.vault)
        acts = set(tx.execute(select(audit.c.act)).scalars())
        told = set(tx.execute(select(rights_changes.c.cause).where(rights_changes.c.person_id == bo.id)).scalars())
    assert (bo.email, bo.language, payer.name, payer.business_id) == ("bo@example.org", "fi", "Åberg Oy", "2077474-0")
    assert (grant.area_id, grant.from_day, grant.until_day) == (hub.room, TODAY, date(2026, 12, 31))
    assert tag.last_digits == "E5F6"
    for door in map(DoorId, ("lobby", "room")):
        assert tag_hash(keys[door], number) in dict(index[door].tags), door
    assert {"person_added", "keytag_handed_out", "access_granted", "people_imported"} <= acts
    assert told == {f"keytag:{tag.id}", f"grant:{grant.id}"}
    after = rows(hub)
    again = done(hub, NEW)
    assert again.does_nothing
    assert [fate.kind for fate in again.fates] == [FateKind.SAME]
    assert rows(hub) == {**after, "imports": after["imports"] + 1, "audit": after["audit"] + 1}


def test_a_known_person_is_changed_only_where_the_file_says_something_else(hub: Hub) -> None:
    """By e-mail, however it is written; an empty cell leaves what is there, also the customer and what was given by hand."""
    hub.desk.grant(hub.aino, hub.room, from_day=TODAY)
    text = "Sähköposti,Nimi,Kieli\nAINO@example.org,Aino Laine,sv\n"
    [fate] = shown(hub, text).fates
    assert [(one.what, one.before, one.after) for one in fate.changes] == [
        ("name", "Aino Virtanen", "Aino Laine"),
        ("email", "aino@example.org", "AINO@example.org"),
        ("language", "fi", "sv"),
    ]
    done(hub, text)
    with hub.desk.database.read() as tx:
        aino = people.person(tx, HOST, hub.aino)
        payer = people.customer(tx, aino.customer_id)
        assert (aino.name, aino.language, payer.name, payer.address) == (
            "Aino Laine",
            "sv",
            "Aino Laine",
            "Katu 1, 00100 Helsinki",
        )
        assert len(access.grants_of(tx, hub.aino)) == 1
        assert people_many.known(tx, HOST)[hub.aino].values.customer_name == ""


def test_every_wrong_cell_of_a_row_is_told_with_its_column(hub: Hub) -> None:
    """One sentence each; a number of a keytag is never repeated, its last digits at most."""
    hub.desk.tag(hub.ville, TAG)
    text = (
        "name;email;address;language;from;until;business id;keytag;access\n"
        "Bo;bo;x;xx;1.13.2026;yesterday;123;12345;Nowhere\n"
        "Åke;ake@example.org;x;;2.12.2026;1.12.2026;;08112233;\n"
        "Mia;mia@example.org;x;;;;;04 78 2E 21 80 1D 80;\n"
        ";kai@example.org;;;;;;;;surplus\n"
        ";;x;;;;;;\n"
    )
    found = refusals(shown(hub, text))
    assert [field for field, _ in found[2]] == ["language", "from", "until", "keytag", "access", "email", "business_id"]
    assert [field for field, _ in found[3]] == ["until", "keytag"]
    assert found[4] == [("keytag", "Somebody else holds the keytag ending in …1D80. Take it back from them first.")]
    assert [field for field, _ in found[5]] == ["row", "name", "address"]
    assert found[6][0] == ("email", "Without it nobody can say who this is. Fill it in.")
    said = str(found)
    assert "12345" not in said
    assert "782E" not in said
    assert "08112233" not in said


def test_a_refused_row_stops_all_unless_it_is_to_be_left_out(hub: Hub) -> None:
    """Without the word nothing at all is written; with it the good rows are, and only they."""
    text = NEW + "X;x;x;;;;;;\n"
    before = rows(hub)
    with pytest.raises(Invalid, match="1 rows are refused, so nothing was imported"):
        done(hub, text)
    assert rows(hub) == before
    made = done(hub, text, skip=True)
    assert (made.counts["new"], made.counts["refused"]) == (1, 1)
    assert rows(hub)["people"] == before["people"] + 1
    with hub.desk.database.read() as tx:
        [run] = runs.runs(tx)
    assert [(number, one.field) for number, one in run.refusals] == [(3, "email")]


def test_nothing_is_done_once_it_is_not_what_was_shown(hub: Hub) -> None:
    """Somebody took the keytag, or changed the person, in between: the word of the dry run is worth nothing."""
    text = HEAD + "Aino Laine;aino@example.org;;04A1B2C3D4E5F6;;;;;\n"
    word = shown(hub, text).digest
    with hub.desk.database.write() as tx:
        values = people_many.known(tx, HOST)[hub.aino].values
        people_many.change_people(tx, HOST, now=NOW, values={hub.aino: replace(values, name="Aino Mäki")})
    before = rows(hub)
    with pytest.raises(Invalid, match="Something has changed"):
        done(hub, text, word=word)
    assert rows(hub) == before


def test_one_person_or_keytag_twice_in_a_file_is_refused_at_the_second(hub: Hub) -> None:
    """The sentence names the row where it stood first; a family's shared address is good where both have an id."""
    text = (
        HEAD
        + "A;a@example.org;x;04A1B2C3D4E5F6;;;;;\n"
        + "A too;A@example.org;x;;;;;;\n"
        + "B;b@example.org;x;04:A1:B2:C3:D4:E5:F6;;;;;\n"
        + "C;c@example.org;x;;;;1;;\nD;c@example.org;x;;;;2;;\nE;e@example.org;x;;;;2;;\n"
    )
    made = shown(hub, text)
    assert refusals(made) == {
        3: [("email", "The same stands in row 2. Keep one row for each person.")],
        4: [("keytag", "The keytag ending in …E5F6 stands in row 2 too.")],
        7: [("external_id", "The same stands in row 6. Keep one row for each person.")],
    }


def test_a_place_is_known_by_its_name_and_the_site_before_it(hub: Hub) -> None:
    """A name at two sites is refused with what to write, unless the file is for one site."""
    other = hub.desk.site("Kera")
    there = hub.desk.space(other, "Big room", "meeting-room")
    text = "email;access\naino@example.org;big ROOM\n"
    assert refusals(shown(hub, text)) == {
        2: [("access", "2 places are called 'big ROOM'. Write the site before it, as in Omnia/Studio.")]
    }
    with hub.desk.database.read() as tx:
        site_id = places.area(tx, there).site_id
    for name, options in (
        ("Kera/Big room", OPTIONS),
        ("Kera › Big room", OPTIONS),
        ("Big room", replace(OPTIONS, site_id=site_id)),
    ):
        [fate] = shown(hub, f"email;access\naino@example.org;{name}\n", options).fates
        assert [one.area_id for one in fate.access] == [there], name


def test_cells_that_look_like_formulas_are_names(hub: Hub) -> None:
    """They are kept as they are written."""
    text = 'name,email,address\n"=HYPERLINK(""http://x"")",f@example.org,+358 Street\n@Mia,g@example.org,-1\n'
    done(hub, text)
    with hub.desk.database.read() as tx:
        names = {one.name for one in people.people(tx, HOST)}
    assert {'=HYPERLINK("http://x")', "@Mia"} <= names


def test_a_thousand_bad_rows_are_all_listed_and_nothing_is_done(hub: Hub) -> None:
    """Each with its row and column; the run that is kept names the first hundred."""
    text = "name;email;address\n" + "".join(f"P{n};no address {n};x\n" for n in range(1000))
    made = shown(hub, text)
    assert [fate.number for fate in made.refused] == list(range(2, 1002))
    before = rows(hub)
    with pytest.raises(Invalid, match="1000 rows"):
        done(hub, text)
    assert rows(hub) == before


def test_who_may_import(hub: Hub) -> None:
    """A host of the whole hub; not one of a site, nor billing."""
    for actor in (BILLING, Actor.of("one site", Role.HOST, site_id=1)):
        with pytest.raises(NotAllowed):
            done(hub, NEW, actor=actor)


def test_a_keytag_in_hand_blocked_or_of_somebody_ended_is_as_at_hand_out(hub: Hub) -> None:
    """Their own stays theirs; blocked is refused; a suspended person gets none, one whose membership ended gets nothing."""
    hub.desk.tag(hub.aino, TAG)
    hub.desk.block(hub.desk.tag(hub.ville, OTHER_TAG))
    assert shown(hub, f"email;keytag\naino@example.org;{TAG}\n").does_nothing
    assert "is blocked" in str(refusals(shown(hub, f"email;keytag\nville@example.org;{OTHER_TAG}\n")))
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, HOST, now=NOW, person_id=hub.ville)
    assert "is suspended" in str(refusals(shown(hub, "email;keytag\nville@example.org;04A1B2C3D4E5F6\n")))


def test_access_that_is_over_is_not_given(hub: Hub) -> None:
    """Its last day is before today."""
    day = TODAY - timedelta(days=1)
    assert shown(hub, f"email;access;until\naino@example.org;Omnia;{day}\n").does_nothing
