# SPDX-License-Identifier: AGPL-3.0-or-later
"""What staff tell a door to do: open once, capture a tag, take on a mode. Pure.

Obeyed once and only with the door's latest nonce; whatever comes of it is written as `command_done`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from access_contract.messages import Capture, Command, CommandDone, Open, SetMode
from access_contract.vocabulary import ClockQuality, mode_of
from door_agent.granting import unlock
from door_agent.happenings import (
    Count,
    Effect,
    PublishStatus,
    SendCaptured,
    Show,
    Stamp,
    TagRead,
)
from door_agent.standing import set_by_command
from door_agent.state import REMEMBERED, Done, Settings, State, record, veto

CAPTURE_SECONDS_MAX = 60.0
"""No capture stands for longer, whatever the clocks of door and server say."""


def commanded(settings: Settings, state: State, stamp: Stamp, command: Command) -> Done:
    """Obey, or say why not."""
    if command.command in state.commands:
        return state, [Count("replayed_command")]
    state = replace(state, commands=(*state.commands, command.command)[-REMEMBERED:])
    if command.nonce != state.nonce:
        return record(state, _done(command, "stale_nonce"))
    state = replace(state, nonce=stamp.fresh)
    obey: dict[type, Callable[..., Done]] = {Open: _open, Capture: _capture, SetMode: _set_mode}
    state, effects = obey[type(command)](settings, state, stamp, command)
    return state, [*effects, PublishStatus()]


def captured(state: State, capture: Capture, read: TagRead) -> Done:
    """Send the number for hand-out; this tap opens nothing."""
    state, effects = record(replace(state, capture=None, capture_until=None), _done(capture))
    return state, [SendCaptured(capture.command, read.number), *effects, Show(True, read.access_point)]


def capture_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """Let go of a capture that nobody tapped for."""
    if state.capture is None or state.capture_until is None or state.capture_until > stamp.monotonic:
        return state, []
    return record(replace(state, capture=None, capture_until=None), _done(state.capture, "expired"))


def _done(command: Command, refusal: str | None = None) -> CommandDone:
    did = {Open: "open", Capture: "capture", SetMode: "set_mode"}[type(command)]
    return CommandDone(command=command.command, did=did, refusal=refusal)  # type: ignore[arg-type]


def _open(settings: Settings, state: State, stamp: Stamp, command: Open) -> Done:
    refusal = veto(settings, state, passes_lock_down=False)
    if refusal is not None:
        return record(state, _done(command, refusal.value))
    state, effects = record(state, _done(command))
    state, more = unlock(settings, state, stamp)
    return state, [*effects, *more, Show(True)]


def _capture(_settings: Settings, state: State, stamp: Stamp, command: Capture) -> Done:
    effects: list[Effect] = []
    if state.capture is not None:
        state, effects = record(state, _done(state.capture, "replaced"))
    stands_seconds = CAPTURE_SECONDS_MAX
    if stamp.clock is not ClockQuality.UNTRUSTED:
        stands_seconds = min(stands_seconds, (command.until - stamp.now).total_seconds())
    if stands_seconds <= 0:
        state, more = record(replace(state, capture=None, capture_until=None), _done(command, "expired"))
        return state, effects + more
    return replace(state, capture=command, capture_until=stamp.monotonic + stands_seconds), effects


def _set_mode(_settings: Settings, state: State, _stamp: Stamp, command: SetMode) -> Done:
    mode = mode_of(command.mode)
    if mode is None:
        return record(state, _done(command, "unknown_mode"))
    state, effects = set_by_command(state, mode)
    state, more = record(state, _done(command))
    return state, effects + more
