# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can the settings of docs/server.md be read, and does a bad file say what is wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from booking_server.config import BadConfiguration, load

DOCUMENTED = (
    (Path(__file__).parents[2] / "docs" / "server.md").read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
)


def test_the_documented_settings_are_read(tmp_path: Path) -> None:
    """What the administrator copies out of the page is good."""
    file = tmp_path / "server.toml"
    file.write_text(DOCUMENTED, encoding="utf-8")
    assert load(file).seller.name == "Learning Hub"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("time_zone =", "timezone =", "timezone is not a setting; did you mean time_zone? allowed here are: database,"),
        ("[seller]", "[sellr]", "sellr is not a setting; did you mean seller?"),
        ("port = 8080", 'port = "8080"', "web.port is '8080'; allowed is: a whole number, not text in quotes"),
        ("port = 8883", "port = 88830", "broker.port is 88830; allowed is: a whole number <= 65535"),
        ('language = "fi"', 'language = "sv"', "language is 'sv'; allowed is: fi or en"),
        ("Europe/Helsinki", "Europe/Helsingfors", "time_zone is 'Europe/Helsingfors'; allowed are names like"),
        ("sqlite:////var", "mysql:////var", "database is not an address of one; allowed are: sqlite:////"),
        ('"/var/lib/hubkey" ', '"state" ', "state_folder is 'state'; allowed is: a whole path"),
        ("state_folder =", "# ", "state_folder is missing"),
        ("[web]", "demo = true\n[web]", "broker.host is '192.168.1.10'; with demo = true"),
        ('language = "fi"', "language = ", "is not TOML"),
        ("[seller]", '[backup]\nfolder = "b"\n[seller]', "backup.folder is 'b'; allowed is: a whole path"),
        ("[seller]", '[backup]\nrecipient = "age1x"\n[seller]', "backup.recipient is 'age1x'; allowed is the public half"),
        ("[seller]", '[backup]\nrecipient = "AGE-SECRET-KEY-1X"\n[seller]', "backup.recipient is a secret key, which must not"),
        ("[seller]", '[privacy]\nemail = "x"\n[seller]', "privacy.email is 'x'; allowed is: an address like"),
        ("[seller]", "[privacy]\naudit_days = 0\n[seller]", "privacy.audit_days is 0; allowed is: a whole number >= 1"),
        ("[seller]", "[privacy]\nacts_days = 30\n[seller]", "privacy.acts_days is 30; allowed is: at least privacy.audit_days"),
        ("[seller]", '[privacy.legal_basis]\nde = "a"\n[seller]', "privacy.legal_basis.de is not a setting"),
    ],
)
def test_a_bad_value_is_named_with_its_file(tmp_path: Path, good: str, bad: str, said: str) -> None:
    """One sentence names the file, the key and what is allowed."""
    file = tmp_path / "server.toml"
    assert good in DOCUMENTED
    file.write_text(DOCUMENTED.replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert str(file) in str(raised.value)
    assert said in str(raised.value)


def test_missing_settings_are_told_by_what_to_write(tmp_path: Path) -> None:
    """No command makes the settings, so none is named: the page that shows them is."""
    with pytest.raises(
        BadConfiguration, match=r"nowhere\.toml: there are no settings yet; make them with: sudo booking-server init"
    ):
        load(tmp_path / "nowhere.toml")


def test_a_database_that_is_not_understood_is_not_repeated(tmp_path: Path) -> None:
    """Its address may hold a password, and what is said here ends in a log."""
    file = tmp_path / "server.toml"
    file.write_text('database = "postgres://hub:hunter2@host/hub"\nstate_folder = "/var/lib/hubkey"\n', encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        ('host = "0.0.0.0"', "metrics.host is '0.0.0.0'; allowed is an address of this machine alone"),
        ("web = 8080", "metrics.web is 8080, which is web.port too; choose another port, or 0"),
        ("web = 9461\ndoors = 9461", "metrics.doors is 9461, which is metrics.web too"),
    ],
)
def test_figures_are_for_this_machine_and_each_process_has_its_own_port(tmp_path: Path, metrics: str, said: str) -> None:
    """A host that others reach, and a port that is taken by another setting, are refused before anything starts."""
    file = tmp_path / "server.toml"
    file.write_text(f'database = "sqlite:////x/h"\nstate_folder = "/x"\n[metrics]\n{metrics}\n', encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert said in str(raised.value)


SCHOOL = """
[sign_in.federated]
issuer = "https://school.example"
client_id = "hub"
client_secret_file = "/etc/hubkey/school.secret"
name = "School"
[sign_in.federated.roles]
staff = "caretaker@Espoo"
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ""),
        ("https://school", "http://school", "sign_in.federated.issuer is 'http://school.example'; allowed is the address"),
        ("https://school.example", "school.example", "sign_in.federated.issuer is 'school.example'; allowed is the address"),
        ('client_id = "hub"', "", "sign_in.federated.client_id is missing; issuer, client_id, client_secret_file and name are"),
        ('name = "School"', "", "sign_in.federated.name is missing"),
        ("caretaker@Espoo", "caretaker@", "sign_in.federated.roles: 'staff' is 'caretaker@'; allowed are administrator, host,"),
        ("caretaker@Espoo", "admin", "sign_in.federated.roles: 'staff' is 'admin'; allowed are administrator, host, billing,"),
        (
            "caretaker@Espoo",
            "member",
            "sign_in.federated.roles: 'staff' is 'member'; allowed are administrator, host, billing,",
        ),
    ],
)
def test_a_sign_in_elsewhere_is_set_up_whole_or_not_at_all(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Plain HTTP, a missing key and a role that is none are named; so nobody is let in by what was mistyped."""
    file = tmp_path / "server.toml"
    file.write_text(f'database = "sqlite:////x/h"\nstate_folder = "/x"\n{SCHOOL.replace(old, new)}', encoding="utf-8")
    if not said:
        assert load(file).sign_in.federated.role_of("staff") == ("caretaker", "Espoo")
        return
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert said in str(raised.value)
