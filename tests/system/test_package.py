# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the Debian package put a door into service, keep it there through every fault, and leave only what it should?

Built here, installed into a Debian 13 that is really booted (systemd, polkit, udev, pcscd as Debian ships them) and reaches no
network. In place of the antenna stands Debian's own virtual reader, in place of the pins gpiozero's mock pins.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.door_agent.test_agent import NUMBER, write_door
from tests.door_agent.test_identity import made as delivered_to
from tests.system import debian, parts
from tests.system.debian import Machine
from tests.system.pins import PinHistory
from tests.system.processes import NotReady, Processes, wait_for
from tests.system.test_package_files import build

_CARD = """
import sys
from threading import Event
from tests.system.pcsc_room import Card
card = Card(0x8C7B, bytes.fromhex(sys.argv[1]))
read = card.was_read.wait(3)
Event().wait(0.03)
card.take_away()
sys.exit(not read)
"""
_ENROL = """
import sys
from pathlib import Path
sys.path.insert(0, "/opt/hubkey/door")
import msgspec
from access_contract.enrolling import Delivered
from door_agent.enrolling_here import write_identity
delivered = msgspec.json.decode(Path("/root/delivered").read_bytes(), type=Delivered)
key = Path("/root/key").read_bytes()
write_identity(Path("/etc/hubkey/door.toml"), Path("/var/lib/hubkey-door"), delivered, key, was=None, say=print)
"""
_REASON = debian.why_not()
booted = pytest.mark.skipif(_REASON is not None, reason=str(_REASON))
pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("package")]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"), 13, "amd64")


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("newer"), 13, "amd64", "0.1.1")


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path / "logs") as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, processes: Processes) -> Iterator[Machine]:
    with Machine(13, tmp_path / "machine", processes) as up:
        yield up
        sys.stderr.write(
            up.run("journalctl --unit=door-agent --unit=pcscd --no-pager --lines=60", code=None)
        )  # shown by a failure


@pytest.fixture
def door(machine: Machine, package: Path, tmp_path: Path) -> PackagedDoor:
    installed = PackagedDoor(machine)
    installed.install(package)
    installed.settle(tmp_path)
    machine.run("systemctl start door-agent || { journalctl --unit=door-agent --no-pager; exit 1; }")
    return installed.follow()


class PackagedDoor:
    """A machine with the package in it, and hands to use its door."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.pins = machine, PinHistory()

    def install(self, package: Path) -> str:
        self.machine.copy(package, "/root/hubkey-door.deb")
        return self.machine.run("dpkg -i /root/hubkey-door.deb")

    def settle(self, folder: Path) -> None:
        """Put a door's settings, keys and rights where they belong, owned as they should be."""
        (folder / "door").mkdir()
        file = write_door(folder / "door")
        text = (
            file.read_text().replace('"state"', '"/var/lib/hubkey-door"').replace('"control"', '"/var/lib/hubkey-door/control"')
        )
        file.write_text(text.replace('"simulated"', '"pcsc"'))
        shutil.copytree(folder / "door" / "state", self.machine.root / "var/lib/hubkey-door", dirs_exist_ok=True)
        shutil.rmtree(folder / "door" / "state")
        shutil.copytree(folder / "door", self.machine.root / "etc/hubkey", dirs_exist_ok=True)
        self.machine.run("chown -R root:hubkey-door /etc/hubkey && chmod -R u=rwX,g=rX,o= /etc/hubkey")
        self.machine.run("chown -R hubkey-door: /var/lib/hubkey-door && chmod 700 /var/lib/hubkey-door")

    def follow(self) -> PackagedDoor:
        control = self.machine.root / "var/lib/hubkey-door/control"

        def listens() -> bool:
            try:
                self.pins.follow(control)
            except NotReady:
                return False
            return True

        wait_for(listens, "the agent's pins can be watched", limit_seconds=20)
        return self

    def opens(self) -> None:
        """Lay a known tag on the reader until the relay moves: after a start or a fault pcscd and agent need their moment."""
        wait_for(self._opened, "a tap opens", limit_seconds=20)

    def _opened(self) -> bool:
        since = time.monotonic()
        inside = ["nsenter", f"--target={self.machine.pid}", "--net", sys.executable, "-c", _CARD, NUMBER]
        read = subprocess.run(inside, cwd=parts.CHECKOUT, check=False, capture_output=True).returncode == 0
        try:
            return read and bool(wait_for(lambda: self.pins.rises("relay", since), "the relay moves", limit_seconds=1))
        except NotReady:
            return False

    def shown(self, what: str) -> str:
        return self.machine.run(f"systemctl show door-agent --value --property={what}")

    def restarted(self, before: str, *, within: float) -> None:
        """Wait until it runs again as another process than `before`."""
        wait_for(
            lambda: self.shown("MainPID") not in ("0", before) and self.shown("ActiveState") == "active",
            "the agent runs again",
            limit_seconds=within,
        )

    def log(self) -> str:
        return self.machine.run("journalctl --unit=door-agent --no-pager")

    def journal(self) -> str:
        return self.machine.run("door-agent journal --last 100")


@booted
def test_a_first_installation_starts_nothing_and_says_what_is_next(machine: Machine, package: Path) -> None:
    """Without settings the unit waits; user, folders and rules are as they should be; a purge takes all of it away again."""
    said = PackagedDoor(machine).install(package)
    assert "door-agent enrol" in said
    assert machine.run("systemctl is-enabled door-agent; systemctl is-active door-agent", code=None) == "enabled\ninactive"
    assert (
        machine.run("stat -c '%U %G %a' /etc/hubkey /var/lib/hubkey-door")
        == "root hubkey-door 750\nhubkey-door hubkey-door 700"
    )
    assert "there are no settings yet" in machine.run("door-agent check", code=1)
    machine.run("systemd-analyze verify door-agent.service && systemd-analyze security --threshold=19 door-agent.service")
    machine.run("udevadm verify /usr/lib/udev/rules.d/60-hubkey-door.rules /usr/share/hubkey-door/70-hubkey-usb.rules")
    machine.run("dpkg --purge hubkey-door")
    assert machine.run("ls -d /etc/hubkey /var/lib/hubkey-door /opt/hubkey /usr/bin/door-agent 2>/dev/null", code=None) == ""


@booted
@pytest.mark.soak
def test_what_root_enrolled_is_the_agent_s_to_read(machine: Machine, package: Path) -> None:
    """Settings, keys and certificate that `sudo door-agent enrol` wrote are good for the user that the agent runs as."""
    PackagedDoor(machine).install(package)
    delivered, key = delivered_to("front", 1)
    (machine.root / "root/delivered").write_bytes(msgspec.json.encode(delivered))
    (machine.root / "root/key").write_bytes(key)
    (machine.root / "root/enrol.py").write_text(_ENROL)
    machine.run("python3 -I /root/enrol.py")
    assert machine.run("runuser -u hubkey-door door-agent check") == "/etc/hubkey/door.toml: good"
    assert machine.run("find /var/lib/hubkey-door ! -user hubkey-door") == ""
    assert machine.run("runuser -u nobody door-agent check", code=1) != ""


@booted
@pytest.mark.soak
def test_a_door_comes_into_service_and_its_rule_lets_it_reach_the_reader(door: PackagedDoor) -> None:
    """It is ready and a known tag opens; without the polkit rule it says Access denied, with it the tag opens again."""
    assert door.shown("NRestarts --property=User").split() == ["0", "hubkey-door"]
    door.opens()
    rule = "/usr/share/polkit-1/rules.d/50-hubkey-door.rules"
    door.machine.run(f"mv {rule} /root/rule && systemctl restart polkit pcscd door-agent")
    wait_for(lambda: "Access denied" in door.log(), "the agent is refused and says so", limit_seconds=20)
    said = door.machine.run("door-agent doctor", code=1)
    assert "pcscd refuses the user hubkey-door (Access denied): the polkit rule is missing" in said
    assert "service      good: enabled, running, watched" in said
    door.machine.run(f"mv /root/rule {rule} && systemctl restart polkit pcscd")
    door.follow().opens()


@booted
@pytest.mark.soak
def test_a_killed_agent_and_a_killed_pcscd_come_back_by_themselves(door: PackagedDoor) -> None:
    """After kill -9 the agent is ready again in seconds, its journal whole; after kill -9 of pcscd taps open again."""
    door.opens()
    before = door.shown("MainPID")
    door.machine.run("systemctl kill --signal=KILL door-agent")
    door.restarted(before, within=20)
    door.follow().opens()
    door.machine.run("systemctl kill --signal=KILL pcscd")
    door.opens()
    assert "the chain holds" in door.journal()
    assert door.journal().count("granted") >= 3


@booted
def test_an_upgrade_takes_over_at_once_and_opens_nothing(door: PackagedDoor, newer: Path) -> None:
    """The new version runs when dpkg is done, goes on in the same journal, and the relay did not move meanwhile."""
    door.opens()
    wait_for(lambda: not door.pins.is_on("relay"), "the door is locked")
    before, since, journal = door.shown("MainPID"), time.monotonic(), door.journal().split()[0]
    door.install(newer)
    assert door.shown("ActiveState") == "active"
    assert door.shown("MainPID") != before
    door.follow()
    assert door.pins.rises("relay", since) == []
    assert door.machine.run("door-agent --version") == "door-agent, version 0.1.1"
    door.opens()
    assert {line.split()[0] for line in door.journal().splitlines()[:-2]} == {journal}
    assert door.machine.run("dpkg --verify hubkey-door") == ""


@booted
def test_a_removal_stops_the_door_and_keeps_what_it_was_and_a_purge_keeps_a_person_s_files(door: PackagedDoor) -> None:
    """Removed: no process, no program, journal and settings untouched. Purged: the state is gone, /etc/hubkey is not."""
    door.opens()
    door.machine.run("dpkg --remove hubkey-door")
    assert door.machine.run("systemctl is-active door-agent", code=None) == "inactive"
    assert door.machine.run("ls /opt/hubkey /usr/bin/door-agent 2>/dev/null", code=None) == ""
    kept = "ls /etc/hubkey/door.toml /var/lib/hubkey-door/journal.sqlite 2>/dev/null"
    assert door.machine.run(kept).split() == ["/etc/hubkey/door.toml", "/var/lib/hubkey-door/journal.sqlite"]
    door.machine.run("dpkg --purge hubkey-door")
    assert door.machine.run(kept, code=None) == "/etc/hubkey/door.toml"
    assert door.machine.run("ls -d /var/lib/hubkey-door 2>/dev/null", code=None) == ""


@booted
@pytest.mark.soak
def test_with_a_read_only_root_the_state_folder_is_all_a_door_needs(
    tmp_path: Path, processes: Processes, package: Path
) -> None:
    """Installed, then booted with nothing to write to but /var/lib/hubkey-door: it opens and journals."""
    with Machine(13, tmp_path / "machine", processes) as writable:
        installed = PackagedDoor(writable)
        installed.install(package)
        installed.settle(tmp_path)
    with Machine(13, tmp_path / "machine", processes, read_only=("/var/lib/hubkey-door",)) as machine:
        assert "Read-only file system" in machine.run("touch /etc/hubkey/x /opt/x /var/x", code=1)
        door = PackagedDoor(machine).follow()
        door.opens()
        assert "granted" in door.journal()


@booted
@pytest.mark.soak
def test_a_hung_agent_and_a_hung_reader_end_in_a_restart(door: PackagedDoor) -> None:
    """The watchdog starts a stopped agent anew, and one whose reader thread hangs in a stopped pcscd; then taps open again."""
    before = door.shown("MainPID")
    door.machine.run(f"kill -STOP {before}")
    door.restarted(before, within=60)
    door.follow().opens()
    before = door.shown("MainPID")
    door.machine.run("systemctl kill --signal=STOP pcscd")
    door.restarted(before, within=90)
    door.machine.run("systemctl kill --signal=CONT pcscd")
    door.follow()
    door.opens()


@booted
@pytest.mark.soak
def test_on_debian_12_it_installs_and_reads_its_settings(tmp_path: Path, processes: Processes) -> None:
    """Unpacked and configured in a Debian 12 that is not booted; the agent's commands run on its Python 3.11."""
    package = build(tmp_path, 12, "amd64")
    with Machine(12, tmp_path / "machine", processes, boot=False) as machine:
        installed = PackagedDoor(machine)
        installed.install(package)
        assert "Commands:" in machine.run("door-agent --help")
        installed.settle(tmp_path)
        assert machine.run("runuser -u hubkey-door door-agent check") == "/etc/hubkey/door.toml: good"
        machine.run("dpkg --purge hubkey-door")
        assert machine.run("ls -d /opt/hubkey /var/lib/hubkey-door 2>/dev/null", code=None) == ""
