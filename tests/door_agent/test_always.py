# SPDX-License-Identifier: AGPL-3.0-or-later
"""What holds whatever happens, in any order: happenings drawn at random, and each step looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access_contract.messages import Answer, CommandDone, ModeChanged, Open, RefusedAgain, SetMode, Tapped, UnlockingChanged
from access_contract.snapshot import LockDown, Unlocking, Window
from access_contract.vocabulary import ClockQuality, DoorMode, TagNumber
from door_agent import happenings as h
from door_agent.machine import next_due
from door_agent.state import State
from tests.door_agent.machine_door import IN, KNOWN, T0, Door, hold_head, hold_right

HOURS = (Window(T0 + timedelta(seconds=20), T0 + timedelta(seconds=60)),)
STRANGER = TagNumber.parse("04AABBCCDDEE80")
MOVES = (h.Energise, h.Operate, h.Disarm, h.StayUnlocked)
_happenings = st.one_of(
    st.sampled_from([h.TagRead(IN, KNOWN), h.TagRead(IN, STRANGER), h.TagUnreadable(IN), h.TimePassed()]),
    st.sampled_from([h.ExitPressed(), h.ExitReleased(), h.Started("1"), h.JournalReported(None, 0)]),
    st.booleans().flatmap(
        lambda on: st.sampled_from(
            [
                h.ContactMoved(on),
                h.BoltMoved(on),
                h.FireMoved(on),
                h.TamperMoved(on),
                h.AlarmMoved(on),
                h.LinkChanged(on),
                h.Noticed("reader_away", on),
            ]
        )
    ),
    st.sampled_from(
        ["disk full", "mode locked", "mode unlocked", "mode blocked", "mode locked-down", "open", "answer", "stale"]
    ),
    st.sampled_from(["down", "up", "hours", "first_in", "no hours", "host", "member", "slow member", "untrusted", "synced"]),
)
_steps = st.lists(st.tuples(_happenings, st.sampled_from([0.0, 0.1, 0.3, 1.0, 4.0, 11.0])), max_size=40)


class Wild:
    """A door with every part, driven by words as well as by happenings; `steps` is (before, what, effects, after)."""

    def __init__(self, *, admits: bool) -> None:
        self.door = Door(link=True)
        self.door.settings = replace(
            self.door.settings, operator_pulse_seconds=1.0, operator_delay_seconds=0.5, disarm_pulse_seconds=1.0,
            unwritable_refuses=not admits,
        )  # fmt: skip
        self.steps: list[tuple[State, object, list[h.Effect], State]] = []
        self.number = 1

    def do(self, what: object, after: float) -> None:
        """Let time pass, with what is due then, and then let it happen."""
        for one, seconds in ((h.TimePassed(), after), (what, 0.0)):
            before = self.door.state
            self.steps.append((before, one, self._happen(one, seconds), self.door.state))

    def _happen(self, what: object, after: float) -> list[h.Effect]:
        if isinstance(what, str):
            return self._word(what)
        if isinstance(what, h.JournalReported):
            return self.door.happen(h.JournalReported(None, self.door.state.sequence))
        return self.door.happen(what, after)  # type: ignore[arg-type]

    def _word(self, word: str) -> list[h.Effect]:
        door, state = self.door, self.door.state
        self.number += 1
        match word.split():
            case ["mode", mode]:
                command = SetMode(command=f"c{self.number}", nonce=state.nonce, mode=DoorMode(mode))
                return door.happen(h.Commanded(command))
            case ["open" | "stale" as nonce]:
                said = state.nonce if nonce == "open" else "stale"
                return door.happen(h.Commanded(Open(command=f"c{self.number}", nonce=said)))
            case ["answer"]:
                ask = state.waiting[0].ask if state.waiting else "none"
                return door.happen(h.Answered(Answer(ask=ask, granted=True, may_disarm=True, extended=True)))
            case ["disk", "full"]:
                return door.happen(h.JournalReported(word, state.sequence))
            case ["untrusted" | "synced"]:
                door.clock = ClockQuality(word)
                return door.happen(h.TimePassed())
            case _:
                return self._snapshot(word)

    def _snapshot(self, word: str) -> list[h.Effect]:
        before = len(self.door.did)
        match word:
            case "down" | "up":
                hold_head(self.door, self.number, lock_down=LockDown(number=self.number, on=word == "down"))
            case "hours" | "first_in":
                hold_head(
                    self.door, self.number, hours=HOURS, unlocking=Unlocking(windows="hours", first_in=word == "first_in")
                )
            case "host":
                hold_right(self.door, may_disarm=True, starts_unlocking=True)
            case _:
                hold_right(self.door, extended=word == "slow member")
        return self.door.did[before:]


def driven(steps: list[tuple[object, float]], *, admits: bool = False) -> Wild:
    wild = Wild(admits=admits)
    for what, after in steps:
        wild.do(what, after)
    return wild


def records(effects: list[h.Effect]) -> list[object]:
    return [effect.what for effect in effects if isinstance(effect, h.Record)]


def opens(what: object) -> bool:
    granted = isinstance(what, Tapped) and what.granted
    return granted or (isinstance(what, CommandDone) and what.did == "open" and what.refusal is None)


def _nothing_without_a_record(steps: list[tuple[object, float]]) -> None:
    for _, _, effects, _ in driven(steps).steps:
        written: list[object] = []
        for effect in effects:
            if isinstance(effect, h.Record):
                written.append(effect.what)
            if isinstance(effect, h.Energise):
                assert any(opens(what) for what in written)
                written = [what for what in written if not opens(what)]


def _what_the_door_knows_is_a_veto(steps: list[tuple[object, float]]) -> None:
    for _, _, effects, after in driven(steps).steps:
        if any(isinstance(effect, h.Energise) for effect in effects):
            assert after.mode not in (DoorMode.BLOCKED, DoorMode.LOCKED_DOWN)
            assert after.journal_writable
            assert not after.alarm_armed


def _the_link_moves_nothing(steps: list[tuple[object, float]], at: int) -> None:
    wild = driven([*steps[:at], (h.TimePassed(), 0.0)])
    before = [waiting.own.granted for waiting in wild.door.state.waiting]
    for up in (True, False, True):
        effects = wild.door.happen(h.LinkChanged(up))
        moved = [effect for effect in effects if isinstance(effect, MOVES)]
        assert up is False or moved == []
        assert len([effect for effect in moved if isinstance(effect, h.Energise)]) <= sum(before)
        assert not any(isinstance(effect, h.StayUnlocked) for effect in moved) or any(before)


def _the_relay_stays_as_it_is_said(steps: list[tuple[object, float]]) -> None:
    on = False
    for before, _, effects, after in driven(steps).steps:
        for effect in effects:
            if isinstance(effect, h.StayUnlocked):
                on = effect.on
                told = [what for what in records(effects) if isinstance(what, ModeChanged | UnlockingChanged)]
                assert not on or told or before.stands_unlocked
        assert on is after.stands_unlocked is after.kept_unlocked


def _every_tap_is_written_once(steps: list[tuple[object, float]], admits: bool) -> None:  # noqa: FBT001
    wild = driven(steps, admits=admits)
    taps = sum(isinstance(what, h.TagRead | h.TagUnreadable) for what, _ in steps)
    for _ in range(3):
        wild.door.happen(h.TimePassed(), after=61)
    again = [what.times for what in wild.door.recorded(RefusedAgain) if isinstance(what, RefusedAgain)]
    assert len(wild.door.recorded(Tapped)) + sum(again) == taps
    assert (wild.door.state.waiting, wild.door.state.disarming, wild.door.state.passes) == ((), (), ())


def _what_is_due_comes_and_is_then_over(steps: list[tuple[object, float]]) -> None:
    wild = driven(steps)
    for _ in range(30):
        due = next_due(wild.door.state)
        if due is None:
            return
        wild.door.happen(h.TimePassed(), after=max(0.0, due - wild.door.seconds))
    raise AssertionError(f"still due: {next_due(wild.door.state)} after {wild.door.seconds}")


def _numbers_of_lock_downs_only_grow(steps: list[tuple[object, float]]) -> None:
    for before, after in pairwise(state for _, _, _, state in driven(steps).steps):
        assert after.lock_down >= before.lock_down


PROMISES: dict[str, tuple[Callable[..., None], tuple[st.SearchStrategy[Any], ...]]] = {
    "nothing is energised without a granted tap or command written before it in the same step": (
        _nothing_without_a_record,
        (_steps,),
    ),
    "nothing is energised while blocked, locked down, armed, or with a journal that refuses": (
        _what_the_door_knows_is_a_veto,
        (_steps,),
    ),
    "the link, up or down, moves nothing but what a waiting tap was granted by the door itself": (
        _the_link_moves_nothing,
        (
            _steps,
            st.integers(0, 40),
        ),
    ),
    "the relay stays on exactly while mode or hours say so, and that is written down": (
        _the_relay_stays_as_it_is_said,
        (_steps,),
    ),
    "every tap is written once, or counted with one, and none is left without an outcome": (
        _every_tap_is_written_once,
        (
            _steps,
            st.booleans(),
        ),
    ),
    "what is due comes, and the door then rests: it never turns in circles": (_what_is_due_comes_and_is_then_over, (_steps,)),
    "the number of a lock-down never goes back": (_numbers_of_lock_downs_only_grow, (_steps,)),
}


def hold(promise: str, how: settings) -> None:
    """Try a promise on random days. Whatever `how` says concerns this trial alone."""
    check, days = PROMISES[promise]

    def trial(drawn: tuple[Any, ...]) -> None:
        check(*drawn)

    how(given(st.tuples(*days))(trial))()


@pytest.mark.parametrize("promise", PROMISES)
def test_it_holds_whatever_happens(promise: str) -> None:
    """Each promise, over some tens of random days of a door."""
    hold(promise, settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True))


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("promise", PROMISES)
def test_it_holds_whatever_happens_in_thousands_of_days(promise: str) -> None:
    """The same promises, over thousands of random days, each time others."""
    hold(promise, settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck)))
