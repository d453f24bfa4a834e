# SPDX-License-Identifier: AGPL-3.0-or-later
"""The version before this one, to be run beside it: its server, its door agent and hands to use its server with.

It comes from the wheel in tests/system/previous/ and runs with the libraries of this checkout. Nothing of today's code is in
its processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.system import parts

FOLDER = Path(__file__).parent / "previous"
WHEEL = next(FOLDER.glob("hubkey-*.whl"))
VERSION = WHEEL.name.split("-")[1]
_RUN = "import sys; sys.path[0] = {folder!r}; from {module} import main; main(prog_name={name!r})"


class Previous:
    """The version before, unpacked into `folder`."""

    def __init__(self, folder: Path) -> None:
        with zipfile.ZipFile(WHEEL) as wheel:
            wheel.extractall(folder)
        self.folder = folder

    @property
    def server(self) -> list[str]:
        """The command `booking-server` of that version."""
        return self._program("booking_server.cli", "booking-server")

    @property
    def agent(self) -> list[str]:
        """The command `door-agent` of that version."""
        return self._program("door_agent.cli", "door-agent")

    def hands(self, settings: Path) -> FarHands:
        """Return its staff's hands on the hub of these settings."""
        return FarHands([sys.executable, "-P", str(FOLDER / "hands.py"), str(settings)], self.folder)

    def _program(self, module: str, name: str) -> list[str]:
        return [sys.executable, "-c", _RUN.format(folder=str(self.folder), module=module, name=name)]


class FarHands:
    """Hands in a process of their own. As a context manager it ends with the test."""

    def __init__(self, command: list[str], path: Path) -> None:
        environment = {**os.environ, **parts.environment(), "PYTHONPATH": str(path)}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=path
        )

    def __getattr__(self, do: str) -> Any:
        return lambda *words: self._call(do, words)

    def _call(self, do: str, words: tuple[object, ...]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([do, words]) + "\n")
        self._process.stdin.flush()
        said = self._process.stdout.readline()
        assert said, f"the hands of version {VERSION} could not {do}{words}"
        return json.loads(said)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(10)
