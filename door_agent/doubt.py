# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door says of its clock: that it is trusted from here on, and that somebody must look if it is not for long. Pure."""

from __future__ import annotations

from dataclasses import replace

from access_contract.messages import ClockSynced
from access_contract.vocabulary import ClockQuality
from door_agent.happenings import Effect, Stamp
from door_agent.state import Done, Settings, State, notice, record

DOUBTED_SECONDS = 15 * 60.0
"""After a power cut the network takes minutes; a clock that is doubted for longer will not come right by itself."""


def clock_due(_settings: Settings, state: State, stamp: Stamp) -> Done:
    """Take on how far the clock is trusted now; the server dates anew what was before."""
    before, state = state.clock, replace(state, clock=stamp.clock)
    if stamp.clock is ClockQuality.UNTRUSTED:
        since = stamp.monotonic if state.doubted_since is None else state.doubted_since
        state = replace(state, doubted_since=since)
        if stamp.monotonic - since < DOUBTED_SECONDS:
            return state, []
        return notice(state, "clock_untrusted", raised=True, detail="not trusted for a quarter of an hour")
    state = replace(state, doubted_since=None)
    effects: list[Effect] = []
    if before is ClockQuality.UNTRUSTED and state.sequence > 0:
        state, effects = record(state, ClockSynced())
    state, more = notice(state, "clock_untrusted", raised=False)
    return state, [*effects, *more]
