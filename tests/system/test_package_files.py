# SPDX-License-Identifier: AGPL-3.0-or-later
"""What is in the Debian packages of door and server, for machines that are not here too: built and looked into, not run."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest

from tests.system import parts

_ELF_MACHINE = {"amd64": 0x3E, "arm64": 0xB7}
_PYTHON = {12: "311", 13: "313"}
needs_dpkg = pytest.mark.skipif(
    shutil.which("dpkg-deb") is None, reason="dpkg-deb is not on this machine; it is in Debian's package dpkg"
)


def build(folder: Path, release: int, architecture: str, version: str = "0.1.0", *, package: str = "door") -> Path:
    """Return the package of this checkout, as `make deb` builds it."""
    wanted = {"PACKAGES": package, "RELEASES": str(release), "ARCHITECTURES": architecture, "VERSION": version}
    subprocess.run([parts.CHECKOUT / "packaging" / "build", folder], check=True, env={**parts.environment(), **wanted})
    return folder / f"hubkey-{package}_{version}~deb{release}_{architecture}.deb"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The door's packages for a Pi, by release of Debian."""
    return {release: build(tmp_path_factory.mktemp("dist"), release, "arm64") for release in _PYTHON}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The server's packages for a Pi, by release of Debian."""
    return {release: build(tmp_path_factory.mktemp("dist"), release, "arm64", package="server") for release in _PYTHON}


@needs_dpkg
@pytest.mark.parametrize("release", [12, 13])
def test_a_package_for_a_pi_holds_what_a_pi_can_run_and_nothing_of_here(release: int, packages: dict[int, Path]) -> None:
    """Each compiled file is for its processor and Python, all is root's, and neither server nor paths of here are in it."""
    _is_for_a_pi(packages[release], release, without="booking_server")


@needs_dpkg
@pytest.mark.parametrize("release", [12, 13])
def test_the_server_s_package_is_for_its_processor_and_python_too(release: int, servers: dict[int, Path]) -> None:
    """Each compiled file is for its processor and Python, all is root's, and neither door nor paths of here are in it."""
    _is_for_a_pi(servers[release], release, without="door_agent")


def _is_for_a_pi(package: Path, release: int, *, without: str) -> None:
    files = contents(package)
    compiled = {name: content for name, (_, content) in files.items() if content.startswith(b"\x7fELF")}
    assert len(compiled) >= 3
    for name, content in compiled.items():
        assert int.from_bytes(content[18:20], "little") == _ELF_MACHINE["arm64"], name
        tag = re.search(r"\.(cpython-(\d+)-aarch64-linux-gnu|abi3)\.so$", name)
        assert ".libs/" in name or (tag is not None and tag[2] in (None, _PYTHON[release])), name
    assert {(entry.uid, entry.gid, entry.mode & 0o7022) for entry, _ in files.values() if not entry.issym()} == {(0, 0, 0)}
    assert [name for name in files if without in name or "__pycache__" in name] == []
    assert [name for name, (_, content) in files.items() if str(parts.CHECKOUT).encode() in content] == []


@needs_dpkg
def test_a_package_puts_everything_where_debian_looks_for_it(packages: dict[int, Path]) -> None:
    """Program, unit, user, rules and blacklist are in their folders; settings come only from a person or from enrolment."""
    files = contents(packages[13])
    wanted = {
        "usr/bin/door-agent",
        "opt/hubkey/bin/door-agent",
        "usr/lib/systemd/system/door-agent.service",
        "usr/lib/sysusers.d/hubkey-door.conf",
        "usr/share/polkit-1/rules.d/50-hubkey-door.rules",
        "usr/lib/udev/rules.d/60-hubkey-door.rules",
        "usr/lib/modprobe.d/hubkey-nfc.conf",
        "usr/share/doc/hubkey-door/requirements.lock",
        *(f"opt/hubkey/door/{file.relative_to(parts.CHECKOUT)}" for file in (parts.CHECKOUT / "firmware_config").rglob("*.*")),
    }
    assert sorted(wanted - files.keys()) == []
    assert files["usr/share/hubkey-door"][0].linkname == "/opt/hubkey/door/firmware_config"
    assert [name for name in files if name.startswith(("etc/", "var/"))] == []


@needs_dpkg
def test_the_server_s_package_holds_every_unit_page_and_migration(servers: dict[int, Path]) -> None:
    """Program, each unit and timer, user, and each file of the server's own: none waits for a line in a list."""
    files = contents(servers[13])
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "booking_server", "access_contract"]
    told = subprocess.run(tracked, cwd=parts.CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
    own = [name for name in told if (parts.CHECKOUT / name).exists() and not name.endswith((".md", ".po"))]
    wanted = {
        "usr/bin/booking-server",
        "opt/hubkey/bin/booking-server",
        "usr/lib/sysusers.d/hubkey.conf",
        "usr/lib/tmpfiles.d/hubkey.conf",
        "usr/share/hubkey-server",
        "usr/share/doc/hubkey-server/requirements.lock",
        *(f"usr/lib/systemd/system/{unit.name}" for unit in (parts.CHECKOUT / "systemd").glob("booking-server-*")),
        *(f"opt/hubkey/server/{name}" for name in own),
    }
    assert sorted(wanted - files.keys()) == []
    assert [name for name in files if name.startswith(("etc/", "var/"))] == []


@needs_dpkg
def test_one_checkout_gives_the_same_bytes_again(tmp_path: Path, packages: dict[int, Path]) -> None:
    """Whoever builds the same commit can compare."""
    again = build(tmp_path, 13, "arm64")
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(packages[13].read_bytes()).digest()


@needs_dpkg
def test_a_later_commit_is_a_later_version_and_the_release_the_last() -> None:
    """What apt is given goes up: commit by commit, then the release, then the next one's commits; a newer Debian's is newer."""
    order = ["0.1.0~20261125005233~deb12", "0.1.0~20261125005233~deb13", "0.1.0~20261126000000~deb12", "0.1.0~deb12"]
    order += ["0.1.0~deb13", "0.2.0~20261201000000~deb12"]
    for lower, higher in pairwise(order):
        assert subprocess.run(["dpkg", "--compare-versions", lower, "lt", higher], check=False).returncode == 0, (lower, higher)
    named = subprocess.run(
        [parts.CHECKOUT / "packaging" / "build", "--version"],
        check=True,
        capture_output=True,
        text=True,
        env=parts.environment(),
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+(~\d{14})?\n", named.stdout)


@pytest.mark.parametrize(("package", "needs"), [("door", {"gpiozero", "paho-mqtt"}), ("server", {"flask", "sqlalchemy"})])
def test_the_lock_of_a_package_agrees_with_the_whole_lock(package: str, needs: set[str]) -> None:
    """The package brings the versions that are tested, by the same hashes."""
    whole, part = locked("requirements.lock"), locked(f"requirements-{package}.lock")
    assert {name: whole.get(name) for name in part} == part
    assert {"cryptography", *needs} <= part.keys()


def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Return version and hashes of each library in a lock file."""
    blocks = re.split(r"\n(?=\S)", (parts.CHECKOUT / name).read_text(encoding="ascii").replace("\\\n", ""))
    found = (re.match(r"([a-z0-9-]+)==(\S+)", block) for block in blocks)
    hashes = (frozenset(re.findall(r"sha256:([0-9a-f]+)", block)) for block in blocks)
    return {match[1]: (match[2], known) for match, known in zip(found, hashes, strict=True) if match is not None}


def contents(package: Path) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """Return each entry of a package that is no folder, by its path, with its bytes."""
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        return {
            entry.name.removeprefix("./"): (entry, _bytes(archive, entry))
            for entry in archive.getmembers()
            if not entry.isdir()
        }


def _bytes(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(entry) if entry.isfile() else None
    return content.read() if content is not None else b""
