# SPDX-License-Identifier: AGPL-3.0-or-later
"""Somebody at a terminal: reads what a command asks and types the answers, with a real terminal between them."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

SERVER = Path(sys.executable).with_name("booking-server")
LIMIT_SECONDS = 60


class Typist:
    """One command at a terminal of its own; ended with the block."""

    def __init__(self, *words: str | Path) -> None:
        self.said = ""
        self._read_to = 0
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            signal.signal(
                signal.SIGINT, signal.SIG_DFL
            )  # a run of tests in the background ignores Ctrl-C, and would hand that on
            os.execv(SERVER, [str(SERVER), *map(str, words)])  # noqa: S606 - our own program, in the child

    def reads(self, text: str) -> None:
        """Wait until `text` was shown since what was read last."""
        until = time.monotonic() + LIMIT_SECONDS
        while (found := self.said.find(text, self._read_to)) < 0:
            assert time.monotonic() < until, f"{text!r} was not shown within {LIMIT_SECONDS} s: {self.said}"
            assert self._more(), f"{text!r} was not shown: {self.said}"
        self._read_to = found + len(text)

    def types(self, text: str) -> None:
        os.write(self._terminal, f"{text}\n".encode())

    def answers(self, question: str, text: str) -> None:
        """Wait for the question, type the answer."""
        self.reads(question)
        self.types(text)

    def presses_ctrl_c(self) -> None:
        os.write(self._terminal, b"\x03")

    def ends(self) -> int:
        """Wait until the command has ended and return its exit code."""
        while self._more():
            pass
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._pid = 0
        return code

    def _more(self) -> bool:
        """Read on; False at the end, which a terminal tells by an error."""
        if not select.select([self._terminal], [], [], LIMIT_SECONDS)[0]:
            return False
        with suppress(OSError):
            if part := os.read(self._terminal, 4096):
                self.said += part.decode("utf-8", "replace").replace("\r\n", "\n")
                return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._terminal)
