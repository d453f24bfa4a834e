# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the Debian package make a bare machine a hub's server, keep it one, and leave only what it should?

Built here, installed into a Debian that is really booted (systemd, Mosquitto, Caddy as Debian ships them), without a network.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system import debian
from tests.system.debian import Machine
from tests.system.processes import Processes, wait_for
from tests.system.test_package_files import build

NAME = "hub.example.org"
PASSWORD = "three or four words"
INIT = (
    f"booking-server init --name 'Oma Hub' --address {NAME} --administrator aino@example.org --password-file /root/password"
    " --no-mail"
)
_KEPT = "cat /var/lib/hubkey/keys/* /var/lib/hubkey/authority/ca.pem | sha256sum"
SERVICES = ("booking-server-broker", "booking-server-doors", "booking-server-web", "booking-server-mail")
_REASON = debian.why_not()
booted = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("package")]


@pytest.fixture(scope="module", params=[12, 13])
def release(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture(scope="module")
def package(release: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"), release, "amd64", package="server")


@pytest.fixture(scope="module")
def newer(release: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("newer"), release, "amd64", "0.1.1", package="server")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


@contextmanager
def brought_up(release: int, folder: Path, processes: Processes) -> Iterator[Machine]:
    with Machine(release, folder, processes, packages=debian.SERVER) as up:
        up.run(f"echo 127.0.0.1 localhost {NAME} >>/etc/hosts && echo '{PASSWORD}' >/root/password")
        yield up
        sys.stderr.write(up.run("journalctl --unit='booking-server-*' --no-pager --lines=60", code=None))  # shown by a failure


@pytest.fixture
def machine(release: int, tmp_path: Path, processes: Processes) -> Iterator[Machine]:
    with brought_up(release, tmp_path / "machine", processes) as up:
        yield up


def install(machine: Machine, package: Path) -> str:
    machine.copy(package, "/root/hubkey-server.deb")
    return machine.run("dpkg -i /root/hubkey-server.deb", seconds=180)


def states(machine: Machine) -> list[str]:
    return machine.run(f"systemctl is-active {' '.join(SERVICES)}", code=None).split()


def page(machine: Machine, url: str = f"https://{NAME}/sign-in") -> str:
    """Return a page's text, its certificate checked against the hub's own authority and what the machine trusts."""
    look = (
        "import ssl, sys, urllib.request; context = ssl.create_default_context();"
        " context.load_verify_locations('/var/lib/hubkey/authority/ca.pem');"
        f" print(urllib.request.urlopen({url!r}, context=context, timeout=10).read().decode())"
    )
    return machine.run(f'python3 -I -c "{look}"')


@booted
@pytest.mark.soak
def test_a_first_installation_starts_nothing_and_says_what_is_next(machine: Machine, package: Path) -> None:
    """No unit runs before `init`; users, folders and modes are right; Debian's own broker is left as it was."""
    said = install(machine, package)
    assert "sudo booking-server init" in said
    assert states(machine) == ["inactive"] * len(SERVICES)
    assert machine.run("stat -c '%U %G %a' /etc/hubkey /var/lib/hubkey") == "root root 755\nhubkey hubkey 700"
    assert "make them with: sudo booking-server init" in machine.run("booking-server doors", code=1)
    assert machine.run("systemctl is-active mosquitto") == "active"
    machine.run("systemd-analyze verify booking-server-web.service booking-server-doors.service booking-server-broker.service")
    machine.run("dpkg --purge hubkey-server")
    assert machine.run("ls -d /etc/hubkey /var/lib/hubkey /opt/hubkey /var/lib/hubkey-backups 2>/dev/null", code=None) == ""


@booted
@pytest.mark.soak
def test_a_machine_becomes_a_server_and_stays_one(machine: Machine, package: Path, newer: Path) -> None:
    """By one command every unit runs and the page opens over https; so it is after another init, an upgrade, and a removal."""
    install(machine, package)
    said = machine.run(f"{INIT} --certificate authority", seconds=180)
    assert f"Open    https://{NAME}" in said
    assert states(machine) == ["active"] * len(SERVICES)
    assert "password" in page(machine)
    findings = json.loads(machine.run("booking-server doctor --json 2>/dev/null", code=None))
    assert [one for one in findings if one["level"] == "fault" and one["about"] != "clock"] == []  # no network to ask the time
    machine.run("runuser -u nobody -- cat /etc/hubkey/server.toml", code=1)
    assert machine.run("stat -c '%U %G %a' /etc/hubkey/server.toml") == "root hubkey 640"
    assert machine.run("find /var/lib/hubkey ! -user hubkey") == ""
    kept = machine.run(_KEPT)
    machine.run("booking-server init </dev/null", seconds=180)
    before = machine.run("systemctl show booking-server-web --value --property=MainPID")
    install(machine, newer)
    assert machine.run("systemctl show booking-server-web --value --property=MainPID") != before
    assert machine.run("booking-server --version") == "booking-server, version 0.1.1"
    assert "/var/lib/hubkey" in machine.run("dpkg --remove hubkey-server")
    assert states(machine) == ["inactive"] * len(SERVICES)
    install(machine, newer)
    _serves(machine)
    assert machine.run(_KEPT) == kept


@booted
@pytest.mark.soak
def test_a_boot_brings_the_hub_back(release: int, package: Path, tmp_path: Path, processes: Processes) -> None:
    """What `init` started comes up by itself, with the same keys."""
    with brought_up(release, tmp_path / "machine", processes) as machine:
        install(machine, package)
        machine.run(f"{INIT} --certificate authority", seconds=180)
        kept = machine.run(_KEPT)
    with brought_up(release, tmp_path / "machine", processes) as machine:
        _serves(machine)
        assert machine.run(_KEPT) == kept


def _serves(machine: Machine) -> None:
    wait_for(lambda: states(machine) == ["active"] * len(SERVICES), "every unit runs", limit_seconds=90)
    assert "password" in page(machine)


_AUTHORITY = """\
{
	admin off
	http_port 8081
	https_port 8444
	skip_install_trust
	storage file_system /root/authority
}
ca.example.org:8444 {
	tls internal
	acme_server
}
"""
_OWNERS = """\
{
	acme_ca https://ca.example.org:8444/acme/local/directory
	acme_ca_root /etc/caddy/root.pem
}
"""
_ROOT = "/root/authority/pki/authorities/local/root.crt"


@booted
@pytest.mark.soak
def test_with_the_acme_choice_caddy_comes_before_the_pages(machine: Machine, package: Path) -> None:
    """`init` puts its line into the owner's Caddyfile, keeps what was there, and waits until the certificate is shown."""
    install(machine, package)
    machine.run("echo 127.0.0.1 ca.example.org >>/etc/hosts")
    (machine.root / "root/ca.caddy").write_text(_AUTHORITY, encoding="ascii")
    machine.run("systemd-run --unit=authority caddy run --adapter caddyfile --config /root/ca.caddy")
    wait_for(
        lambda: machine.run(f"test -s {_ROOT} && echo there", code=None) == "there", "the authority is made", limit_seconds=30
    )
    machine.run(f"cp {_ROOT} /etc/caddy/root.pem && chmod 644 /etc/caddy/root.pem")
    machine.run(f"cp {_ROOT} /usr/local/share/ca-certificates/root.crt && update-ca-certificates")
    (machine.root / "etc/caddy/Caddyfile").write_text(_OWNERS, encoding="ascii")
    said = machine.run(f"{INIT} --certificate acme", seconds=240)
    assert f"caddy: has the certificate for {NAME}" in said
    assert "/etc/caddy/Caddyfile.before-hubkey" in said
    assert machine.run("cat /etc/caddy/Caddyfile.before-hubkey") == _OWNERS.strip()
    assert "password" in page(machine)
    assert "127.0.0.1:8080" in machine.run("ss -Hltn 'sport = :8080'")
    again = machine.run("booking-server init </dev/null", seconds=240)
    assert "before-hubkey" not in again
    assert machine.run("grep -c '^import' /etc/caddy/Caddyfile") == "1"
