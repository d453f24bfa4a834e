# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a door of the version before work with today's server, and today's door with the server of the version before?

Both run for real, over a real broker: the version before from its own frozen wheel, today's from this checkout.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from access_contract.vocabulary import TagNumber
from tests.system import parts
from tests.system.building import SERVER, Building
from tests.system.door import AGENT, Door
from tests.system.hands import DOOR, Hands
from tests.system.one_door import AT, NUMBER, PULSE_SECONDS, SECOND, unacknowledged
from tests.system.previous_version import VERSION, FarHands, Previous
from tests.system.processes import wait_for

_strange = count(1)


@dataclass
class Meeting:
    """A hub whose server and door are of two versions."""

    building: Building
    staff: Hands | FarHands
    door: Door
    door_is_older: bool

    def tap(self, number: TagNumber) -> tuple[bool, str | None, str]:
        """Tap and return what the server has stored of it: granted, reason, who decided."""
        before, since = len(self.staff.taps()), time.monotonic()
        self.door.tap(number)
        self.reacts(since)
        wait_for(lambda: len(self.staff.taps()) > before, "the tap is stored", limit_seconds=40)
        granted, reason, by = self.staff.taps()[0]
        if granted:
            wait_for(lambda: not self.door.pins.is_on("relay"), "the door is locked again")
        return granted, reason, by

    def reacts(self, since: float) -> bool:
        """Wait until the door has granted or refused; return whether it granted."""
        pins = self.door.pins
        wait_for(lambda: pins.rises("granted", since) or pins.rises("refused", since), "the door reacts", limit_seconds=10)
        return bool(pins.rises("granted", since))

    def is_answered(self) -> None:
        """Tap until the server decides."""
        wait_for(lambda: self.tap(stranger())[2] == "server", "the server answers", limit_seconds=40)

    def done(self, kind: str, mode: str = "") -> object:
        """Command the door, wait for its word, and return its refusal."""
        command = self.staff.ask(kind, mode)
        wait_for(lambda: self.staff.came_of(command)[0], f"{kind} {mode} is done", limit_seconds=20)
        return self.staff.came_of(command)[1]

    def says(self, **words: object) -> None:
        """Wait until the door's status says this."""
        wait_for(
            lambda: {word: self.staff.status().get(word) for word in words} == words, f"the door says {words}", limit_seconds=30
        )


def stranger() -> TagNumber:
    """A number that nobody has seen: refusals of one and the same are counted, not written one by one."""
    return TagNumber.parse(f"04{next(_strange):012X}")


@pytest.fixture(scope="module", params=["door", "server"])
def meeting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meeting]:
    """A hub in which the door, or the server, is of the version before."""
    if parts.mosquitto() is None:
        pytest.skip(parts.missing("Mosquitto"))
    previous, older = Previous(tmp_path_factory.mktemp("previous")), request.param
    with ExitStack() as ends:
        server: list[str] | list[Path] = previous.server if older == "server" else [SERVER]
        building = ends.enter_context(Building(at=AT, pulse_seconds=PULSE_SECONDS, server=server))
        building.command("init")
        staff: Hands | FarHands = (
            ends.enter_context(previous.hands(building.settings)) if older == "server" else Hands(building.desk())
        )
        staff.make(NUMBER.uid.hex(), SECOND.uid.hex())
        building.start_broker()
        building.start_doors()
        door = building.door(DOOR, start=False)
        door.agent = previous.agent if older == "door" else (AGENT,)
        door.start()
        made = Meeting(building, staff, door, door_is_older=older == "door")
        made.is_answered()
        yield made


def test_two_versions_meet(meeting: Meeting) -> None:
    """The door says the version it is of: the one before, or today's, and holds what this server sent it to decide alone."""
    status = meeting.staff.status()
    assert (status["version"] == VERSION) is meeting.door_is_older
    assert status["snapshot_number"] > 0
    assert status["attention"] == []
    assert status["known_keys"] != []


def test_taps_are_asked_about_answered_and_counted(meeting: Meeting) -> None:
    """Granted and refused by the server's answer; the one who went in is an entry, once."""
    before = meeting.staff.entries()
    assert meeting.tap(stranger()) == (False, "tag_unknown", "server")
    assert meeting.tap(SECOND) == (False, "no_grant", "server")
    since = time.monotonic()
    meeting.door.tap(NUMBER)
    wait_for(lambda: meeting.door.pins.rises("relay", since), "the door opens")
    meeting.door.open_leaf()
    meeting.door.close_leaf()
    wait_for(lambda: meeting.staff.entries() == before + 1, "the entry is counted", limit_seconds=20)
    assert meeting.staff.taps()[0] == [True, None, "server"]
    wait_for(lambda: not meeting.door.pins.is_on("relay"), "the door is locked again")


def test_a_door_alone_decides_by_the_other_version_s_snapshot_and_delivers_afterwards(meeting: Meeting) -> None:
    """Without network it opens for whoever may pass and for nobody else; every tap reaches the server when it is back."""
    before = len(meeting.staff.taps())
    meeting.door.plug.pull()
    for number, granted in ((stranger(), False), (NUMBER, True)):
        since = time.monotonic()
        meeting.door.tap(number)
        assert meeting.reacts(since) is granted
        wait_for(lambda: not meeting.door.pins.is_on("relay"), "the door is locked again")
    meeting.door.plug.put_back()
    wait_for(lambda: len(meeting.staff.taps()) == before + 2, "both taps are stored", limit_seconds=30)
    assert [tap[::2] for tap in meeting.staff.taps()[:2]] == [[True, "door"], [False, "door"]]
    wait_for(lambda: not unacknowledged(meeting.door), "everything is acknowledged", limit_seconds=30)


def test_commands_are_obeyed_and_answered(meeting: Meeting) -> None:
    """Open, capture and every mode: the door does it once and says so, in words the other side understands."""
    meeting.is_answered()
    since = time.monotonic()
    assert meeting.done("open") == "done"
    assert meeting.door.pins.rises("relay", since)
    wait_for(lambda: not meeting.door.pins.is_on("relay"), "the door is locked again")
    command = meeting.staff.ask("capture")
    wait_for(lambda: _captured(meeting, command), "the number is captured", limit_seconds=20)
    for mode in ("blocked", "unlocked", "locked"):
        assert meeting.done("set_mode", mode) == "done"
        meeting.says(mode=mode)


def test_a_lock_down_is_obeyed_and_lifted(meeting: Meeting) -> None:
    """It comes with the rights, as a delta or whole, and the door says itself that it is locked down."""
    meeting.staff.lock_down(True)
    meeting.says(mode="locked-down")
    assert meeting.tap(NUMBER)[:2] == (False, "door_locked_down")
    meeting.staff.lock_down(False)
    meeting.says(mode="locked")


def test_a_next_key_reaches_the_door(meeting: Meeting) -> None:
    """The first step of a rotation: the door takes on what is announced, and hears the server as before."""
    old = set(meeting.staff.status()["known_keys"])
    _next_step(meeting)
    assert old < set(meeting.staff.status()["known_keys"])
    meeting.is_answered()


@pytest.mark.soak
def test_keys_change_under_both(meeting: Meeting) -> None:
    """The whole rotation, from whatever step: the door ends up with other keys alone, and hears the server by them."""
    old = set(meeting.staff.status()["known_keys"])
    for _ in range(4):
        _next_step(meeting)
    assert not old <= set(meeting.staff.status()["known_keys"])
    meeting.is_answered()


def test_a_blocked_tag_is_out_by_a_delta(meeting: Meeting) -> None:
    """The change reaches the door, which then refuses by itself, without network."""
    held = meeting.staff.status()["snapshot_digest"]
    meeting.staff.block(NUMBER.uid.hex())
    wait_for(lambda: meeting.staff.status()["snapshot_digest"] != held, "the door holds the change", limit_seconds=20)
    meeting.door.plug.pull()
    since = time.monotonic()
    meeting.door.tap(NUMBER)
    assert meeting.reacts(since) is False
    meeting.door.plug.put_back()


def test_the_other_agent_takes_over_the_door_s_files(meeting: Meeting, tmp_path: Path) -> None:
    """Updated or set back in place, the door goes on in the same journal, with the same rights and mode; nothing is lost."""
    meeting.is_answered()
    assert meeting.done("set_mode", "blocked") == "done"
    before = meeting.staff.status()
    meeting.door.stop()
    meeting.door.agent = (AGENT,) if meeting.door_is_older else Previous(tmp_path / "previous").agent
    meeting.door.start()
    wait_for(lambda: meeting.staff.status()["boot"] != before["boot"], "the door is back", limit_seconds=30)
    after = meeting.staff.status()
    same = ("journal", "snapshot_digest", "mode", "known_keys", "attention")
    assert {word: after[word] for word in same} == {word: before[word] for word in same}
    assert (after["version"] == VERSION) is not meeting.door_is_older
    assert after["last_sequence"] > before["last_sequence"]
    wait_for(lambda: not unacknowledged(meeting.door), "everything is acknowledged", limit_seconds=30)


def _next_step(meeting: Meeting) -> None:
    before = meeting.staff.status()["known_keys"]
    meeting.building.command("keys", "rotate")
    wait_for(lambda: meeting.staff.status()["known_keys"] != before, "the next step is known", limit_seconds=40)


def _captured(meeting: Meeting, command: str) -> bool:
    """Tap a strange tag until the door has taken it for the capture."""
    meeting.door.tap(stranger())
    return bool(meeting.staff.came_of(command)[0])
