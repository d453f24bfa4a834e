# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server account`: does the way back work on the worst day, and is it written down?"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from booking_server import schema
from booking_server.accounts import recovery
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.signing_in import SignInRefused, check_password
from booking_server.actors import Role
from booking_server.audit import service as audit
from booking_server.cli import main
from booking_server.clock import SystemClock
from booking_server.db import Database
from tests.booking_server.hub import ADMINISTRATOR, NOW, PASSWORD, StillClock
from tests.system.desk import Desk
from tests.system.settings_file import write_settings

NAME, ANOTHER = "anna@example.org", "another horse battery"


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    write_settings(tmp_path / "server.toml", {"database": url, "state_folder": str(tmp_path / "state"), "name": "Omnia hub"})
    database = Database(url)
    schema.upgrade(database)
    with database.write() as tx:
        accounts.add_account(
            tx, ADMINISTRATOR, now=NOW, sign_in_name=NAME, name="Anna", role=Role.ADMINISTRATOR, password=PASSWORD
        )
    database.close()
    return tmp_path / "server.toml"


def _type(settings: Path, *words: str, typed: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(main, ["--config", str(settings), "account", *words], input=typed)
    return done.exit_code, done.output


def _database(settings: Path) -> Database:
    return Database(f"sqlite:///{settings.parent / 'hub.sqlite'}")


def _anna(database: Database) -> Account:
    with database.read() as tx:
        return next(one for one in accounts.accounts(tx, ADMINISTRATOR) if one.sign_in_name == NAME)


def test_an_account_is_listed_with_its_ways_and_freed_of_what_was_lost(settings: Path) -> None:
    """Codes on paper are shown as a count and forgotten by the command, which says what comes next; the audit names it."""
    database = _database(settings)
    anna = _anna(database)
    recovery.make(database, anna.actor(), now=NOW, account_id=anna.id)
    assert _type(settings, "list") == (0, f"{NAME}\tadministrator\tpassword, recovery codes: 10\n")
    status, said = _type(settings, "reset-second-factor", NAME)
    assert (status, "by the password alone next time" in said) == (0, True)
    assert _type(settings, "list") == (0, f"{NAME}\tadministrator\tpassword\n")
    with database.read() as tx:
        noted = audit.of_subject(tx, f"account:{anna.id}")[0]
    assert (noted["act"], noted["actor"]) == ("second_factor_reset", "command line")
    database.close()


def test_a_forgotten_password_is_replaced(settings: Path) -> None:
    """The new one gets in and the old does not; one made of the hub's name is refused and nothing changes."""
    status, said = _type(settings, "set-password", NAME, "--password-stdin", typed="omnia hub 123\n")
    assert (status, "made of your name" in said) == (1, True)
    assert _type(settings, "set-password", NAME, "--password-stdin", typed=f"{ANOTHER}\n")[0] == 0
    database, now = _database(settings), SystemClock().now()
    assert check_password(database, now=now, sign_in_name=NAME, password=ANOTHER, address="")
    with pytest.raises(SignInRefused):
        check_password(database, now=now, sign_in_name=NAME, password=PASSWORD, address="")
    database.close()


def test_an_account_for_one_site_is_added_and_the_last_administrator_closed_with_a_word(settings: Path) -> None:
    """A site that is not there is named with those that are; an unknown account is one clear line."""
    database = _database(settings)
    Desk(database, None, StillClock()).site("Kera")  # type: ignore[arg-type]
    host = ("add", "otto", "--role", "host", "--password-stdin", "--site")
    assert "there are: kera" in _type(settings, *host, "Omnia", typed=f"{ANOTHER}\n")[1]
    assert _type(settings, *host, "kera", typed=f"{ANOTHER}\n") == (0, "otto may sign in as host at kera.\n")
    assert "otto\thost at Kera\tpassword" in _type(settings, "list")[1]
    assert "no open account nobody" in _type(settings, "close", "nobody")[1]
    assert "Nobody is left who may do everything." in _type(settings, "close", NAME)[1]
    assert _anna(database).closed
    database.close()
