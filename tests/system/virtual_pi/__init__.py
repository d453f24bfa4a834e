# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small virtual machine with what this machine's kernel lacks: a simulated GPIO chip (gpio-sim) and a simulated keyboard.

Its kernel is made once from Debian's source, its files are this machine's own, read-only. The program in it is the real agent
on the real gpiozero and lgpio; what is not real is the copper behind the pins.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.system import parts
from tests.system.processes import NotReady

HERE = Path(__file__).parent
SOURCE = Path("/usr/src/linux-source-6.1.tar.xz")
LGPIO = "lgpio==0.2.2.0"
_PACKAGES = "linux-source-6.1 flex bison bc libelf-dev gcc make qemu-system-x86"
_RUN_SECONDS = 900


def why_not() -> str | None:
    """Return None if the virtual machine can be had here, else the reason in one line."""
    if os.uname().machine != "x86_64" or sys.version_info[:2] != (3, 11):
        return "the virtual Pi is an x86-64 machine with this machine's Python, which must be 3.11 for a ready-made lgpio"
    programs = ("flex", "bison", "bc", "gcc", "make", "qemu-system-x86_64")
    if not SOURCE.is_file() or any(shutil.which(program, path=parts.search_path()) is None for program in programs):
        return f"a kernel with gpio-sim cannot be made here; as root: apt-get install {_PACKAGES}"
    return None


def kernel() -> Path:
    """Return the kernel's file, made the first time (some ten minutes on two cores). Raise NotReady."""
    config = HERE / "kernel.config"
    named = hashlib.sha256(config.read_bytes()).hexdigest()[:8]
    made = parts.UNPACKED / f"kernel-{named}"
    parts.UNPACKED.mkdir(exist_ok=True)
    with made.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(config, made)
    return made


def lgpio() -> Path:
    """Return a folder with the library that speaks to a GPIO chip, fetched the first time. Raise NotReady."""
    folder = parts.UNPACKED / LGPIO
    if not folder.exists():
        coming = parts.UNPACKED / f"{LGPIO}.coming"
        uv = _out(["bash", ".ci/environment", "uv"], cwd=parts.CHECKOUT).strip().splitlines()[-1]
        _out([uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", str(coming), LGPIO])
        coming.rename(folder)
    return folder


def run(guest: str, shared: Path) -> str:
    """Run `tests/system/virtual_pi/<guest>` as the machine's only program and return what it wrote to the console.

    The folder `shared` is /mnt in there, and can be written. Raise NotReady if the machine does not end by itself.
    """
    init = HERE / "init"
    root = "root=root rootfstype=9p rootflags=trans=virtio,version=9p2000.L,msize=262144 ro"
    tell = f"console=ttyS0 quiet panic=-1 {root} init={init} -- {sys.executable} {parts.CHECKOUT} {lgpio()} {HERE / guest}"
    command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "1024", "-smp", "2", "-nographic"]
    command += ["-no-reboot", "-nic", "none", "-kernel", str(kernel()), "-append", tell]
    command += ["-virtfs", "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap"]
    command += ["-virtfs", f"local,path={shared},mount_tag=shared,security_model=none"]
    return _out(command, seconds=_RUN_SECONDS)


def _make(config: Path, made: Path) -> None:
    tree = made.with_suffix(".tree")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    _out(["tar", "xf", str(SOURCE), "-C", str(tree), "--strip-components=1"])
    _out(["make", "tinyconfig"], cwd=tree)
    _out(["scripts/kconfig/merge_config.sh", ".config", str(config)], cwd=tree)
    _out(["make", f"-j{os.cpu_count()}", "bzImage"], cwd=tree, seconds=3600)
    shutil.copyfile(tree / "arch/x86/boot/bzImage", made)
    shutil.rmtree(tree)


def _out(command: list[str], *, cwd: Path | None = None, seconds: float = 600) -> str:
    try:
        done = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, errors="replace", check=False, timeout=seconds,
            stdin=subprocess.DEVNULL, env=parts.environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired as late:
        raise NotReady(f"{command[0]} did not end within {seconds} s: {str(late.stdout)[-2000:]}") from None
    if done.returncode:
        raise NotReady(f"{' '.join(command[:3])} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout
