# SPDX-License-Identifier: AGPL-3.0-or-later
"""Starts child processes, waits until they are ready, and leaves none behind: not on an exception, not when we are killed.

All children of one `Processes` share a process group led by a keeper, which holds a pipe to us. When that pipe ends, in
whatever way we ended, the keeper kills the group. Nothing here sleeps: it waits for a condition, with a limit and a sentence.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self, TypeVar

from tests.system import parts

T = TypeVar("T")
_STEP_SECONDS = 0.02
_SHOWN_LINES = 12
_KEEPER = 'trap "" INT TERM HUP; read -r _; kill -KILL 0'


class NotReady(RuntimeError):
    """A part did not come up, or something awaited did not happen; the message is one clear sentence with the log's end."""


def wait_for(condition: Callable[[], T | None], what: str, *, limit_seconds: float = 10.0) -> T:
    """Return the first truthy result of `condition`. Raise NotReady when `what` has not happened within the limit."""
    until = time.monotonic() + limit_seconds
    pause = Event()
    while True:
        if found := condition():
            return found
        if time.monotonic() > until:
            raise NotReady(f"{what}: not within {limit_seconds:g} s")
        pause.wait(_STEP_SECONDS)


def free_port() -> int:
    """Return a loopback port that nobody listens on, below the range from which the system hands out ports by itself."""
    for _ in range(200):
        port = random.randrange(20_000, 32_000)  # noqa: S311
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise NotReady("no free loopback port between 20000 and 32000")


def answers(port: int) -> bool:
    """True if somebody accepts connections on this loopback port."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@dataclass(slots=True)
class Child:
    """One running program and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def said(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_lines(self) -> str:
        return "\n".join(f"    {line}" for line in self.said().splitlines()[-_SHOWN_LINES:])

    def wait_until(self, ready: Callable[[], object], *, limit_seconds: float = 60.0) -> None:
        """Wait until `ready`. Raise NotReady with the log's end if it ends before, or takes too long."""

        def state() -> bool:
            if ready():
                return True
            if not self.running:
                raise NotReady(f"{self.name} ended with {self.process.returncode} before it was ready:\n{self.last_lines()}")
            return False

        try:
            wait_for(state, f"{self.name} ready", limit_seconds=limit_seconds)
        except NotReady as error:
            raise NotReady(f"{error}\n{self.last_lines()}" if self.running else str(error)) from None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def stop(self, *, limit_seconds: float = 8.0) -> int:
        """Ask it to end, insist after the limit, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(limit_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL


class Processes:
    """A group of children. As a context manager it stops them all, beginning with the last started."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._children: list[Child] = []
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, process_group=0
        )

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> Child:
        """Start `command`; what it writes goes to `<logs>/<name>.log`, appended if it is started again."""
        log = self._logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                [str(word) for word in command],
                stdin=stdin,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**parts.environment(), **(environment or {})},
                cwd=folder,
                process_group=self._keeper.pid,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def running(self) -> list[Child]:
        return [child for child in self._children if child.running]

    def ended(self) -> Child | None:
        """The first child that has ended by itself, if any."""
        return next((child for child in self._children if not child.running), None)

    def forget(self, child: Child) -> None:
        """Leave out a child that was ended on purpose."""
        self._children.remove(child)

    def close(self) -> None:
        """Ask every child to end, wait for each, then end everything that is still in the group."""
        for child in reversed(self._children):
            child.process.terminate()
        for child in reversed(self._children):
            if child.running:
                child.stop()
            if child.process.stdin is not None:
                child.process.stdin.close()
        with suppress(ProcessLookupError):
            os.killpg(self._keeper.pid, signal.SIGKILL)
        if self._keeper.stdin is not None:
            self._keeper.stdin.close()
        self._keeper.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()
