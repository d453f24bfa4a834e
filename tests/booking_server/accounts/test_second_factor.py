# SPDX-License-Identifier: AGPL-3.0-or-later
"""What gets in after a password: a code of an app, once, or a recovery code, once; and who is slowed down."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import select

from booking_server.accounts import recovery, resetting, second_factor
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.signing_in import SignInRefused, check_password
from booking_server.accounts.tables import recovery_codes, second_factors
from booking_server.accounts.throttling import FROM_ANYWHERE, Step, Throttled
from booking_server.accounts.ways import ways_of
from booking_server.actors import NotAllowed, Role
from booking_server.audit import service as audit
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.keys import Keys, make_keys
from booking_server.messages.tables import messages
from tests.booking_server.hub import ADMINISTRATOR, HOST, NOW, PASSWORD

HERE = "192.0.2.7"
SECRET = b"12345678901234567890"
"""Of RFC 6238, appendix B."""
NAME = "host@example.org"


@pytest.fixture
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return make_keys(tmp_path_factory.mktemp("state"))


@pytest.fixture
def account(database: Database) -> Account:
    with database.write() as tx:
        return accounts.add_account(tx, ADMINISTRATOR, now=NOW, sign_in_name=NAME, name="", role=Role.HOST, password=PASSWORD)


def code_at(at: datetime, secret: bytes = SECRET) -> str:
    """What an app shows."""
    return TOTP(secret, 6, SHA1(), 30).generate(int(at.timestamp())).decode()  # noqa: S303


def _set_up(database: Database, keys: Keys, account: Account, at: datetime = NOW) -> None:
    with database.write() as tx:
        second_factor.set_up(tx, account.actor(), now=at, vault=keys.vault, secret=SECRET, code=code_at(at))


def _check(database: Database, keys: Keys, account: Account, code: str, *, at: datetime, address: str = HERE) -> bool:
    try:
        second_factor.check_code(database, now=at, vault=keys.vault, account=account, code=code, address=address)
    except SignInRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (2000000000, "279037")]
)
def test_the_codes_are_those_of_rfc_6238(database: Database, keys: Keys, account: Account, seconds: int, code: str) -> None:
    """Appendix B, SHA-1, its last six digits, also with a space as some apps show them."""
    at = datetime.fromtimestamp(seconds, UTC)
    with database.write() as tx:
        second_factor.set_up(tx, account.actor(), now=at, vault=keys.vault, secret=SECRET, code=f"{code[:3]} {code[3:]}")
        assert ways_of(tx, account).app


def test_a_code_is_taken_once_and_one_step_off(database: Database, keys: Keys, account: Account) -> None:
    """A step early or late is taken, two are not; none twice, nor one before the last that was taken."""
    _set_up(database, keys, account)
    later = NOW + timedelta(minutes=5)
    assert not _check(database, keys, account, code_at(NOW), at=NOW)
    assert not _check(database, keys, account, code_at(later - timedelta(seconds=60)), at=later)
    assert _check(database, keys, account, code_at(later - timedelta(seconds=30)), at=later)
    assert _check(database, keys, account, code_at(later + timedelta(seconds=30)), at=later)
    assert not _check(database, keys, account, code_at(later), at=later)
    assert not _check(database, keys, account, "12345", at=later)


def test_of_many_with_the_same_code_one_gets_in(database: Database, keys: Keys, account: Account) -> None:
    """Somebody who reads the code over a shoulder is no faster than it is used."""
    _set_up(database, keys, account)
    at = NOW + timedelta(minutes=5)
    with ThreadPoolExecutor(4) as together:
        said = list(together.map(lambda _: _check(database, keys, account, code_at(at), at=at), range(4)))
    assert sorted(said) == [False, False, False, True]


def test_guessing_codes_is_slowed_down_from_everywhere_and_by_no_password(
    database: Database, keys: Keys, account: Account
) -> None:
    """Five from one place, ten from all; a right password in between wipes nothing; a right code waits too."""
    _set_up(database, keys, account)
    at = NOW + timedelta(minutes=5)
    for number in range(5):
        assert not _check(database, keys, account, "000000", at=at)
        if number == 3:
            check_password(database, now=at, sign_in_name=NAME, password=PASSWORD, address=HERE)
    with pytest.raises(Throttled):
        _check(database, keys, account, code_at(at), at=at)
    for number in range(FROM_ANYWHERE[Step.SECOND] - 5):
        assert not _check(database, keys, account, "000000", at=at, address=f"198.51.100.{number}")
    with pytest.raises(Throttled):
        _check(database, keys, account, code_at(at), at=at, address="198.51.100.99")


def test_the_secret_is_kept_sealed_and_only_once_a_code_was_typed(database: Database, keys: Keys, account: Account) -> None:
    """A wrong code sets up nothing; the row tells nothing of the secret; another account cannot take what was offered."""
    with pytest.raises(Invalid, match="clock is right"), database.write() as tx:
        second_factor.set_up(tx, account.actor(), now=NOW, vault=keys.vault, secret=SECRET, code="000000")
    with database.read() as tx:
        assert not second_factor.has(tx, account.id)
    offer = second_factor.offered(keys.vault, account.id, SECRET)
    assert second_factor.of_offer(keys.vault, account.id, offer) == SECRET
    for wrong in (offer[:-4] + "AAAA", "", "ä", "x"):
        with pytest.raises(Invalid):
            second_factor.of_offer(keys.vault, account.id, wrong)
    with pytest.raises(Invalid):
        second_factor.of_offer(keys.vault, account.id + 1, offer)
    _set_up(database, keys, account)
    with database.read() as tx:
        assert SECRET not in tx.execute(select(second_factors.c.sealed_secret)).scalar_one()


def test_each_recovery_code_gets_in_once_and_its_owner_is_told(database: Database, account: Account) -> None:
    """Ten different ones, kept as hashes; however it is typed; a mail says that one was used and how many are left. Those of
    an older paper get nowhere, and nobody makes another's."""
    with pytest.raises(NotAllowed):
        recovery.make(database, ADMINISTRATOR, now=NOW, account_id=account.id)
    old = recovery.make(database, account.actor(), now=NOW, account_id=account.id)
    codes = recovery.make(database, account.actor(), now=NOW, account_id=account.id)
    assert len(set(codes)) == recovery.COUNT
    with database.read() as tx:
        assert not set(codes) & set(tx.execute(select(recovery_codes.c.code_hash)).scalars())
    typed = f" {codes[3].upper().replace('-', ' ')} ".replace("0", "O")
    assert recovery.check_code(database, now=NOW, account=account, code=typed, address=HERE) == recovery.COUNT - 1
    for again in (codes[3], old[0], ""):
        with pytest.raises(SignInRefused):
            recovery.check_code(database, now=NOW, account=account, code=again, address=HERE)
    with database.read() as tx:
        told = tx.execute(select(messages)).one()
        assert (told.kind, told.account_id, told.facts["codes_left"]) == ("recovery_used", account.id, recovery.COUNT - 1)


def test_who_lost_all_is_let_in_by_an_administrator_only(database: Database, keys: Keys, account: Account) -> None:
    """App and codes are forgotten and it is written down; a host may not do it."""
    _set_up(database, keys, account)
    recovery.make(database, account.actor(), now=NOW, account_id=account.id)
    with pytest.raises(NotAllowed), database.write() as tx:
        resetting.reset_second_factor(tx, HOST, now=NOW, account_id=account.id)
    with database.write() as tx:
        resetting.reset_second_factor(tx, ADMINISTRATOR, now=NOW, account_id=account.id)
        ways = ways_of(tx, account)
        assert (ways.app, ways.codes_left, ways.password) == (False, 0, True)
        assert audit.of_subject(tx, f"account:{account.id}")[0]["act"] == "second_factor_reset"
