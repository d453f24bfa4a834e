# SPDX-License-Identifier: AGPL-3.0-or-later
"""A machine with a hand on its clock, for the tests of what a door does."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from access_contract.entries import Outcome
from access_contract.messages import (
    Answer,
    Attention,
    Capture,
    CommandDone,
    Passed,
    SetMode,
    Tapped,
)
from access_contract.snapshot import Right, Snapshot, TagRights, Window, head_of
from access_contract.vocabulary import AccessPointId, ClockQuality, DoorId, DoorMode, TagNumber, tag_hash
from door_agent.happenings import (
    Answered,
    Commanded,
    ContactMoved,
    Effect,
    Energise,
    Happening,
    LinkChanged,
    Record,
    SendAsk,
    SnapshotTaken,
    Stamp,
    TagRead,
)
from door_agent.machine import Settings, State, empty_head, step

T0 = datetime(2026, 1, 31, 5, tzinfo=UTC)
KEY = bytes(range(32))
KNOWN = TagNumber.parse("04782E21801D80")
IN = AccessPointId("in")
FRONT = DoorId("front")
TAP = TagRead(IN, KNOWN)


class Door:
    """A machine with a hand on its clock, and everything that it did."""

    clock = ClockQuality.SYNCED

    def __init__(self, *, link: bool = False, contact: bool = True) -> None:
        self.settings = Settings(door=FRONT, tag_key=KEY, has_contact=contact)
        self.state = State(head=empty_head(FRONT))
        self.rights: Snapshot | None = None
        self.seconds, self.count = 0.0, 0
        self.did: list[Effect] = []
        self.hold(snapshot())
        if contact:
            self.happen(ContactMoved(False))
        if link:
            self.happen(LinkChanged(True))

    def hold(self, snapshot: Snapshot) -> list[Effect]:
        """Take on a snapshot; from now on each tag read comes with what it says."""
        self.rights = snapshot
        windows = () if snapshot.unlocking is None else snapshot.windows(snapshot.unlocking.windows)
        return self.happen(SnapshotTaken(head_of(snapshot), "d", windows))

    def happen(self, happening: Happening, after: float = 0.0) -> list[Effect]:
        self.seconds, self.count = self.seconds + after, self.count + 1
        now = T0 + timedelta(seconds=self.seconds)
        if isinstance(happening, TagRead):
            happening = replace(happening, rights=self.rights)
        stamp = Stamp(now=now, monotonic=self.seconds, clock=self.clock, fresh=f"f{self.count}")
        self.state, effects = step(self.settings, self.state, stamp, happening)
        self.did += effects
        return effects

    def recorded(self, kind: type) -> list[object]:
        return [effect.what for effect in self.did if isinstance(effect, Record) and isinstance(effect.what, kind)]

    def outcomes(self) -> list[Outcome]:
        return [what.outcome for what in self.recorded(Passed) if isinstance(what, Passed)]

    @property
    def pulses(self) -> int:
        return sum(isinstance(effect, Energise) for effect in self.did)

    def answer(self, effects: list[Effect], *, granted: bool) -> list[Effect]:
        ask = next(effect for effect in effects if isinstance(effect, SendAsk))
        return self.happen(Answered(Answer(ask=ask.ask, granted=granted, reason=None if granted else "tag_blocked")))


def snapshot() -> Snapshot:
    always = (Window(T0 - timedelta(days=1), T0 + timedelta(days=1)),)
    right = Right(cause="grant:1", windows="always", access_points=(IN,))
    return Snapshot(
        door=FRONT,
        number=1,
        made_at=T0,
        expires_at=T0 + timedelta(days=14),
        window_sets={"always": always},
        tags={tag_hash(KEY, KNOWN): TagRights(rights=(right,))},
    )


def tapped(door: Door) -> list[Tapped]:
    return [what for what in door.recorded(Tapped) if isinstance(what, Tapped)]


def refusals(door: Door) -> list[str | None]:
    return [what.refusal for what in door.recorded(CommandDone) if isinstance(what, CommandDone)]


def capture(door: Door, *, seconds: float, name: str = "c1") -> Capture:
    until = T0 + timedelta(seconds=door.seconds + seconds)
    return Capture(command=name, nonce=door.state.nonce, until=until)


def set_mode(door: Door, mode: DoorMode) -> list[Effect]:
    """Staff set this door's mode."""
    return door.happen(Commanded(SetMode(command=f"mode{door.count}", nonce=door.state.nonce, mode=mode)))


def hold_right(door: Door, *, extended: bool = False, **said: object) -> None:
    """Let the known tag's right say this, too."""
    before = snapshot()
    right = msgspec.structs.replace(before.tags[tag_hash(KEY, KNOWN)].rights[0], **said)
    tags = {tag_hash(KEY, KNOWN): TagRights(rights=(right,), extended=extended)}
    door.hold(msgspec.structs.replace(before, number=before.number + 1, tags=tags))


def hold_head(door: Door, number: int, **said: object) -> list[Effect]:
    """Take on a snapshot of this number whose head says this; `hours` are its unlocking windows."""
    hours = said.pop("hours", ())
    kept = {"always": snapshot().window_sets["always"], "hours": hours}
    return door.hold(msgspec.structs.replace(snapshot(), number=number, window_sets=kept, **said))


def raised(door: Door) -> list[tuple[str, bool]]:
    """Which words needed a person, and no longer did, in order."""
    return [(what.about, what.raised) for what in door.recorded(Attention) if isinstance(what, Attention)]


def words(door: Door) -> tuple[str, ...]:
    """What needs a person now."""
    return door.state.attention


def mode_of(door: Door) -> DoorMode:
    return door.state.mode
