# SPDX-License-Identifier: AGPL-3.0-or-later
"""A box fresh from its wrapping: the real `door-agent enrol` as its own process, and somebody who reads and answers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.system.door import AGENT
from tests.system.processes import Child, NotReady, Processes, wait_for

_CODE = re.compile(r"code of this box: (\d{3} \d{3})")


class NewBox:
    """One box and its folder. `enrol` may be called again, as somebody would after a power cut."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        self.folder, self._processes = folder, processes
        self.settings, self.state = folder / "door.toml", folder / "state"
        self._child: Child | None = None
        self._heard = 0
        folder.mkdir(parents=True, exist_ok=True)

    def enrol(self, server: str) -> str:
        """Begin, and return the code on its screen."""
        self._heard = len(self.said())
        command = [AGENT, "--config", self.settings, "enrol", "--server", server]
        more = [] if self.settings.exists() else ["--state-folder", self.state]
        self._child = self._processes.start(f"box-{self.folder.name}", [*command, *more], stdin=subprocess.PIPE)
        found: list[str] = []

        def shown() -> bool:
            found.extend(_CODE.findall(self.said()[self._heard :]))
            return bool(found)

        self._child.wait_until(shown, limit_seconds=20)
        return found[0]

    def answer(self, word: str) -> int:
        """Answer its question once it is asked, and return its exit code."""
        child = self._running()
        child.wait_until(lambda: "Does the page show" in self.said()[self._heard :], limit_seconds=20)
        assert child.process.stdin is not None
        child.process.stdin.write(word.encode() + b"\n")
        child.process.stdin.flush()
        return self.ends()

    def ends(self) -> int:
        """Wait until it ends by itself and return its exit code."""
        child = self._running()
        wait_for(lambda: not child.running, "the box is done", limit_seconds=20)
        return self._over(child)

    def kill(self) -> None:
        """End it as a power cut would."""
        child = self._running()
        child.kill()
        self._over(child)

    def said(self) -> str:
        """All that was on its screen, over all its runs."""
        return self._child.said() if self._child else ""

    def run(self, **simulated: str) -> Child:
        """Start the agent on it, as systemd would; `simulated` names a demo's simulated parts in its settings."""
        if simulated and "[simulated]" not in (text := self.settings.read_text(encoding="utf-8")):
            lines = "".join(f'{name} = "{value}"\n' for name, value in simulated.items())
            self.settings.write_text(f"{text}\n[simulated]\n{lines}", encoding="utf-8")
        return self._processes.start(f"door-{self.folder.name}", [AGENT, "--config", self.settings, "run"])

    def _running(self) -> Child:
        if self._child is None:
            raise NotReady("the box was not asked to enrol")
        return self._child

    def _over(self, child: Child) -> int:
        if child.process.stdin is not None:
            child.process.stdin.close()
        self._processes.forget(child)
        return child.process.returncode
