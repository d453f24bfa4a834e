# SPDX-License-Identifier: AGPL-3.0-or-later
"""A disk that syncs slowly, or whose power fails at a chosen step: a library between one program and its real disk."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.system import parts

_SOURCE = Path(__file__).with_name("disk_between.c")


def why_not() -> str | None:
    """Return None if the library can be made here, else the reason in one line."""
    return None if shutil.which("cc", path=parts.search_path()) else "no C compiler (cc) for a library between program and disk"


class DiskBetween:
    """What stands between. A program started with `environment` has it between itself and its disk."""

    def __init__(self, folder: Path) -> None:
        library, self._slow, self._cut = (folder / name for name in ("disk_between.so", "slow", "cut"))
        self.environment = {"LD_PRELOAD": str(library)}
        files = [f'-DSLOW="{self._slow}"', f'-DCUT="{self._cut}"']
        command = ["cc", "-shared", "-fPIC", "-O1", *files, "-o", str(library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True, env=parts.environment())

    def be_slow(self, seconds: float) -> None:
        """From now on each sync takes so much longer; with 0, what it takes."""
        _write(self._slow, seconds)

    def cut(self, step: int) -> None:
        """From now on a program dies right before its step of this number that changes what a later start finds; 0: none."""
        _write(self._cut, step)


def _write(file: Path, number: float) -> None:
    beside = file.with_suffix(".new")
    beside.write_text(str(number), encoding="ascii")
    beside.replace(file)
