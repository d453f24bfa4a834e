# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door does: `step(settings, state, stamp, happening) -> (state, effects)`.

Pure: no I/O, no clock, no chance; all three come in with the stamp. It grants one pulse for one tap or command, never more;
a late answer changes nothing; what only the door knows can only refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import assert_never

from access_contract.messages import Booted
from door_agent.commands import capture_due, commanded
from door_agent.doubt import clock_due
from door_agent.granting import alarm_moved, disarm_due, operate_due
from door_agent.happenings import (
    AlarmMoved,
    Answered,
    BoltMoved,
    Commanded,
    ContactMoved,
    Effect,
    Ending,
    ExitPressed,
    ExitReleased,
    FireMoved,
    Happening,
    JournalLate,
    JournalReported,
    LinkChanged,
    Noticed,
    PublishStatus,
    ReaderMoved,
    SnapshotTaken,
    Stamp,
    Started,
    TagRead,
    TagUnreadable,
    TamperMoved,
    TimePassed,
)
from door_agent.leaf import (
    closed,
    exit_due,
    exit_pressed,
    exit_released,
    held_due,
    opened,
    relock_due,
    watch_bolt,
    watch_leaf,
)
from door_agent.refusals import run_instants, runs_due, runs_end
from door_agent.standing import stand, undo
from door_agent.state import Done, Settings, State, empty_head, notice, record
from door_agent.taps import answered, asks_due, link_lost, tag_read, tag_unreadable

__all__ = ["Settings", "State", "empty_head", "next_due", "step"]
_SLOW_STANDS_SECONDS = 3600.0


def step(settings: Settings, state: State, stamp: Stamp, happening: Happening) -> Done:
    """Return the door after `happening`, and what is to be done, in order. What was due before comes first."""
    due = () if isinstance(happening, Started) else _DUE
    state, effects = _each(due, settings, state, stamp)
    state, more = _happened(settings, state, stamp, happening)
    state, still_more = _each(_FOLLOWS, settings, state, stamp)
    return state, effects + more + still_more


def next_due(state: State) -> float | None:
    """Return the monotonic instant by which the machine wants to be stepped, if any."""
    instants = [one.until for one in state.waiting] + [one.until for one in state.disarming] + run_instants(state)
    due = (
        state.unlocked_until,
        None if state.bolt_thrown else state.operate_at,
        state.exit_until,
        state.exit_stuck_at,
        state.pre_alarm_at,
        state.held_open_at,
        state.bolt_late_at,
        state.capture_until,
        state.slow_until,
    )
    return min([*instants, *(at for at in due if at is not None)], default=None)


def _happened(settings: Settings, state: State, stamp: Stamp, happening: Happening) -> Done:  # noqa: C901
    match happening:
        case TagRead():
            return tag_read(settings, state, stamp, happening)
        case TagUnreadable():
            return tag_unreadable(settings, state, stamp, happening)
        case Answered(answer):
            return answered(settings, state, stamp, answer)
        case Commanded(command):
            return commanded(settings, state, stamp, command)
        case ContactMoved(is_open):
            return opened(state) if is_open else closed(state)
        case BoltMoved(thrown):
            return replace(state, bolt_thrown=thrown), []
        case ExitPressed():
            return exit_pressed(settings, state, stamp)
        case ExitReleased():
            return exit_released(settings, state, stamp)
        case TamperMoved(tampered):
            return notice(state, "tamper", raised=tampered)
        case FireMoved(sounding):
            return notice(replace(state, fire=sounding), "fire", raised=sounding)
        case AlarmMoved(armed):
            return alarm_moved(settings, state, stamp, armed=armed)
        case LinkChanged(up):
            return _link_changed(settings, state, stamp, up=up)
        case SnapshotTaken():
            return _snapshot_taken(state, happening)
        case JournalReported():
            return _journal_reported(settings, state, happening)
        case JournalLate(detail):
            state = replace(state, slow_until=stamp.monotonic + _SLOW_STANDS_SECONDS)
            return notice(state, "journal_slow", raised=True, detail=detail)
        case ReaderMoved():
            return _reader_moved(state, happening)
        case Noticed(about, raised, detail):
            return notice(state, about, raised=raised, detail=detail)
        case TimePassed():
            return state, []
        case Started():
            return _started(state, stamp, happening)
        case Ending():
            return runs_end(settings, state)
        case _:
            assert_never(happening)


def _started(state: State, stamp: Stamp, started: Started) -> Done:
    state = replace(state, nonce=stamp.fresh, clock=stamp.clock)
    return record(state, Booted(version=started.version, continues=started.continues))


def _each(parts: Iterable[Callable[[Settings, State, Stamp], Done]], settings: Settings, state: State, stamp: Stamp) -> Done:
    effects: list[Effect] = []
    for part in parts:
        state, more = part(settings, state, stamp)
        effects += more
    return state, effects


def _slow_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    if state.slow_until is None or state.slow_until > stamp.monotonic:
        return state, []
    return notice(replace(state, slow_until=None), "journal_slow", raised=False)


def _link_changed(settings: Settings, state: State, stamp: Stamp, *, up: bool) -> Done:
    state, effects = (replace(state, link_up=True), []) if up else link_lost(settings, state, stamp)
    state = replace(state, answers_come=True, nonce=stamp.fresh)
    return state, [*effects, PublishStatus()] if up else effects


def _snapshot_taken(state: State, taken: SnapshotTaken) -> Done:
    state = replace(state, head=taken.head, digest=taken.digest, unlocking_windows=taken.unlocking_windows)
    state, effects = notice(state, "snapshot_lost", raised=taken.digest is None)
    return state, [*effects, PublishStatus()]


def _journal_reported(settings: Settings, state: State, reported: JournalReported) -> Done:
    writable = reported.trouble is None
    effects: list[Effect] = []
    state = replace(state, journal_writable=writable)
    if not writable:  # what was not recorded has not happened: no tap can pass, no operator starts; how it stands is told anew
        kept = tuple(tap for tap in state.passes if tap <= reported.sequence)
        runs = tuple(run for run in state.runs if run.tap is None or run.tap <= reported.sequence)
        operate_at = None if settings.unwritable_refuses else state.operate_at
        state, effects = undo(settings, replace(state, passes=kept, runs=runs, operate_at=operate_at), reported.sequence)
        state = replace(state, sequence=reported.sequence, kept_unlocked=state.kept_unlocked and not state.stands_unlocked)
    state, more = notice(state, "journal_unwritable", raised=not writable, detail=reported.trouble or "")
    return state, effects + more


def _reader_moved(state: State, moved: ReaderMoved) -> Done:
    point = moved.access_point
    readers = sorted((*(one for one in state.readers if one[0] != point), (point, moved.name)))
    why = [one for one in state.readers_why if one[0] != point]
    if moved.name is None:
        why = sorted((*why, (point, moved.detail)))
    state = replace(state, readers=tuple(readers), readers_why=tuple(why))
    said = "; ".join(f"{away}: {detail}" for away, detail in why)
    state, effects = notice(state, "reader_away", raised=bool(why), detail=said)
    return state, [*effects, PublishStatus()]


_DUE = (
    clock_due,
    stand,
    asks_due,
    runs_due,
    disarm_due,
    exit_due,
    operate_due,
    relock_due,
    held_due,
    capture_due,
    _slow_due,
)
"""What time alone brings, before what happened."""
_FOLLOWS = (stand, operate_due, watch_leaf, watch_bolt)
"""What follows from how things are now, after whatever happened."""
