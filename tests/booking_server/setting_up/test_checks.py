# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is each answer of a founder taken when it can work, and else refused in one line that says what to do?"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from booking_server.errors import Invalid
from booking_server.setting_up import certificates, checks
from booking_server.setting_up.answers import Address
from tests.booking_server.hub import NOW
from tests.booking_server.setting_up.owned import write_certificate
from tests.system.processes import free_port

NAME = "hub.example.org"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("hub.example.org", Address("hub.example.org")),
        (" https://Hub.Example.org/ ", Address("hub.example.org")),
        ("hub.example.org:8443", Address("hub.example.org", 8443)),
        ("192.168.1.10", Address("192.168.1.10")),
        ("[2001:db8::1]:8443", Address("2001:db8::1", 8443)),
        ("2001:db8::1", Address("2001:db8::1")),
        ("hub", Address("hub")),
    ],
)
def test_an_address_is_taken_as_people_write_it(given: str, found: Address) -> None:
    """With or without https, port and capitals."""
    assert checks.address(given) == found


NO_NAMES = ("", "http://hub.example.org", "hub.example.org/pages", "hub example", "-a.org", "300.1.2.3")
NO_PORTS = ("hub.example.org:0", "hub.example.org:x", "hub.example.org:99999")
ONLY_HERE = ("127.0.0.1", "localhost", "::1", "::")


@pytest.mark.parametrize("given", [*NO_NAMES, *NO_PORTS, *ONLY_HERE])
def test_an_address_that_nobody_reaches_is_refused(given: str) -> None:
    """One line, at the question's field."""
    with pytest.raises(Invalid) as refused:
        checks.address(given)
    assert refused.value.field == "address"
    assert "\n" not in str(refused.value)


def test_an_address_is_written_as_a_browser_takes_it() -> None:
    """The usual port is left out, and an IPv6 address stands in brackets."""
    assert [Address(NAME).url, Address("2001:db8::1", 8443).url] == ["https://hub.example.org", "https://[2001:db8::1]:8443"]


def test_what_is_odd_about_an_address_is_said_with_what_to_do() -> None:
    """A name that leads nowhere or elsewhere, an address that is not here: all may be meant so."""
    assert ["no name" in said for said in checks.warnings_of(Address("192.0.2.1"))] == [True, False]
    assert "leads nowhere yet" in checks.warnings_of(Address("hub.invalid"))[0]
    assert checks.warnings_of(Address("localhost")) == []


def test_a_database_that_lets_nobody_in_is_refused_without_its_password(tmp_path: Path) -> None:
    """Before anything is written that names it."""
    checks.database_answers(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    assert list(tmp_path.iterdir()) == []
    for url in (f"postgresql+psycopg://hub:secret@127.0.0.1:{free_port()}/hub", "mongodb://hub:secret@here/hub", "secret"):
        with pytest.raises(Invalid, match="database cannot be used") as refused:
            checks.database_answers(url)
        assert "secret" not in str(refused.value)


def test_a_taken_port_is_refused_by_the_name_of_who_has_it() -> None:
    """A founder can stop what they know the name of."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Invalid, match=rf"Port {port} \(for the doors\) is taken.*{os.getpid()}|Port {port}.*is taken:"):
            checks.port_is_free(port, why="for the doors")
    checks.port_is_free(port, why="for the doors")


def test_a_full_disk_is_said_before_anything_is_made(tmp_path: Path) -> None:
    """With what is left, what is needed, and where."""
    checks.there_is_room(tmp_path / "not" / "yet", needed=1)
    with pytest.raises(Invalid, match=rf"The disk of {tmp_path}/not/yet has \d+ MB left; .* Make room first"):
        checks.there_is_room(tmp_path / "not" / "yet", needed=10**18)


def test_a_folder_that_the_units_cannot_write_is_refused_at_once(tmp_path: Path) -> None:
    """Their sandbox would stop them at their first start, long after the question."""
    checks.units_may_write(Path("/var/lib/hubkey"))
    with pytest.raises(Invalid, match="write to /var/lib/hubkey alone"):
        checks.units_may_write(tmp_path)


def test_a_clock_older_than_the_program_is_wrong() -> None:
    """A machine that lost its time is told so before certificates are made by it."""
    checks.clock_can_be_right(NOW + timedelta(days=3650))
    with pytest.raises(Invalid, match="clock says 2001-01-01 00:00 UTC, which is past: set it"):
        checks.clock_can_be_right(NOW.replace(year=2001, month=1, day=1, hour=0, minute=0, second=0))


def test_the_right_certificate_with_its_key_is_taken(tmp_path: Path) -> None:
    """For the name or for all names beside it; that no known authority stands behind it is only a warning."""
    for name in (NAME, "*.example.org"):
        file, key = write_certificate(tmp_path / name, name, begins=NOW)
        chain = certificates.read_certificate(file, host=NAME, now=NOW)
        certificates.check_key(key, chain[0])
        assert "No authority that this machine knows" in certificates.warnings_of(chain, host=NAME, now=NOW)[0]


def test_a_certificate_that_soon_ends_is_taken_with_a_warning(tmp_path: Path) -> None:
    """With the day on which it ends."""
    file, _ = write_certificate(tmp_path, NAME, begins=NOW, days=5)
    chain = certificates.read_certificate(file, host=NAME, now=NOW)
    assert f"ends on {NOW + timedelta(days=5):%Y-%m-%d}" in certificates.warnings_of(chain, host=NAME, now=NOW)[0]


@pytest.mark.parametrize(
    ("name", "begins", "says"),
    [
        (
            "other.example.org",
            0,
            "is a certificate for other.example.org, not for hub.example.org: get one for hub.example.org",
        ),
        ("*.hub.example.org", 0, "not for hub.example.org"),
        (NAME, -91, "ended on"),
        (NAME, 2, "the clock here says .*: is it right"),
    ],
)
def test_a_certificate_that_would_not_work_is_refused(name: str, begins: int, says: str, tmp_path: Path) -> None:
    """For another name, over, or not begun, which may be the clock's fault."""
    file, _ = write_certificate(tmp_path, name, begins=NOW + timedelta(days=begins))
    with pytest.raises(Invalid, match=says):
        certificates.read_certificate(file, host=NAME, now=NOW)


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    """So is a file that is no key, and one that is not there."""
    file, _ = write_certificate(tmp_path / "one", NAME, begins=NOW)
    _, other = write_certificate(tmp_path / "other", NAME, begins=NOW)
    certificate = certificates.read_certificate(file, host=NAME, now=NOW)[0]
    for key, says in ((other, "key of another certificate"), (file, "no private key"), (tmp_path / "x", "cannot be read")):
        with pytest.raises(Invalid, match=says):
            certificates.check_key(key, certificate)
