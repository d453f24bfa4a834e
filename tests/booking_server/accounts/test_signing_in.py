# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who gets in with a password, who is slowed down, and what ends a session?"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
from sqlalchemy import Connection, insert, select

from booking_server.accounts import service as accounts
from booking_server.accounts import sessions
from booking_server.accounts.service import Account
from booking_server.accounts.signing_in import SignInRefused, check_password
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import sign_in_failures
from booking_server.accounts.throttling import (
    FAILURES_BY_ADDRESS,
    FAILURES_BY_NAME,
    FAILURES_BY_NAME_AND_ADDRESS,
    WINDOW,
    Throttled,
)
from booking_server.actors import Actor, NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.db import Database
from booking_server.errors import Invalid
from tests.booking_server.hub import ADMINISTRATOR, HOST, NOW, PASSWORD

HERE, ELSEWHERE = "192.0.2.7", "192.0.2.8"


@pytest.fixture
def account(database: Database) -> Account:
    return _add(database, "Host@example.org")


def _add(database: Database, name: str, *, actor: Actor = ADMINISTRATOR, password: str = PASSWORD) -> Account:
    with database.write() as tx:
        return accounts.add_account(tx, actor, now=NOW, sign_in_name=name, name="", role=Role.HOST, password=password)


def _begin(tx: Connection, account: Account) -> str:
    return sessions.begin(tx, now=NOW, account_id=account.id, how=("password",), address=HERE, device="a browser")


def _sign_in(
    database: Database, *, name: str = "host@example.org", password: str = PASSWORD, address: str = HERE, after: float = 0
) -> Account:
    now = NOW + timedelta(seconds=after)
    return check_password(database, now=now, sign_in_name=name, password=password, address=address)


def _failed(database: Database, times: int, *, name: str, address: str) -> None:
    with database.write() as tx:
        tx.execute(insert(sign_in_failures), [{"at": NOW, "sign_in_name": name, "address": address}] * times)


def test_the_right_password_gets_in_and_is_noted(database: Database, account: Account) -> None:
    """However the name is written; the role comes with it; the session that follows is noted with what proved it."""
    assert _sign_in(database, name=" HOST@Example.org ") == account
    with database.write() as tx:
        _begin(tx, account)
        noted = audit.of_subject(tx, f"account:{account.id}")[0]
    assert (noted["act"], noted["detail"]) == ("signed_in", {"how": ["password"]})
    assert account.roles == {(Role.HOST, None)}


def test_a_wrong_name_looks_like_a_wrong_password(database: Database, account: Account) -> None:
    """The same words for a wrong password, an unknown name, and an account that was closed."""
    closed = _add(database, "closed@example.org")
    with database.write() as tx:
        accounts.close_account(tx, ADMINISTRATOR, now=NOW, account_id=closed.id)
    said = set()
    for name, password in ((account.sign_in_name, "wrong"), ("nobody", PASSWORD), (closed.sign_in_name, PASSWORD)):
        with pytest.raises(SignInRefused) as refused:
            _sign_in(database, name=name, password=password)
        said.add(str(refused.value))
    assert len(said) == 1


def test_five_wrong_tries_from_one_place_make_it_wait(database: Database, account: Account) -> None:
    """Then even the right password is not looked at there; at another place it is; and the wait ends."""
    for _ in range(FAILURES_BY_NAME_AND_ADDRESS):
        with pytest.raises(SignInRefused):
            _sign_in(database, password="wrong")
    with pytest.raises(Throttled) as slowed:
        _sign_in(database, after=60)
    assert slowed.value.wait_seconds == WINDOW.total_seconds() - 60
    assert _sign_in(database, after=WINDOW.total_seconds()) == account


@pytest.mark.parametrize(
    ("times", "name", "address"),
    [
        (FAILURES_BY_NAME_AND_ADDRESS, "host@example.org", HERE),
        (FAILURES_BY_ADDRESS, "others@example.org", HERE),
        (FAILURES_BY_NAME, "host@example.org", ELSEWHERE),
    ],
)
def test_each_limit_holds_at_its_number(database: Database, account: Account, times: int, name: str, address: str) -> None:
    """One less is let through, as many are not: for a name at a place, for a place, for a name from anywhere."""
    _failed(database, times, name=name, address=address)
    with pytest.raises(Throttled):
        _sign_in(database)
    with database.write() as tx:
        first = tx.execute(select(sign_in_failures.c.id).limit(1)).scalar_one()
        tx.execute(sign_in_failures.delete().where(sign_in_failures.c.id == first))
    assert _sign_in(database) == account


def test_a_home_s_ipv6_network_is_one_place(database: Database, account: Account) -> None:
    """Whoever takes another of its addresses for each try is slowed down all the same; the next network is another place."""
    for number in range(FAILURES_BY_ADDRESS):
        with pytest.raises(SignInRefused):
            _sign_in(database, name=f"name{number}", address=f"2001:db8:1:2:{number:x}::1")
    with pytest.raises(Throttled):
        _sign_in(database, address="2001:db8:1:2:ffff::1")
    assert _sign_in(database, address="2001:db8:1:3::1") == account


def test_an_owner_is_not_locked_out_by_others_guessing(database: Database, account: Account) -> None:
    """Wrong tries at another place, up to its own limit, leave the owner's place alone."""
    _failed(database, FAILURES_BY_NAME_AND_ADDRESS, name="host@example.org", address=ELSEWHERE)
    with pytest.raises(Throttled):
        _sign_in(database, address=ELSEWHERE)
    assert _sign_in(database) == account


def test_a_password_is_kept_as_argon2id_only(database: Database, account: Account) -> None:
    """The row holds a salted hash, never the password."""
    with database.read() as tx:
        kept = tx.execute(select(account_table.c.password_hash)).scalar_one()
    assert kept.startswith("$argon2id$")
    assert PASSWORD not in kept


def test_a_new_password_or_a_closed_account_ends_its_sessions(database: Database, account: Account) -> None:
    """The sessions are over, and the old password gets in no more."""
    with database.write() as tx:
        first = _begin(tx, account)
        renewed = accounts.set_password(tx, account.actor(), now=NOW, account_id=account.id, password="another good password")
    with pytest.raises(SignInRefused):
        _sign_in(database)
    assert _sign_in(database, password="another good password") == renewed
    with database.write() as tx:
        second = _begin(tx, account)
        assert sessions.session(tx, now=NOW, token=first) is None
        assert sessions.session(tx, now=NOW, token=second) is not None
        closed = accounts.close_account(tx, ADMINISTRATOR, now=NOW, account_id=account.id)
        assert closed.closed
        assert sessions.session(tx, now=NOW, token=second) is None


def test_only_an_administrator_makes_and_closes_accounts(database: Database, account: Account) -> None:
    """A host neither adds one, nor closes one, nor sets another's password; and nobody closes their own."""
    other = _add(database, "other@example.org")
    with pytest.raises(NotAllowed):
        _add(database, "third@example.org", actor=HOST)
    with database.write() as tx:
        with pytest.raises(NotAllowed):
            accounts.close_account(tx, account.actor(), now=NOW, account_id=other.id)
        with pytest.raises(NotAllowed):
            accounts.set_password(tx, account.actor(), now=NOW, account_id=other.id, password=PASSWORD)
        own = Actor.of("Anna", Role.ADMINISTRATOR, account_id=other.id)
        with pytest.raises(Invalid, match="another administrator"):
            accounts.close_account(tx, own, now=NOW, account_id=other.id)


@pytest.mark.parametrize(
    ("name", "password", "field"), [("HOST@example.org", PASSWORD, "sign_in_name"), ("new", "short", "password")]
)
def test_a_taken_name_and_a_short_password_are_refused(
    database: Database, account: Account, name: str, password: str, field: str
) -> None:
    """Each at its field, with what to do."""
    with pytest.raises(Invalid) as refused:
        _add(database, name, password=password)
    assert refused.value.field == field


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The database, in which something else is committed before the first write."""

    database: Database
    meanwhile: Callable[[Connection], object]

    def read(self) -> AbstractContextManager[Connection]:
        return self.database.read()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        with self.database.write() as tx:
            self.meanwhile(tx)
        with self.database.write() as tx:
            yield tx


def test_who_was_shut_out_while_the_password_was_checked_does_not_get_in(database: Database, account: Account) -> None:
    """Closed, or given another password: no session begins by the old one, and the new one stays."""

    def close(tx: Connection) -> None:
        accounts.close_account(tx, ADMINISTRATOR, now=NOW, account_id=account.id)

    def change(tx: Connection) -> None:
        accounts.set_password(tx, ADMINISTRATOR, now=NOW, account_id=account.id, password="another long one")

    for meanwhile in (change, close):
        password = PASSWORD if meanwhile is change else "another long one"
        with pytest.raises(SignInRefused):
            _sign_in(cast(Database, Interrupted(database, meanwhile)), password=password)


def test_guesses_at_once_are_no_more_than_guesses_in_a_row(database: Database, account: Account) -> None:
    """Of twenty wrong passwords tried beside each other from one place, five are looked at."""
    with ThreadPoolExecutor(20) as together:
        said = list(together.map(lambda _: _refusal(database), range(20)))
    assert (said.count(SignInRefused), said.count(Throttled)) == (
        FAILURES_BY_NAME_AND_ADDRESS,
        20 - FAILURES_BY_NAME_AND_ADDRESS,
    )


def _refusal(database: Database) -> type[Exception] | None:
    try:
        _sign_in(database, password="a wrong one, surely")
    except (SignInRefused, Throttled) as refused:
        return type(refused)
    return None
