# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the package manager has installed of ours: asked, made into a package again as it lies here, and replaced.

The package of the version before need not be had anywhere: what is installed is packed up before it is replaced.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from threading import Event

from .moving import Failed

LOCK_SECONDS_MAX = 180
_GOOD = "install ok installed"
_NOT_OF_A_PACKAGE = ("Status:", "Conffiles:", "Config-Version:")
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8", "HUBKEY_UPDATING": "1"}
"""HUBKEY_UPDATING: the package's own script leaves database and units to us."""


def installed(package: str) -> str:
    """Return the version that is installed whole; "" where none is, or one is half there."""
    done = _run(["dpkg-query", "--show", "--showformat", "${Status}\t${Version}", package])
    status, _, version = done.stdout.partition("\t")
    return version.strip() if status == _GOOD else ""


def repack(package: str, to: Path) -> None:
    """Make the package `to` of what is installed: the same files, scripts and relations. Raise Failed or OSError."""
    root = to.with_suffix(".files")
    shutil.rmtree(root, ignore_errors=True)
    (root / "DEBIAN").mkdir(parents=True)
    lines = _said(["dpkg-query", "--listfiles", package]).splitlines()
    files = [Path(line) for line in lines if line.startswith("/") and line != "/."]
    folders = {file.parent for file in files}
    for file in files:
        _take(file, root / str(file).lstrip("/"), is_folder=file in folders)
    _control(package, root / "DEBIAN")
    coming = to.with_suffix(".coming")
    _said(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(coming)])
    with coming.open("rb") as written:
        os.fsync(written.fileno())
    coming.replace(to)
    shutil.rmtree(root)


def install(file: Path, version: str, package: str) -> None:
    """Install `file` with what it needs, without asking anything. Raise Failed with the package manager's own word."""
    _configure()
    words = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--allow-downgrades", "--reinstall"]
    words += ["-o", "Dpkg::Options::=--force-confold", "-o", f"DPkg::Lock::Timeout={LOCK_SECONDS_MAX}"]
    _must_be(package, version, _run([*words, str(file)]))


def put_back(file: Path, version: str, package: str) -> None:
    """Install `file`, kept by `repack`, without asking for anything that is not here. Raise Failed."""
    if installed(package) == version:
        return
    _configure()
    _must_be(package, version, _unlocked(["dpkg", "--install", "--force-confold", str(file)]))


def _must_be(package: str, version: str, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode or installed(package) != version:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        at = next((at for at, line in enumerate(said) if line.startswith(("dpkg: error", "dpkg-deb: error", "E:"))), 0)
        why = " ".join(line.strip() for line in said[at : at + 2]) or "no reason was given"
        raise Failed(f"{package} {version} could not be installed: {why}")


def _configure() -> None:
    """Bring to an end what the package manager was interrupted in, so that it takes on anything new."""
    _unlocked(["dpkg", "--configure", "--pending", "--force-confold"])


def _unlocked(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run it, and again while another package manager is at work."""
    pause = Event()
    for _ in range(LOCK_SECONDS_MAX // 2):
        done = _run(command)
        if done.returncode == 0 or "lock" not in done.stderr:
            break
        pause.wait(2)
    return done


def _take(file: Path, to: Path, *, is_folder: bool) -> None:
    """A folder of the package's may be a link on this machine, as /lib is."""
    if file.is_symlink() and not is_folder:
        to.symlink_to(file.readlink())
    elif file.is_dir():
        to.mkdir(parents=True, exist_ok=True)
        to.chmod(file.stat().st_mode & 0o7777)
    else:
        shutil.copy2(file, to)


def _control(package: str, to: Path) -> None:
    keep, lines = True, []
    for line in _said(["dpkg-query", "--status", package]).splitlines():
        keep = keep if line.startswith(" ") else not line.startswith(_NOT_OF_A_PACKAGE)
        if keep and line:
            lines.append(line)
    (to / "control").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name in _said(["dpkg-query", "--control-list", package]).split():
        (to / name).write_text(_said(["dpkg-query", "--control-show", package, name]), encoding="utf-8")
        (to / name).chmod(0o755 if name in ("preinst", "postinst", "prerm", "postrm", "config") else 0o644)


def _said(command: list[str]) -> str:
    done = _run(command)
    if done.returncode:
        raise Failed(f"{command[0]}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return done.stdout


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **_ENVIRONMENT}
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
