# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a door says of itself to whoever stands at its box: a value the loop makes anew each second, and its text.

It names no tag and no person, not even by a hash. It only tells; the log hears of each change of what needs a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from access_contract.messages import Tapped
from door_agent import happenings as h
from door_agent.journal import Journal
from door_agent.log import Log
from door_agent.state import Settings, State
from door_agent.wording import attention

_log = Log("door")


class _Told(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Reader(_Told, frozen=True, kw_only=True):
    """`name` None: it is away, and `why`."""

    access_point: str
    name: str | None
    why: str = ""


class Needs(_Told, frozen=True, kw_only=True):
    """What needs a person: the word, its sentence with what to do, and the newest cause."""

    about: str
    sentence: str
    cause: str = ""


class Tap(_Told, frozen=True, kw_only=True):
    """The last tap, whoever it was."""

    at: datetime
    access_point: str
    granted: bool
    reason: str | None


class Told(_Told, frozen=True, kw_only=True):
    """A door as it stands now. Instants are UTC; `link_since` is None before the first connection."""

    door: str
    version: str
    at: datetime
    up_seconds: int
    simulated: bool
    mode: str
    unlocked: bool
    leaf: str | None
    alarm_armed: bool | None
    readers: list[Reader]
    clock: str
    snapshot_number: int
    snapshot_made_at: datetime | None
    snapshot_expires_at: datetime | None
    journal_last: int
    journal_acknowledged: int
    journal_waiting: int
    journal_events_max: int
    link_up: bool
    link_since: datetime | None
    certificate_ends: datetime
    needs: list[Needs]
    last_tap: Tap | None


class Teller:
    """Watches each step of the machine. `show` takes the door as it stands, and must not wait."""

    def __init__(self, settings: Settings, version: str) -> None:
        self.show: Callable[[Told], None] = lambda _told: None
        self._settings, self._version = settings, version
        self._started_at = 0.0
        self._link: tuple[bool, datetime | None] = (False, None)
        self._last_tap: Tap | None = None

    def saw(self, stamp: h.Stamp, before: State, after: State, effects: list[h.Effect]) -> None:
        """Note what a step changed."""
        self._started_at = self._started_at or stamp.monotonic
        if after.link_up is not self._link[0]:
            self._link = (after.link_up, stamp.now)
        self._last_tap = _tapped(stamp, after, effects) or self._last_tap
        if after.causes != before.causes:
            _log_changes(dict(before.causes), dict(after.causes))

    def tell(self, stamp: h.Stamp, state: State, journal: Journal, certificate_ends: datetime) -> None:
        """Show the door as it stands."""
        self.show(self._told(stamp, state, journal, certificate_ends))

    def _told(self, stamp: h.Stamp, state: State, journal: Journal, certificate_ends: datetime) -> Told:
        head, why = state.head, dict(state.readers_why)
        return Told(
            door=self._settings.door,
            version=self._version,
            at=stamp.now,
            up_seconds=int(stamp.monotonic - self._started_at),
            simulated=self._settings.simulated,
            mode=state.mode,
            unlocked=state.stands_unlocked,
            leaf=None if state.contact_open is None else "open" if state.contact_open else "closed",
            alarm_armed=state.alarm_armed,
            readers=[Reader(access_point=at, name=name, why=why.get(at, "")) for at, name in state.readers],
            clock=stamp.clock,
            snapshot_number=head.number,
            snapshot_made_at=head.made_at if head.number else None,
            snapshot_expires_at=head.expires_at if head.number else None,
            journal_last=journal.sequence,
            journal_acknowledged=journal.acknowledged,
            journal_waiting=journal.waiting,
            journal_events_max=journal.events_max,
            link_up=self._link[0],
            link_since=self._link[1],
            certificate_ends=certificate_ends,
            needs=[Needs(about=word, sentence=attention(word), cause=cause) for word, cause in state.causes],
            last_tap=self._last_tap,
        )


def _tapped(stamp: h.Stamp, after: State, effects: list[h.Effect]) -> Tap | None:
    """Return the tap that a step answered, also one that was only counted with the refusal that it repeats."""
    for effect in effects:
        if isinstance(effect, h.Record) and isinstance(effect.what, Tapped):
            tap = effect.what
            return Tap(at=stamp.now, access_point=tap.access_point, granted=tap.granted, reason=tap.reason)
    counted = [run for run in after.runs if run.last == stamp.monotonic and run.times]
    if not counted:
        return None
    return Tap(at=stamp.now, access_point=counted[-1].access_point, granted=False, reason=counted[-1].reason)


def _log_changes(before: dict[str, str], after: dict[str, str]) -> None:
    """A word that is raised or cleared, and another cause of one that stands."""
    for word in after:
        if before.get(word) != after[word]:
            _log.warning("needs attention", about=word, cause=after[word])
    for word in before:
        if word not in after:
            _log.info("needs attention no longer", about=word)


def lines(told: Told) -> Iterator[tuple[str, str]]:
    """Yield what is told as pairs of a name and its text, for a screen or a page."""
    yield "door", told.door + (" (simulated)" if told.simulated else "")
    yield "version", f"{told.version}, running for {_duration(told.up_seconds)}"
    stands = "stands unlocked" if told.unlocked else "locked" if told.mode == "locked" else ""
    yield "mode", told.mode + (f", {stands}" if stands and stands != told.mode else "")
    yield "leaf", told.leaf or "no contact is wired"
    if told.alarm_armed is not None:
        yield "burglar alarm", "armed" if told.alarm_armed else "disarmed"
    for reader in told.readers:
        yield f"reader {reader.access_point}", reader.name or f"away: {reader.why}"
    yield "clock", f"{_instant(told.at)}, {told.clock}"
    yield "link", ("online" if told.link_up else "offline") + (f" since {_instant(told.link_since)}" if told.link_since else "")
    yield "rights", _rights(told)
    yield (
        "journal",
        (
            f"event {told.journal_last}, acknowledged up to {told.journal_acknowledged},"
            f" {told.journal_waiting} of at most {told.journal_events_max} wait for the server"
        ),
    )
    yield "certificate", f"ends {_instant(told.certificate_ends)}"
    yield "last tap", _tap(told.last_tap)
    for needs in told.needs:
        yield "attention", needs.sentence + (f" [{needs.about}: {needs.cause}]" if needs.cause else f" [{needs.about}]")
    if not told.needs:
        yield "attention", "nothing needs attention"


def text(told: Told) -> str:
    """Return it as lines for a screen."""
    return "\n".join(f"{name:<14} {said}" for name, said in lines(told))


def _rights(told: Told) -> str:
    if told.snapshot_made_at is None or told.snapshot_expires_at is None:
        return "none yet: everyone is refused until the server has sent them"
    age = _duration(max(0, int((told.at - told.snapshot_made_at).total_seconds())))
    over = "expired" if told.at >= told.snapshot_expires_at else "good until"
    return f"snapshot {told.snapshot_number}, {age} old, {over} {_instant(told.snapshot_expires_at)}"


def _tap(tap: Tap | None) -> str:
    if tap is None:
        return "none since the start"
    return f"{_instant(tap.at)} at {tap.access_point}: " + ("granted" if tap.granted else f"refused, {tap.reason}")


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}Z"


def _duration(seconds: int) -> str:
    for unit, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"
