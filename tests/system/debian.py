# SPDX-License-Identifier: AGPL-3.0-or-later
"""A Debian of its own: its files are fetched once, and each machine made from them is thrown away, booted or not.

A booted one is a real systemd with its own processes, network, users and hardware tree, on this machine's kernel. It reaches no
network. It must never change the files it was made from, nor leave a mount or a process behind, however the tests end.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system import parts
from tests.system.processes import NotReady, Processes

NAMES = {12: "bookworm", 13: "trixie"}
DOOR = "dbus,init-system-helpers,libccid,pcscd,polkitd,python3,python3-pyscard,systemd,systemd-sysv,udev,vsmartcard-vpcd"
SERVER = "ca-certificates,caddy,dbus,init-system-helpers,iproute2,mosquitto,openssl,python3,systemd,systemd-sysv"
"""What the packages of a door and of a server want of Debian, for they reach no network once they are up."""
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAYERS = 'mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/changes,workdir=$2/work" "$2/root" && shift 2 && exec "$@"'


def why_not() -> str | None:
    """Return None if a Debian can be had here, else the reason in one line."""
    if os.geteuid() != 0:
        return "making a Debian of its own needs root"
    for program in ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter", "dpkg-deb"):
        if shutil.which(program, path=parts.search_path()) is None:
            return parts.missing(program)
    return None


def files_of(release: int, packages: str = DOOR) -> Path:
    """Return the folder with this Debian's files, fetched once if they are not here yet. Raise NotReady."""
    named = hashlib.sha256(packages.encode()).hexdigest()[:8]
    folder = parts.UNPACKED / f"debian-{release}-{named}"
    parts.UNPACKED.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(release, folder, packages)
    return folder


def _fetch(release: int, folder: Path, packages: str) -> None:
    coming = folder.with_suffix(".coming")
    shutil.rmtree(coming, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", NAMES[release], str(coming)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=parts.environment())
    if done.returncode:
        raise NotReady(f"Debian {release} could not be fetched: {done.stderr.strip()[-400:]}")
    coming.rename(folder)


class Machine:
    """One Debian, as a context manager. `root` is where its files are seen from here while it is up."""

    def __init__(
        self,
        release: int,
        folder: Path,
        processes: Processes,
        *,
        packages: str = DOOR,
        boot: bool = True,
        read_only: Sequence[str] = (),
    ) -> None:
        """Bring it up, in `folder`. With `read_only` nothing in it can be written but the folders named. Raise NotReady."""
        for sub in ("changes", "work", "root"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        program = _boot(folder, read_only) if boot else ["chroot", f"{folder}/root", "sleep", "infinity"]
        command = ["unshare", "-m", "sh", "-c", _LAYERS, "sh", str(files_of(release, packages)), str(folder), *program]
        self._child = processes.start(f"debian-{release}", command, environment={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self._processes, self._boots = processes, boot
        self.pid = 0
        self._child.wait_until(self._is_up)

    @property
    def root(self) -> Path:
        return Path(f"/proc/{self.pid}/root")

    def run(self, command: str, *, code: int | None = 0, seconds: float = 60) -> str:
        """Run a shell's line in it as root and return what it said. Raise NotReady unless it ends with `code` (None: any)."""
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--root", "--wd"]
        if self._boots:
            inside += ["--uts", "--ipc", "--net", "--pid"]
        done = subprocess.run(
            [*inside, "env", "-i", _PATH, "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )
        said = done.stdout + done.stderr
        if code is not None and done.returncode != code:
            raise NotReady(f"`{command}` ended with {done.returncode}: {said.strip()[-1500:]}")
        return said.strip()

    def copy(self, file: Path, to: str) -> None:
        """Copy a file into it."""
        shutil.copyfile(file, self.root / to.lstrip("/"))

    def cut(self) -> None:
        """Take its power away: every process in it is gone at once, and what was not on its disk."""
        os.kill(self.pid, signal.SIGKILL)
        self._child.process.wait(20)

    def close(self) -> None:
        if self._boots and self.pid:
            with suppress(NotReady, subprocess.TimeoutExpired):
                self.run("systemctl poweroff --force", code=None, seconds=10)
            with suppress(subprocess.TimeoutExpired):
                self._child.process.wait(20)
        self._child.kill()
        self._processes.forget(self._child)

    def _is_up(self) -> bool:
        self.pid = self.pid or self._found()
        if not self.pid:
            return False
        with suppress(NotReady):
            return not self._boots or self.run("systemctl is-active multi-user.target") == "active"
        return False

    def _found(self) -> int:
        """Return the process whose root is its root: systemd-nspawn's only child, or the one that holds the mount."""
        own = self._child.process.pid
        names = {own: "sleep"} if not self._boots else dict.fromkeys(_children(own), "systemd")
        return next((pid for pid, name in names.items() if _name(pid) == name), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _boot(folder: Path, read_only: Sequence[str]) -> list[str]:
    command = ["systemd-nspawn", f"--directory={folder}/root", "--register=no", "--keep-unit", "--boot", "--console=pipe"]
    command += ["--private-network", "--link-journal=no"]
    if read_only:
        command += ["--read-only", *(f"--bind={folder}/changes{writable}:{writable}" for writable in read_only)]
    return [*command, "systemd.unit=multi-user.target"]
