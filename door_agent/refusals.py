# SPDX-License-Identifier: AGPL-3.0-or-later
"""Counts refusals that repeat each other, so that nobody fills the journal by holding a tag to the reader. Pure.

The first refusal is always an event of its own, and so is every granted tap. What was counted is written when the run ends, and
at least every ten minutes. Only unknown tags that come too many to tell apart are counted together.
"""

from __future__ import annotations

from dataclasses import replace

from access_contract.messages import RefusedAgain, Tapped
from access_contract.vocabulary import AccessPointId, Reason, TagHash
from door_agent.happenings import Effect, Stamp
from door_agent.state import Done, Run, Settings, State, record

RUN_GAP_SECONDS = 60.0
WRITTEN_SECONDS = 600.0
RUNS_MAX = 32


def refused(settings: Settings, state: State, stamp: Stamp, tapped: Tapped) -> Done:
    """Write a refusal down, or count it with the one that it repeats."""
    run = next((run for run in state.runs if _repeats(run, tapped)), None)
    run = run or next((run for run in state.runs if run.many and _is_one_of_many(run, tapped)), None)
    if run is not None:
        return _with(state, run, _counted(run, stamp)), []
    state, effects = broken_off(settings, state, tapped.access_point, tapped.tag)
    many = len(state.runs) >= RUNS_MAX and tapped.reason == Reason.TAG_UNKNOWN
    if len(state.runs) >= RUNS_MAX and not many:
        state, more = _ended(settings, state, min(state.runs, key=lambda run: run.last))
        effects += more
    state, more = record(state, tapped)
    return replace(state, runs=(*state.runs, _begun(state.sequence, tapped, stamp, many=many))), effects + more


def broken_off(settings: Settings, state: State, point: AccessPointId, tag: TagHash | None) -> Done:
    """End the runs of this tag at this reader: it was answered otherwise."""
    ending = [run for run in state.runs if not run.many and (run.access_point, run.tag) == (point, tag)]
    return _all_ended(settings, state, ending)


def runs_due(settings: Settings, state: State, stamp: Stamp) -> Done:
    """End the runs that nothing has been added to for a minute, and write down now and then what goes on."""
    over = [run for run in state.runs if run.last + RUN_GAP_SECONDS <= stamp.monotonic]
    state, effects = _all_ended(settings, state, over)
    for run in [run for run in state.runs if run.times and run.write_at <= stamp.monotonic]:
        state = _with(state, run, replace(run, times=0, write_at=stamp.monotonic + WRITTEN_SECONDS))
        state, more = record(state, _again(settings, run))
        effects += more
    return state, effects


def runs_end(settings: Settings, state: State) -> Done:
    """End all runs: the door is about to stop."""
    return _all_ended(settings, state, state.runs)


def run_instants(state: State) -> list[float]:
    """Return when the runs want to be looked at."""
    return [min(run.last + RUN_GAP_SECONDS, run.write_at if run.times else float("inf")) for run in state.runs]


def _repeats(run: Run, tapped: Tapped) -> bool:
    same = (run.access_point, run.tag, run.reason) == (tapped.access_point, tapped.tag, tapped.reason)
    return same and not run.many and run.disagreed == _disagreed(tapped)


def _is_one_of_many(run: Run, tapped: Tapped) -> bool:
    return (run.access_point, Reason.TAG_UNKNOWN.value) == (tapped.access_point, tapped.reason)


def _disagreed(tapped: Tapped) -> bool:
    return tapped.server_granted is not None and tapped.server_granted != tapped.own_granted


def _begun(tap: int, tapped: Tapped, stamp: Stamp, *, many: bool) -> Run:
    return Run(
        tap=tap,
        access_point=tapped.access_point,
        tag=None if many else tapped.tag,
        reason=tapped.reason or "",
        disagreed=_disagreed(tapped),
        many=many,
        first_at=stamp.now,
        last_at=stamp.now,
        last=stamp.monotonic,
        write_at=stamp.monotonic + WRITTEN_SECONDS,
    )


def _counted(run: Run, stamp: Stamp) -> Run:
    first_at = run.first_at if run.times else stamp.now
    return replace(run, times=run.times + 1, first_at=first_at, last_at=stamp.now, last=stamp.monotonic)


def _with(state: State, run: Run, instead: Run) -> State:
    return replace(state, runs=tuple(instead if other is run else other for other in state.runs))


def _all_ended(settings: Settings, state: State, runs: tuple[Run, ...] | list[Run]) -> Done:
    effects: list[Effect] = []
    for run in runs:
        state, more = _ended(settings, state, run)
        effects += more
    return state, effects


def _ended(settings: Settings, state: State, run: Run) -> Done:
    state = replace(state, runs=tuple(other for other in state.runs if other is not run))
    return record(state, _again(settings, run)) if run.times else (state, [])


def _again(settings: Settings, run: Run) -> RefusedAgain:
    return RefusedAgain(
        tap=run.tap,
        access_point=run.access_point,
        tag=run.tag,
        reason=run.reason,
        times=run.times,
        first_at=run.first_at,
        last_at=max(run.first_at, run.last_at),
        simulated=settings.simulated,
    )
