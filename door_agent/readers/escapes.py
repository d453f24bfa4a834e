# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells PC/SC readers, from a thread of its own, to be silent when they come, to show a word at a tap, and "are you well?".

No tap waits for any of it, and none fails because of it. A reader is called deaf only if it answered before: one whose driver
lets no such command through says nothing about its health.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from door_agent.readers.control import Control, NotSent
from door_agent.readers.feedback import Profile, profile_of
from door_agent.readers.port import Shown

PROBE_SECONDS = 30.0
_AGAIN_SECONDS = 5.0
_FAILURES = 3
_HANGS_SECONDS = 10.0
_SILENT_SECONDS = 3600.0
"""A reader that never answered is hardly asked again: pcscd writes a line into the system's log each time."""


class Escapes:
    """The commands of all readers of one access point."""

    def __init__(self, scard: Any, *, probe_seconds: float = PROBE_SECONDS) -> None:
        self._control, self._probe_seconds = Control(scard), probe_seconds
        self._changed = threading.Condition()
        self._word: tuple[str, Shown] | None = None
        self._new: set[str] = set()
        self._probe_at: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._probing: tuple[str, float] | None = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="reader commands", daemon=True)
        self._thread.start()

    def attached(self, names: Iterable[str]) -> None:
        """These readers are there now and no others: one that was pulled out and put back begins anew."""
        known = {name for name in names if profile_of(name) is not None}
        with self._changed:
            if known != set(self._probe_at):
                self._new = (self._new | known - set(self._probe_at)) & known
                self._probe_at = {name: self._probe_at.get(name, 0.0) for name in known}
                self._failures = {name: count for name, count in self._failures.items() if name in known}
                self._changed.notify()

    def lost(self) -> None:
        """pcscd is away, or is to be left alone: send nothing until readers are attached again. What is deaf stays deaf."""
        with self._changed:
            self._new.clear()
            self._probe_at.clear()

    def show(self, name: str, shown: Shown) -> None:
        """Show it soon; a word not yet begun gives way to this one, and one that is being shown is cut short."""
        with self._changed:
            if name in self._probe_at:
                self._word = (name, shown)
                self._changed.notify()

    def is_well(self, name: str) -> None:
        """It has just read a tag."""
        with self._changed:
            self._failures.pop(name, None)

    def deaf(self) -> list[str]:
        """Return the readers that are there and do not answer any more, or hold the command back."""
        with self._changed:
            deaf = {name for name, count in self._failures.items() if count >= _FAILURES}
            if self._probing is not None and time.monotonic() - self._probing[1] > _HANGS_SECONDS:
                deaf.add(self._probing[0])
            return sorted(deaf)

    def close(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(1.0)

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work, timeout=self._wait_seconds())
                if self._ended:
                    return
                word, self._word = self._word, None
                new, self._new = self._new, set()
                due = [name for name, at in self._probe_at.items() if at <= time.monotonic()]
            for name in new:
                self._silence(name)
            if word is not None:
                self._show(*word)
            else:
                for name in due:
                    self._probe(name)

    def _has_work(self) -> bool:
        return self._ended or self._word is not None or bool(self._new)

    def _wait_seconds(self) -> float:
        return max(0.0, min(self._probe_at.values(), default=time.monotonic() + _HANGS_SECONDS) - time.monotonic())

    def _silence(self, name: str) -> None:
        profile = _known(name)
        with suppress(NotSent):
            if profile.is_silent is None or self._control.send(name, [profile.is_silent[0]]) != [profile.is_silent[1]]:
                self._control.send(name, [profile.silence])

    def _show(self, name: str, shown: Shown) -> None:
        profile = _known(name)
        for commands, seconds in profile.shown[shown]:
            with suppress(NotSent):
                if None in self._control.send(name, commands) and profile.also_by_card:
                    self._control.send_by_card(name, [profile.silence, *commands])
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._word is not None, timeout=seconds)
                if self._word is not None:  # which begins with a state of its own; at the end the rest goes out at once
                    return

    def _probe(self, name: str) -> None:
        with self._changed:
            self._probing = (name, time.monotonic())
        try:
            answered = self._control.send(name, [_known(name).are_you_well]) != [None]
        except NotSent:
            answered = None
        with self._changed:
            self._probing = None
            if answered:
                self._failures.pop(name, None)
            elif answered is False and self._control.answers(name):
                self._failures[name] = self._failures.get(name, 0) + 1
            if name in self._probe_at:
                self._probe_at[name] = time.monotonic() + self._until_next_probe(name)

    def _until_next_probe(self, name: str) -> float:
        if not self._control.answers(name):
            return _SILENT_SECONDS
        return min(_AGAIN_SECONDS, self._probe_seconds) if name in self._failures else self._probe_seconds


def _known(name: str) -> Profile:
    profile = profile_of(name)
    if profile is None:
        raise ValueError(f"nothing is known of the reader {name}")
    return profile
