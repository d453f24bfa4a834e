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
    """What stands between. A program started with `environment()` has it between itself and its disk."""

    def __init__(self, folder: Path) -> None:
        self._library, self._slow = folder / "disk_between.so", folder / "slow"
        command = ["cc", "-shared", "-fPIC", "-O1", f'-DSLOW="{self._slow}"', "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run(command, check=True, env=parts.environment())

    def environment(self, *, cut_at: int | None = None) -> dict[str, str]:
        """`cut_at` counts the steps that change what a later start finds; the program dies right before that one."""
        own = {"LD_PRELOAD": str(self._library)}
        return own if cut_at is None else {**own, "DISK_CUT_AT": str(cut_at)}

    def be_slow(self, seconds: float) -> None:
        """From now on each sync takes so much longer; with 0, what it takes."""
        beside = self._slow.with_suffix(".new")
        beside.write_text(str(seconds), encoding="ascii")
        beside.replace(self._slow)
