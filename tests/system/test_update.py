# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does `booking-server update` bring a real hub to the next version, back again, and through every fault, on a booted Debian?

The packages are of this checkout; the newer ones differ by a move of the tables, and by what is wrong with them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.system import debian
from tests.system.debian import Machine
from tests.system.processes import Processes, wait_for
from tests.system.test_package_files import build

NAME = "hub.example.org"
INIT = (
    f"booking-server init --name 'Oma Hub' --address {NAME} --administrator aino@example.org --password-file /root/password"
    " --no-mail --certificate authority --non-interactive"
)
SERVICES = ("booking-server-broker", "booking-server-doors", "booking-server-web", "booking-server-mail")
LIBRARY = "opt/hubkey/server/booking_server"
OLD, NEW = "0.2.0~deb13", "0.2.1~deb13"
_MOVE = """
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "0999", "{last}", None, None
def upgrade():
    op.create_table("newer", sa.Column("id", sa.Integer(), primary_key=True))
    {more}
def downgrade():
    op.drop_table("newer")
"""
_SLOW = (
    "op.execute('insert into newer(id) with recursive n(i) as"
    " (select 1 union all select i + 1 from n where i < 30000000) select i from n')"
)
_REASON = debian.why_not()
pytestmark = [
    pytest.mark.skipif(_REASON is not None, reason=str(_REASON)),
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("package"),
    pytest.mark.soak,
]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("old"), 13, "amd64", "0.2.0", package="server")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


@contextmanager
def brought_up(folder: Path, processes: Processes) -> Iterator[Machine]:
    with Machine(13, folder, processes, packages=debian.SERVER) as up:
        up.run(f"grep -q {NAME} /etc/hosts || echo 127.0.0.1 {NAME} >>/etc/hosts; echo 'three or four words' >/root/password")
        yield up
        sys.stderr.write(
            up.run(
                "cat /var/lib/hubkey-update/log; journalctl -u hubkey-update -u 'booking-server-*' --no-pager -n 60", code=None
            )
        )


@pytest.fixture
def machine(tmp_path: Path, processes: Processes, old: Path) -> Iterator[Machine]:
    """A hub in service in the old version."""
    with brought_up(tmp_path / "machine", processes) as up:
        up.copy(old, "/root/old.deb")
        up.run("dpkg -i /root/old.deb", seconds=180)
        up.run(INIT, seconds=180)
        assert serves(up)
        yield up


def altered(old: Path, to: Path, version: str, edit: Callable[[Path], None]) -> Path:
    """Make another version of a package, with `edit` done to its files."""
    files = to / "files"
    subprocess.run(["dpkg-deb", "-R", old, files], check=True)
    control = files / "DEBIAN" / "control"
    control.write_text(
        "\n".join(f"Version: {version}" if line.startswith("Version:") else line for line in control.read_text().splitlines())
        + "\n"
    )
    edit(files)
    made = to / "hubkey-server.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", files, made], check=True, capture_output=True)
    return made


def with_a_move(files: Path, more: str = "pass") -> None:
    """Give a package a further move of the tables."""
    folder = files / LIBRARY / "migrations" / "versions"
    last = max(file.name[:4] for file in folder.glob("0*.py"))
    (folder / "0999_newer.py").write_text(_MOVE.format(last=last, more=more), encoding="utf-8")


def serves(machine: Machine) -> bool:
    """True once all units run."""
    return bool(
        wait_for(
            lambda: machine.run(f"systemctl is-active {' '.join(SERVICES)}", code=None).split() == ["active"] * len(SERVICES),
            "all units run",
            limit_seconds=60,
        )
    )


def version(machine: Machine) -> str:
    return machine.run("dpkg-query -W -f '${Status} ${Version}' hubkey-server").removeprefix("install ok installed ")


def query(machine: Machine, statement: str) -> str:
    """Return the first value that the hub's database says to this."""
    script = (
        "import sqlite3; c = sqlite3.connect('/var/lib/hubkey/hub.sqlite');"
        f" r = c.execute({statement!r}).fetchone(); c.commit(); print(*r or ())"
    )
    return machine.run(f'runuser -u hubkey -- python3 -c "{script}"')


def revision(machine: Machine) -> str:
    return query(machine, "select version_num from alembic_version")


def nothing_is_left(machine: Machine) -> bool:
    """True if no unit, condition or half file of the update remains outside its own folder, and all is the hub's own."""
    left = "find /etc/systemd/system -name '*updat*'; find /var/lib/hubkey /etc/hubkey -name '*.coming'"
    return machine.run(f"{left}; find /var/lib/hubkey ! -user hubkey", code=None) == ""


def test_an_update_and_its_undo(machine: Machine, old: Path, tmp_path: Path) -> None:
    """Package and tables move on and back, all units run after each; what was entered in between stays, or goes if told so."""
    before = revision(machine)
    machine.copy(altered(old, tmp_path, NEW, with_a_move), "/root/new.deb")
    said = machine.run("booking-server update /root/new.deb --yes", seconds=300)
    assert f"The hub runs {NEW}. To go back: booking-server update --undo" in said
    assert (version(machine), revision(machine)) == (NEW, "0999")
    assert serves(machine)
    assert nothing_is_left(machine)
    assert f"{NEW} is installed already" in machine.run("booking-server update /root/new.deb --yes", code=1)
    assert f"{OLD} is older than {NEW}" in machine.run("booking-server update /root/old.deb --yes", code=1)
    query(machine, "update accounts set name = upper(name)")
    said = machine.run("booking-server update --undo --yes", seconds=300)
    assert f"The hub runs {OLD} again." in said
    assert (version(machine), revision(machine)) == (OLD, before)
    assert serves(machine)
    assert nothing_is_left(machine)
    assert query(machine, "select name from accounts") == "AINO@EXAMPLE.ORG"
    assert "there is no update to undo" in machine.run("booking-server update --undo --yes", code=1)
    machine.run("booking-server update /root/new.deb --yes", seconds=300)
    query(machine, "update accounts set name = lower(name)")
    assert "LOST" in machine.run("booking-server update --undo --discard --yes", seconds=300)
    assert (version(machine), revision(machine), serves(machine)) == (OLD, before, True)
    assert query(machine, "select name from accounts") == "AINO@EXAMPLE.ORG"
    assert "next invoice: not said yet" in machine.run("runuser -u hubkey -- booking-server restored")
    assert nothing_is_left(machine)


def _breaks_web(files: Path) -> None:
    with_a_move(files)
    command = files / LIBRARY / "web" / "command.py"
    command.write_text("raise SystemExit('no pages today')\n")


def _breaks_move(files: Path) -> None:
    with_a_move(files, "op.execute('insert into no_such_table values (1)')")


def _breaks_package(files: Path) -> None:
    (files / "DEBIAN" / "postinst").write_text("#!/bin/sh\necho 'no luck' >&2\nexit 1\n")


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (_breaks_web, "check: booking-server-web.service is"),
        (_breaks_move, "migrate:"),
        (_breaks_package, "install: hubkey-server 0.2.1"),
    ],
    ids=["pages that do not start", "a move that fails", "a package that does not install"],
)
def test_a_version_that_fails_is_gone_again(
    machine: Machine, old: Path, tmp_path: Path, edit: Callable[[Path], None], why: str
) -> None:
    """One line says what failed; package, tables, settings and units are as they were."""
    before = revision(machine), machine.run("sha256sum /etc/hubkey/server.toml")
    machine.copy(altered(old, tmp_path, NEW, edit), "/root/new.deb")
    said = machine.run("booking-server update /root/new.deb --yes", code=1, seconds=400)
    last = said.splitlines()[-1]
    assert last.startswith(f"The update failed ({why}")
    assert last.endswith(f"The hub runs {OLD} as before: package, database and settings.")
    assert version(machine) == OLD
    assert (revision(machine), machine.run("sha256sum /etc/hubkey/server.toml")) == before
    assert serves(machine)
    assert nothing_is_left(machine)


def test_a_machine_that_loses_power_in_the_midst_finishes_by_itself(tmp_path: Path, processes: Processes, old: Path) -> None:
    """Cut while the tables move: at the next start nothing of the hub runs before it is in one version, whole."""
    new = altered(old, tmp_path, NEW, lambda files: with_a_move(files, _SLOW))
    with brought_up(tmp_path / "machine", processes) as machine:
        machine.copy(old, "/root/old.deb")
        machine.run("dpkg -i /root/old.deb", seconds=180)
        machine.run(INIT, seconds=180)
        machine.copy(new, "/root/new.deb")
        machine.run("setsid booking-server update /root/new.deb --yes >/root/said 2>&1 </dev/null & true", seconds=60)
        wait_for(
            lambda: "bringing the database" in machine.run("cat /var/lib/hubkey-update/log", code=None),
            "the tables move",
            limit_seconds=200,
        )
        machine.cut()
    with brought_up(tmp_path / "machine", processes) as machine:
        wait_for(
            lambda: '"result": "done"' in machine.run("cat /var/lib/hubkey-update/record.json"),
            "it is finished",
            limit_seconds=300,
        )
        assert (version(machine), revision(machine)) == (NEW, "0999")
        assert serves(machine)
        assert nothing_is_left(machine)


def test_a_killed_update_goes_on_or_back_as_told(machine: Machine, old: Path, tmp_path: Path) -> None:
    """kill -9 of all of it while the tables move: --undo brings the old version back."""
    machine.copy(altered(old, tmp_path, NEW, lambda files: with_a_move(files, _SLOW)), "/root/new.deb")
    machine.run("setsid booking-server update /root/new.deb --yes >/root/said 2>&1 </dev/null & true", seconds=60)
    wait_for(
        lambda: "bringing the database" in machine.run("cat /var/lib/hubkey-update/log", code=None),
        "the tables move",
        limit_seconds=200,
    )
    machine.run("systemctl kill --signal=KILL hubkey-update")
    said = machine.run("booking-server update --undo --yes", code=1, seconds=300)
    assert "was interrupted (migrate)" in said
    assert said.splitlines()[-1].startswith("The update failed (taken back). The hub runs 0.2.0~deb13 as before")
    assert version(machine) == OLD
    assert serves(machine)
    assert nothing_is_left(machine)
