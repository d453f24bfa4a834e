# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door stand as it was told: locked down until a newer word lifts it, unlocked in its hours and never longer?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from access_contract.messages import ModeChanged, UnlockingChanged
from access_contract.snapshot import LockDown, Snapshot, TagRights, Unlocking, Window
from access_contract.vocabulary import ClockQuality, DoorMode, tag_hash
from door_agent.happenings import (
    AlarmMoved,
    Effect,
    JournalReported,
    KeepMode,
    LinkChanged,
    Started,
    StayUnlocked,
    TimePassed,
)
from door_agent.machine import State
from door_agent.mode_file import Kept, parse, written
from tests.door_agent.machine_door import KEY, KNOWN, T0, TAP, Door, hold_head, mode_of, set_mode, tapped

HOURS = (Window(T0 + timedelta(seconds=100), T0 + timedelta(seconds=200)),)
HASH = tag_hash(KEY, KNOWN)
BY_THEMSELVES, FIRST_IN = Unlocking(windows="hours"), Unlocking(windows="hours", first_in=True)


def kept(effects: list[Effect]) -> Kept:
    """What was last to be written durably."""
    return [effect.kept for effect in effects if isinstance(effect, KeepMode)][-1]


def started_again(door: Door, head_of: Door, stood: Kept) -> None:
    """Start the door anew with what its disk holds: what it kept, and a snapshot."""
    door.state = State(
        head=head_of.state.head,
        unlocking_windows=head_of.state.unlocking_windows,
        mode=stood.mode,
        mode_before=stood.before,
        lock_down=stood.lock_down,
        started_at=stood.started_at,
    )
    door.happen(Started("1"))


def modes(door: Door) -> list[tuple[str, str]]:
    return [(what.mode, what.because) for what in door.recorded(ModeChanged) if isinstance(what, ModeChanged)]


def hours(door: Door) -> list[tuple[bool, str]]:
    return [(what.unlocked, what.because) for what in door.recorded(UnlockingChanged) if isinstance(what, UnlockingChanged)]


def stays(effects: list[Effect]) -> list[bool]:
    return [effect.on for effect in effects if isinstance(effect, StayUnlocked)]


def host(door: Door) -> None:
    """From now on the known tag is the host's, who may start the hours. What the snapshot says of the door stays."""
    assert isinstance(door.rights, Snapshot)
    may = msgspec.structs.replace(door.rights.tags[HASH].rights[0], starts_unlocking=True)
    door.rights = msgspec.structs.replace(door.rights, tags={HASH: TagRights(rights=(may,))})


# --- lock-down ---


def test_a_lock_down_is_obeyed_once_and_lifted_to_the_mode_before() -> None:
    """The word locks the door down, the next word takes it back to where it stood; the journal says why."""
    door = Door()
    set_mode(door, DoorMode.UNLOCKED)
    hold_head(door, 2, lock_down=LockDown(number=7, on=True))
    assert (door.state.mode, door.state.lock_down, door.state.kept_unlocked) == (DoorMode.LOCKED_DOWN, 7, False)
    hold_head(door, 3, lock_down=LockDown(number=8, on=False))
    assert modes(door) == [
        (DoorMode.UNLOCKED, "command"),
        (DoorMode.LOCKED_DOWN, "lock_down"),
        (DoorMode.UNLOCKED, "lock_down"),
    ]


def test_a_lock_down_survives_a_reboot_and_is_not_lifted_by_an_older_word() -> None:
    """After a power cut the door is locked down, also where its snapshot was lost and an older one comes back."""
    door = Door()
    stood = kept(hold_head(door, 2, lock_down=LockDown(number=7, on=True)))
    again = parse(written(stood).decode())
    started_again(door, Door(), again)
    hold_head(door, 1, lock_down=LockDown(number=6, on=False))
    door.happen(LinkChanged(True))
    assert mode_of(door) is DoorMode.LOCKED_DOWN
    door.happen(TAP)
    door.happen(TimePassed(), after=1)
    assert tapped(door)[-1].reason == "door_locked_down"
    hold_head(door, 3, lock_down=LockDown(number=8, on=False))
    assert mode_of(door) is DoorMode.LOCKED


def test_a_lock_down_that_came_while_the_disk_took_nothing_is_obeyed_at_the_start() -> None:
    """The snapshot on the disk says it again, and its number has not been obeyed yet."""
    door = Door()
    hold_head(door, 2, lock_down=LockDown(number=7, on=True))
    started_again(door, door, Kept())
    assert mode_of(door) is DoorMode.LOCKED_DOWN


def test_staff_at_one_door_stand_over_the_lock_down_of_all() -> None:
    """A mode set by command is kept when the same word comes again and when it is lifted; a new word locks down again."""
    door = Door()
    hold_head(door, 2, lock_down=LockDown(number=7, on=True))
    set_mode(door, DoorMode.LOCKED)
    hold_head(door, 3, lock_down=LockDown(number=7, on=True))
    assert mode_of(door) is DoorMode.LOCKED
    set_mode(door, DoorMode.BLOCKED)
    hold_head(door, 4, lock_down=LockDown(number=8, on=False))
    assert mode_of(door) is DoorMode.BLOCKED
    hold_head(door, 5, lock_down=LockDown(number=9, on=True))
    assert (door.state.mode, door.state.mode_before) == (DoorMode.LOCKED_DOWN, DoorMode.BLOCKED)


def test_a_door_locked_down_by_hand_stays_so_when_the_hub_s_lock_down_is_lifted() -> None:
    """The mode before was locked-down, too."""
    door = Door()
    set_mode(door, DoorMode.LOCKED_DOWN)
    hold_head(door, 2, lock_down=LockDown(number=7, on=True))
    hold_head(door, 3, lock_down=LockDown(number=8, on=False))
    assert mode_of(door) is DoorMode.LOCKED_DOWN


def test_the_mode_file_of_an_older_version_is_read() -> None:
    """A plain word is the mode; what is none is said."""
    assert parse("blocked") == Kept(mode=DoorMode.BLOCKED)
    for nonsense in ("ajar", "", '{"mode":"ajar"}', "{"):
        with pytest.raises(ValueError, match=r"ajar|DoorMode|truncated"):
            parse(nonsense)


# --- unlocking hours ---


def test_the_door_stands_unlocked_in_its_hours_and_not_a_second_longer() -> None:
    """From the window's start to its end, by itself; a tap meanwhile pulses nothing and says that the door stood unlocked."""
    door = Door()
    hold_head(door, 2, hours=HOURS, unlocking=BY_THEMSELVES)
    assert stays(door.happen(TimePassed(), after=99.9)) == []
    assert stays(door.happen(TimePassed(), after=0.1)) == [True]
    door.happen(TAP, after=50)
    assert (door.pulses, tapped(door)[0].unlocked, tapped(door)[0].mode) == (0, True, DoorMode.LOCKED)
    assert stays(door.happen(TimePassed(), after=50)) == [False]
    assert hours(door) == [(True, "hours"), (False, "hours_over")]
    door.happen(TAP)
    assert (door.pulses, tapped(door)[1].unlocked) == (1, False)


def test_with_first_in_the_hours_wait_for_somebody_who_may_start_them() -> None:
    """A member's tap opens once; the host's starts the hours; the next window waits anew."""
    later = Window(T0 + timedelta(seconds=300), T0 + timedelta(seconds=400))
    door = Door()
    hold_head(door, 2, hours=(*HOURS, later), unlocking=FIRST_IN)
    member = door.rights
    assert stays(door.happen(TAP, after=110)) == []
    host(door)
    effects = door.happen(TAP, after=1)
    assert (stays(effects), kept(effects).started_at) == ([True], T0 + timedelta(seconds=111))
    door.happen(TimePassed(), after=89)
    door.rights = member
    assert stays(door.happen(TAP, after=110)) == []
    assert hours(door) == [(True, "first_in"), (False, "hours_over")]


def test_a_host_who_comes_before_the_hours_does_not_start_them() -> None:
    """Only a tap in the window itself does."""
    door = Door()
    hold_head(door, 2, hours=HOURS, unlocking=FIRST_IN)
    host(door)
    door.happen(TAP, after=90)
    door.happen(TimePassed(), after=20)
    assert hours(door) == []


def test_started_hours_outlast_a_power_cut() -> None:
    """Who was in is in: after the start the door stands unlocked again, until the window's end."""
    door = Door()
    hold_head(door, 2, hours=HOURS, unlocking=FIRST_IN)
    host(door)
    stood = kept(door.happen(TAP, after=110))
    started_again(door, door, parse(written(stood).decode()))
    assert door.state.by_hours
    assert stays(door.happen(TimePassed(), after=90)) == [False]


def test_a_snapshot_that_takes_the_hours_away_locks_at_once() -> None:
    """And so does one that now asks for somebody to be in first."""
    for change in (None, FIRST_IN):
        door = in_hours()
        assert stays(hold_head(door, 3, hours=HOURS, unlocking=change)) == [False]


def test_the_link_never_begins_or_ends_the_hours() -> None:
    """Lost for the whole window, the door unlocks and locks as if nothing were."""
    door = Door(link=True)
    hold_head(door, 2, hours=HOURS, unlocking=BY_THEMSELVES)
    assert stays(door.happen(LinkChanged(False), after=50)) == []
    assert stays(door.happen(TimePassed(), after=60)) == [True]
    assert stays(door.happen(LinkChanged(True), after=1)) == []
    assert stays(door.happen(LinkChanged(False), after=1)) == []
    assert stays(door.happen(TimePassed(), after=90)) == [False]


def test_what_is_not_certain_locks() -> None:
    """A clock in doubt, an expired snapshot, another mode, an armed alarm: the hours end, and the journal says why."""
    door = in_hours()
    door.clock = ClockQuality.UNTRUSTED
    door.happen(TimePassed(), after=1)
    assert hours(door)[-1] == (False, "clock_untrusted")
    door = in_hours()
    hold_head(door, 3, hours=HOURS, unlocking=BY_THEMSELVES, expires_at=T0 + timedelta(seconds=150))
    door.happen(TimePassed(), after=50)
    assert hours(door)[-1] == (False, "snapshot_expired")
    door = in_hours()
    set_mode(door, DoorMode.BLOCKED)
    assert hours(door)[-1] == (False, "mode")
    door = in_hours()
    door.happen(AlarmMoved(True))
    assert hours(door)[-1] == (False, "alarm_armed")


def test_with_first_in_an_alarm_that_was_armed_asks_for_somebody_anew() -> None:
    """Everybody had left: disarming alone does not unlock the door for all."""
    door = Door()
    hold_head(door, 2, hours=HOURS, unlocking=FIRST_IN)
    host(door)
    door.happen(TAP, after=110)
    door.happen(AlarmMoved(True), after=1)
    door.happen(AlarmMoved(False), after=1)
    assert hours(door) == [(True, "first_in"), (False, "alarm_armed")]


def test_hours_whose_beginning_could_not_be_written_down_have_not_begun() -> None:
    """Where an unwritable journal refuses, hours begin once it can be written again; hours that had begun go on."""
    door = in_hours()
    door.happen(JournalReported("disk full", door.state.sequence - 1))
    assert (door.state.by_hours, door.state.kept_unlocked) == (False, False)
    assert stays(door.happen(TimePassed(), after=1)) == []
    assert stays(door.happen(JournalReported(None, door.state.sequence))) == [True]
    door.happen(JournalReported("disk full", door.state.sequence))
    assert door.state.by_hours
    admits = in_hours(unwritable_refuses=False)
    admits.happen(JournalReported("disk full", admits.state.sequence - 1))
    assert admits.state.by_hours


def in_hours(**settings: bool) -> Door:
    """A door that stands unlocked by its hours, which began with the event written last."""
    door = Door()
    door.settings = replace(door.settings, **settings)  # type: ignore[arg-type]
    hold_head(door, 2, hours=HOURS, unlocking=BY_THEMSELVES)
    door.happen(TimePassed(), after=100)
    assert door.state.by_hours
    return door
