# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do a school's people get in by their accounts there, as who they are here and with just what their groups give them?"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from booking_server.accounts import service as accounts
from booking_server.accounts import sessions
from booking_server.accounts.service import Account
from booking_server.actors import COMMAND_LINE, Role
from booking_server.clock import SystemClock
from booking_server.db import Database
from booking_server.people import service as people
from tests.booking_server.hub import ADMINISTRATOR as ANNA
from tests.booking_server.hub import PASSWORD
from tests.system.visitor import Visitor
from tests.web import school as schools
from tests.web.browser import chromium
from tests.web.conftest import ADMINISTRATOR, HOST
from tests.web.school import Hub, School, link

Hubs = Callable[..., AbstractContextManager[Hub]]


@dataclass(frozen=True, slots=True)
class WrongClock:
    """The machine's clock, but for some hours."""

    hours: int

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(hours=self.hours)

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    with schools.school(tmp_path_factory.mktemp("school")) as made:
        yield made


@pytest.fixture
def hubs(empty_database: Path, tmp_path: Path, school: School) -> Iterator[Hubs]:
    """Hubs over one database, with settings of their own."""
    database = Database(f"sqlite:///{shutil.copy(empty_database, tmp_path / 'hub.sqlite')}")

    @contextmanager
    def opened(**settings: Any) -> Iterator[Hub]:
        with schools.hub(database, tmp_path, school, **settings) as made:
            yield made

    yield opened
    database.close()


@pytest.fixture
def hub(hubs: Hubs) -> Iterator[Hub]:
    """A hub as a demo has it: no second factor is asked for."""
    with hubs() as made:
        yield made


def _claims(name: str, *groups: str, verified: bool = True) -> dict[str, Any]:
    email = f"{name.split()[0].lower()}@example.org"
    return {"email": email, "email_verified": verified, "name": name, "groups": list(groups)}


def _account(hub: Hub, name: str) -> Account:
    with hub.desk.database.read() as tx:
        return next(one for one in accounts.accounts(tx, ANNA) if one.sign_in_name == name)


def test_a_member_is_known_by_a_verified_address_and_then_by_the_link(hub: Hub) -> None:
    """Somebody whose verified address is one active person's is that person; after that, whatever address they have there."""
    aino = hub.desk.person("Aino Virtanen")
    hub.school.knows(a1=_claims("Aino"))
    assert hub.comes("a1").path == "/me"
    found = _account(hub, "aino@example.org")
    assert (found.person_id, found.has_password) == (aino, False)
    assert found.roles == {(Role.MEMBER, None)}
    hub.school.knows(a1=_claims("Aino-Married"))
    assert hub.comes("a1").path == "/me"
    with hub.desk.database.read() as tx:
        begun = sessions.sessions_of(tx, now=SystemClock().now(), account_id=found.id)
    assert [one.how for one in begun] == [("federated",)] * 2


def test_a_session_of_a_school_s_account_ends_within_twelve_hours(hub: Hub) -> None:
    """Only the school knows who left it, so a member who came from there is asked anew each day."""
    hub.desk.person("Aino Virtanen")
    hub.school.knows(a1=_claims("Aino"))
    visitor = Visitor(hub.address)
    hub.comes("a1", visitor)
    found, later = _account(hub, "aino@example.org"), SystemClock().now() + timedelta(hours=12)
    with hub.desk.database.read() as tx:
        assert not sessions.sessions_of(tx, now=later, account_id=found.id)
        assert sessions.sessions_of(tx, now=later - timedelta(minutes=1), account_id=found.id)


def test_groups_give_roles_and_take_them_away(hub: Hub) -> None:
    """A group's role holds where the settings say, goes with the group, and leaves alone what staff gave by hand."""
    espoo = hub.desk.site("Espoo")
    hub.school.knows(h1=_claims("Hilla", "staff-hosts", "caretakers-espoo", "students", "lost"))
    assert hub.comes("h1").path == "/"
    hilla = _account(hub, "hilla@example.org")
    assert hilla.federated == {(Role.HOST, None), (Role.CARETAKER, espoo)}
    assert not hilla.by_hand
    with hub.desk.database.write() as tx:
        accounts.set_roles(tx, ANNA, now=SystemClock().now(), account_id=hilla.id, roles={(Role.BILLING, None)})
    hub.school.knows(h1=_claims("Hilla", "caretakers-espoo"))
    assert hub.comes("h1").path == "/"
    assert _account(hub, "hilla@example.org").roles == {(Role.BILLING, None), (Role.CARETAKER, espoo)}
    hub.school.knows(h1=_claims("Hilla"))
    hub.comes("h1")
    assert _account(hub, "hilla@example.org").roles == {(Role.BILLING, None)}


def test_who_left_every_group_is_nobody_here(hub: Hub) -> None:
    """With the last role the way in is gone, and the page says whom to ask."""
    hub.school.knows(t1=_claims("Tero", "it"))
    hub.comes("t1")
    assert _account(hub, "tero@example.org").roles == {(Role.ADMINISTRATOR, None)}
    hub.school.knows(t1=_claims("Tero"))
    assert hub.comes("t1").must_say("None of your groups at Omnia has a role here").path == "/sign-in"
    assert not _account(hub, "tero@example.org").roles


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        (_claims("Aino", verified=False), "vouches for no e-mail address of yours"),
        (_claims("Nobody"), "Not exactly one member here has the address nobody@example.org"),
        (_claims("Twin"), "Not exactly one member here has the address twin@example.org"),
        (_claims("Ville"), "Not exactly one member here has the address ville@example.org"),
    ],
)
def test_an_address_alone_must_be_verified_and_one_active_person_s(hub: Hub, claims: dict[str, Any], sentence: str) -> None:
    """Not verified, nobody's, two people's or a suspended person's: refused with a sentence, and no account is made."""
    for name in ("Aino Virtanen", "Twin One", "Twin Two"):
        hub.desk.person(name)
    ville = hub.desk.person("Ville Korhonen")
    with hub.desk.database.write() as tx:
        people.suspend_person(tx, ANNA, now=SystemClock().now(), person_id=ville)
    hub.school.knows(x1=claims)
    assert hub.comes("x1").must_say(sentence).path == "/sign-in"
    with hub.desk.database.read() as tx:
        assert len(accounts.accounts(tx, ANNA)) == 4


def test_an_address_never_takes_over_an_account_of_staff(hub: Hub) -> None:
    """Who has roles by hand connects the two accounts on their own page, signed in; then the school's button is enough."""
    with hub.desk.database.write() as tx:
        accounts.add_account(
            tx,
            COMMAND_LINE,
            now=SystemClock().now(),
            sign_in_name="anna@example.org",
            name="Anna",
            role=Role.ADMINISTRATOR,
            password=PASSWORD,
        )
    hub.school.knows(anna=_claims("Anna", "staff-hosts"))
    assert hub.comes("anna").must_say("You have an account here already").path == "/sign-in"
    visitor = Visitor(hub.address)
    visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name="anna@example.org", password=PASSWORD)
    page = visitor.see(link(visitor.see("/me/sign-in"), "Connect with Omnia"))
    schools.allow(visitor, page, "anna").must_say("Omnia signs you in from now on")
    assert hub.comes("anna").path == "/"
    visitor.post(visitor.see("/me/sign-in"), "/federated/removal")
    assert hub.comes("anna").must_say("You have an account here already").path == "/sign-in"


def test_the_school_s_account_of_somebody_else_connects_nothing(hub: Hub) -> None:
    """One account there is one account here: who tries to connect another's is told to ask."""
    hub.desk.person("Aino Virtanen")
    hub.school.knows(a1=_claims("Aino"))
    hub.comes("a1")
    visitor = Visitor(hub.address)
    visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name=HOST, password=PASSWORD)
    page = visitor.see(link(visitor.see("/me/sign-in"), "Connect with Omnia"))
    schools.allow(visitor, page, "a1").must_say("signs in somebody else here")


def test_no_other_site_begins_a_connection(hub: Hub) -> None:
    """A link of another site, which had signed the browser in at the school as its own, connects nothing with the hub."""
    visitor = Visitor(hub.address)
    visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name=HOST, password=PASSWORD)
    visitor.headers["Sec-Fetch-Site"] = "cross-site"
    assert visitor.see("/sign-in/federated?for=link").path == "/me/sign-in"
    visitor.headers["Sec-Fetch-Site"] = "same-origin"
    assert visitor.see("/sign-in/federated?for=link").url.startswith(hub.school.issuer)


def test_roles_of_groups_lapse_for_who_signs_in_another_way(hub: Hub, hubs: Hubs) -> None:
    """After twelve hours a password brings what staff gave, not what the school's groups gave, and the page says so."""
    hub.school.knows(h1=_claims("Hilla", "staff-hosts"))
    hub.comes("h1")
    found, now = _account(hub, "hilla@example.org"), SystemClock().now()
    with hub.desk.database.write() as tx:
        accounts.set_password(tx, ANNA, now=now, account_id=found.id, password=PASSWORD)
    with hubs(clock=WrongClock(13)) as later:
        visitor = Visitor(later.address)
        page = visitor.post(visitor.see("/sign-in"), "/sign-in", sign_in_name="hilla@example.org", password=PASSWORD)
        assert page.must_say("What your groups at Omnia let you do here has lapsed").path == "/me"
    assert not _account(hub, "hilla@example.org").roles


def test_staff_whom_the_school_asked_for_one_factor_only_set_up_another_first(hubs: Hubs) -> None:
    """Where the hub asks staff for two factors, the school's sign-in is two only if the settings or the school say so."""
    with hubs(demo=False) as hub:
        hub.school.knows(h1=_claims("Hilla", "staff-hosts"))
        assert hub.comes("h1").must_say("One more thing before you go on").path == "/me/sign-in"
    with hubs(demo=False, trusted=True) as hub:
        assert hub.comes("h1").path == "/"


def test_a_grave_act_asks_the_school_again(hub: Hub) -> None:
    """Who has nothing but the school's account proves there anew who they are; somebody else's account proves nothing."""
    hub.school.knows(h1=_claims("Hilla", "it"), o1=_claims("Other", "it"))
    visitor = Visitor(hub.address)
    hub.comes("h1", visitor)
    hub.comes("o1")
    for who, sentence in (("o1", "You are somebody else there than here"), ("h1", "Accounts")):
        page = visitor.see(link(visitor.see("/confirm?next=/accounts"), "Go on with Omnia"))
        assert page.url.startswith(hub.school.issuer), "the school asks again although it knows who it is"
        schools.allow(visitor, page, who).must_say(sentence)


def test_a_button_alone_leads_there_and_back_in_a_browser(hub: Hub) -> None:
    """Through the school's own pages in a real browser, whose policy for our pages lets nothing of elsewhere in."""
    hub.desk.person("Aino Virtanen")
    hub.school.knows(a1=_claims("Aino"))
    with chromium() as browser:
        page = browser.new_page()
        page.goto(f"{hub.address}/sign-in")
        page.click("text=Sign in with Omnia")
        page.fill("[name=login]", "a1")
        page.fill("[name=password]", "any")
        page.click("button")
        page.click("button")
        page.wait_for_url(f"{hub.address}/me")


def test_each_trouble_on_the_way_is_one_sentence(hubs: Hubs, school: School) -> None:
    """A wrong secret, one that cannot be read, clocks apart, a wrong issuer, no consent, an answer used twice: nobody is in."""
    school.knows(h1=_claims("Hilla", "staff-hosts"))
    troubles: list[tuple[dict[str, Any], str]] = [
        ({"secret": "another"}, "Omnia does not take this hub for the one it knows"),
        ({"clock": WrongClock(3)}, "The clocks of Omnia and of this hub are not the same"),
        ({"clock": WrongClock(-3)}, "The clocks of Omnia and of this hub are not the same"),
    ]
    for settings, sentence in troubles:
        with hubs(**settings) as hub:
            assert hub.comes("h1").must_say(sentence).path == "/sign-in"
    for settings, sentence in (
        ({"client_secret_file": "/nowhere"}, "The hub's own key for Omnia cannot be read"),
        ({"issuer": f"{school.issuer}/"}, "Omnia calls itself something else than the settings do"),
    ):
        with hubs(**settings) as hub:
            visitor = Visitor(hub.address)
            visitor.see(link(visitor.see("/sign-in"), "Sign in with Omnia")).must_say(sentence)


def test_no_consent_and_an_answer_brought_twice_sign_nobody_in(hub: Hub) -> None:
    """Who does not let the school tell stays out; so does who brings another browser's answer, or one a second time."""
    hub.school.knows(h1=_claims("Hilla", "staff-hosts"))
    visitor = Visitor(hub.address)
    page = visitor.see(link(visitor.see("/sign-in"), "Sign in with Omnia"))
    page = visitor.post(page, page.path, login="h1", password="any")
    visitor.see(link(page, "[ Cancel ]")).must_say("Omnia was not allowed to tell this hub who you are")
    for answer in ("?code=guessed&state=guessed", "?error=access_denied", ""):
        visitor.see(f"/sign-in/federated/back{answer}").must_say("This sign-in was used already")


def test_a_school_that_is_down_is_named_and_the_other_ways_stand(hubs: Hubs, tmp_path: Path) -> None:
    """The page says that the school cannot be reached, and the password signs in as ever."""
    with hubs(issuer="http://127.0.0.1:9") as hub:
        visitor = Visitor(hub.address)
        page = visitor.see(link(visitor.see("/sign-in"), "Sign in with Omnia")).must_say("Omnia cannot be reached now")
        assert visitor.post(page, "/sign-in", sign_in_name=ADMINISTRATOR, password=PASSWORD).path == "/"
