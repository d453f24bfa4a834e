# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who gets a link by mail, what it is good for, and for how long? And who is told of a new browser?"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Row, event, func, select

from booking_server.accounts import browsers, links
from booking_server.accounts import service as accounts
from booking_server.accounts.tables import sign_in_links
from booking_server.accounts.throttling import FAILURES_BY_ADDRESS, FROM_ANYWHERE, Step, Throttled
from booking_server.actors import Role
from booking_server.db import Database
from booking_server.errors import NotFound
from booking_server.messages.tables import messages
from booking_server.people import service as people
from tests.booking_server.hub import ADMINISTRATOR, NOW, PASSWORD

HERE, ORIGIN, MAIL = "192.0.2.7", "https://hub.example", "Aino@Example.org"


def _person(database: Database, name: str = "Aino Virtanen", email: str = MAIL) -> int:
    values: dict[str, Any] = {"name": name, "email": email, "language": "fi", "address": "Koulukatu 1, Espoo"}
    with database.write() as tx:
        return people.add_person(tx, ADMINISTRATOR, now=NOW, **values).id


def _ask(database: Database, email: str = MAIL, *, address: str = HERE, after: str = "/") -> None:
    links.ask(database, now=NOW, email=email, after=after, origin=ORIGIN, address=address)


def _mails(database: Database) -> Sequence[Row[Any]]:
    with database.read() as tx:
        return tx.execute(select(messages).order_by(messages.c.id)).all()


def _token(database: Database) -> str:
    link: str = _mails(database)[-1].facts["link"]
    assert link.startswith(f"{ORIGIN}/sign-in/link/")
    return link.rpartition("/")[2]


def test_a_link_is_mailed_works_once_and_makes_the_account(database: Database) -> None:
    """Looking at it uses nothing up; the table holds no token; the second use proves nothing; the account is a member's."""
    aino = _person(database)
    _ask(database, " aino@EXAMPLE.org ", after="/me/data")
    token = _token(database)
    with database.write() as tx:
        assert tx.execute(select(func.count()).where(sign_in_links.c.id == token)).scalar_one() == 0
        assert links.is_good(tx, now=NOW, token=token)
        assert links.is_good(tx, now=NOW, token=token)
        proven = links.use(tx, now=NOW, token=token)
        assert proven is not None
        assert proven.after == "/me/data"
        assert links.use(tx, now=NOW, token=token) is None
        made = links.account_for(tx, now=NOW, email=proven.email, person_id=aino)
        assert made.roles == frozenset({(Role.MEMBER, None)})
        assert (made.person_id, made.has_password) == (aino, False)
        assert links.account_for(tx, now=NOW, email=proven.email, person_id=aino) == made


def test_a_link_is_too_old_after_a_quarter_of_an_hour(database: Database) -> None:
    """To the second; and a token that was never made is good for nothing."""
    _person(database)
    _ask(database)
    token = _token(database)
    with database.write() as tx:
        assert links.is_good(tx, now=NOW + links.LIFE - timedelta(seconds=1), token=token)
        assert links.use(tx, now=NOW + links.LIFE, token=token) is None
        assert links.use(tx, now=NOW, token="x" * 43) is None


def test_who_is_not_known_gets_no_mail_and_the_same_answer(database: Database) -> None:
    """Nobody, a suspended member, staff, and who had an account that was closed: no mail, no error."""
    suspended, staff, out = (_person(database, email=f"{who}@example.org") for who in ("suspended", "staff", "out"))
    with database.write() as tx:
        people.suspend_person(tx, ADMINISTRATOR, now=NOW, person_id=suspended)
        for name, role, person_id in (("s", Role.HOST, staff), ("o", Role.MEMBER, out)):
            made = accounts.add_account(
                tx, ADMINISTRATOR, now=NOW, sign_in_name=name, name="", role=role, password=None, person_id=person_id
            )
        accounts.close_account(tx, ADMINISTRATOR, now=NOW, account_id=made.id)
    for email in ("nobody@example.org", "suspended@example.org", "staff@example.org", "out@example.org", "%@%", ""):
        _ask(database, email)
    assert _mails(database) == []
    with database.write() as tx, pytest.raises(NotFound):
        links.account_for(tx, now=NOW, email="out@example.org", person_id=out)


def test_the_mail_goes_to_the_address_that_is_kept(database: Database) -> None:
    """A letter that only looks like another (K as the sign for kelvin) sends nothing to whoever typed it."""
    kalle = _person(database, "Kalle", "kalle@example.org")
    _ask(database, "\N{KELVIN SIGN}alle@example.org")
    assert [(mail.person_id, mail.address) for mail in _mails(database)] == [(kalle, None)]


def test_several_people_with_one_mailbox_choose_who_they_are(database: Database) -> None:
    """One mail; both are offered; each has an account of their own, whose names differ; a third person is not theirs."""
    aino, eino = _person(database), _person(database, "Eino Virtanen", MAIL.lower())
    other = _person(database, "Ville", "ville@example.org")
    _ask(database)
    assert len(_mails(database)) == 1
    with database.write() as tx:
        assert [one.id for one in links.people_of(tx, MAIL)] == [aino, eino]
        made = {links.account_for(tx, now=NOW, email=MAIL, person_id=one).sign_in_name for one in (aino, eino)}
        assert len(made) == 2
        with pytest.raises(NotFound):
            links.account_for(tx, now=NOW, email=MAIL, person_id=other)


def test_nobody_s_mailbox_is_flooded(database: Database) -> None:
    """A mailbox gets five at most in a quarter of an hour wherever they are asked for, and a place asks for thirty."""
    _person(database)
    for number in range(FROM_ANYWHERE[Step.LINK]):
        _ask(database, address=f"198.51.100.{number}")
    with pytest.raises(Throttled):
        _ask(database)
    assert len(_mails(database)) == FROM_ANYWHERE[Step.LINK]
    for number in range(FAILURES_BY_ADDRESS):
        _ask(database, f"{number}@example.org")
    with pytest.raises(Throttled):
        _ask(database, "one-more@example.org")


def test_a_new_browser_is_told_of_and_a_known_one_is_not(database: Database) -> None:
    """Each account has its own; what a browser says is told in words; whoever has no address leaves nothing waiting."""
    with database.write() as tx:
        with_mail, other, without = (
            accounts.add_account(tx, ADMINISTRATOR, now=NOW, sign_in_name=name, name="", role=Role.HOST, password=PASSWORD)
            for name in ("anna@example.org", "eino@example.org", "otto")
        )
        device = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
        word = browsers.note(tx, with_mail, now=NOW, word=None, address=HERE, device=device)
        assert browsers.note(tx, with_mail, now=NOW + timedelta(days=399), word=word, address=HERE, device=device) == word
        assert browsers.note(tx, other, now=NOW, word=word, address=HERE, device="") == word
        browsers.note(tx, without, now=NOW, word="planted", address=HERE, device="")
    told = [(mail.account_id, mail.kind, mail.facts["device"]) for mail in _mails(database)]
    assert told == [(with_mail.id, "new_sign_in", "Firefox, Windows"), (other.id, "new_sign_in", "")]


@pytest.mark.parametrize(
    ("device", "said"),
    [
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
            "Safari, iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0", "Edge, Windows"),
        ("curl/8", ""),
    ],
)
def test_a_browser_is_named_as_people_call_it(device: str, said: str) -> None:
    """The program and the machine, not the line that it sends."""
    assert browsers.in_words(device) == said


def test_an_unknown_address_costs_the_same_work(database: Database) -> None:
    """The same statements, but for what undoes the message that nobody gets: no clock tells who is known."""
    _person(database)
    said: dict[str, list[str]] = {}
    for email in (MAIL, "nobody@example.org"):
        heard: list[str] = []

        def hear(_connection: object, _cursor: object, statement: str, *_: object, to: list[str] = heard) -> None:
            to.append(" ".join(statement.split()).replace("ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT"))

        event.listen(Engine, "before_cursor_execute", hear)
        try:
            _ask(database, email)
        finally:
            event.remove(Engine, "before_cursor_execute", hear)
        said[email] = heard
    assert said[MAIL] == said["nobody@example.org"]
    assert any("INSERT INTO messages" in one for one in said[MAIL])
    assert len(_mails(database)) == 1
