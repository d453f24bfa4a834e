# SPDX-License-Identifier: AGPL-3.0-or-later
"""A box fresh from its wrapping: the real `door-agent enrol`, somebody who reads its screen and answers, then the agent."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from access_contract.vocabulary import TagNumber
from tests.system import parts
from tests.system.door import AGENT
from tests.system.pins import ask
from tests.system.processes import Child, NotReady, Processes, wait_for

_CODE = re.compile(r"code of this box: (\d{3} \d{3})")


class NewBox:
    """One box and its folder. `enrol` may be called again, as somebody would after a power cut; `disk` is the environment of a
    disk that is cut off while it does (disk_between.py)."""

    def __init__(self, folder: Path, processes: Processes, clock: Path) -> None:
        self.settings, self.state = folder / "door.toml", folder / "state"
        self._folder, self._processes, self._clock = folder, processes, clock
        self._enrols: Child | None = None
        self._agent: Child | None = None
        self._heard = 0
        self.disk: Mapping[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    # --- becoming a door ---

    def enrol(self, server: str) -> str:
        """Begin, and return the code on its screen."""
        self._heard = len(self._screen())
        command: list[str | Path] = [AGENT, "--config", self.settings, "enrol", "--server", server]
        more: list[str | Path] = [] if self.settings.exists() else ["--state-folder", self.state]
        self._enrols = self._processes.start(
            f"box-{self._folder.name}", [*command, *more], environment=self.disk, stdin=subprocess.PIPE
        )
        self._enrols.wait_until(lambda: _CODE.search(self.told()), limit_seconds=30)
        found = _CODE.search(self.told())
        assert found is not None
        return found[1]

    def answer(self, word: str) -> int:
        """Answer its question once it is asked, and return its exit code."""
        child = self._running()
        child.wait_until(lambda: "Does the page show" in self.told(), limit_seconds=30)
        assert child.process.stdin is not None
        child.process.stdin.write(word.encode() + b"\n")
        child.process.stdin.flush()
        return self.ends()

    def ends(self) -> int:
        """Wait until it ends by itself and return its exit code."""
        child = self._running()
        wait_for(lambda: not child.running, "the box is done", limit_seconds=30)
        return self._over(child)

    def kill(self) -> None:
        """End it as a power cut would."""
        child = self._running()
        child.kill()
        self._over(child)

    def told(self) -> str:
        """What is on its screen since it last began to enrol."""
        return self._screen()[self._heard :]

    # --- being one ---

    def start(self) -> None:
        """Start the agent on it, as systemd would, with the demo's own antenna and clock."""
        if "[simulated]" not in (text := self.settings.read_text(encoding="utf-8")):
            simulated = f'\n[simulated]\ncontrol = "control"\nclock = "{self._clock}"\n'
            self.settings.write_text(text + simulated, encoding="utf-8")
        self._agent = self._processes.start(f"agent-{self._folder.name}", [AGENT, "--config", self.settings, "run"])
        self._agent.wait_until(self._listens)

    def stop(self) -> int:
        """Ask the agent to end and return its exit code."""
        if self._agent is None:
            raise NotReady("the agent was not started")
        child, self._agent = self._agent, None
        self._processes.forget(child)
        return child.stop()

    def tap(self, number: TagNumber) -> None:
        ask(self._folder / "control", do="tap", number=number.uid.hex())

    def checked(self) -> str:
        """What `door-agent check` makes of it: "good", "not enrolled", or all that it says."""
        command = [str(AGENT), "--config", str(self.settings), "check"]
        told = subprocess.run(command, capture_output=True, text=True, check=False, env=parts.environment(), timeout=60)
        if told.returncode == 0:
            return "good"
        return "not enrolled" if "door-agent enrol" in told.stderr else told.stdout + told.stderr

    def journal(self) -> str:
        """What `door-agent journal` tells."""
        command = [str(AGENT), "--config", str(self.settings), "journal", "--last", "50"]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=parts.environment(), timeout=60)
        return told.stdout

    def serial(self) -> str:
        """Of the certificate that the box has now, in hex."""
        return (self.state / "identity").readlink().name.removeprefix("identity-")

    # --- inside ---

    def _listens(self) -> bool:
        with suppress(NotReady):
            return "error" in ask(self._folder / "control", do="nothing") or True
        return (self._folder / "control").exists()

    def _screen(self) -> str:
        return self._enrols.said() if self._enrols else ""

    def _running(self) -> Child:
        if self._enrols is None:
            raise NotReady("the box was not asked to enrol")
        return self._enrols

    def _over(self, child: Child) -> int:
        if child.process.stdin is not None:
            child.process.stdin.close()
        self._processes.forget(child)
        return child.process.returncode
