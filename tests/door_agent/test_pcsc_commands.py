# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is a PC/SC reader told to be silent, what to show, and whether it is well, through the real pcscd and its control channel?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from door_agent.readers.feedback import PROFILES
from door_agent.readers.port import Shown
from tests.door_agent.test_agent import say, write_door
from tests.system import parts
from tests.system.pcsc import CardRoom, why_not
from tests.system.processes import Child, Processes, wait_for

_REASON = why_not() or (None if shutil.which("cc", path=parts.search_path()) else "no C compiler (cc) for the reader's driver")
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")
ACR122, ACR1252, OTHER = "ACS ACR122U", "ACS ACR1252 1S", "Some reader"
UID = bytes.fromhex("04782E21801D80")
SILENT_122, WELL_122, GREEN_122, RED_122 = "FF00520000", "FF00480000", "FF0040AC0405000100", "FF00405C0401010301"
ASK_1252, SILENT_1252, WELL_1252 = "E000002100", "E00000210100", "E000001800"
GREEN_1252, RED_1252, DARK_1252, BEEP_1252 = "E00000290102", "E00000290101", "E00000290100", "E0000028010A"
LONG_BEEP_1252 = "E00000280132"
_READ = """
import sys
from door_agent.readers.pcsc import PcscReader
from door_agent.readers.port import Shown
from tests.door_agent.heard import written_down
class Aloud(list):
    def append(self, line): print(line, flush=True)
reader = PcscReader(sys.argv[1], written_down(Aloud()), virtual_allowed=True, probe_seconds=0.2, rest_seconds=1.0)
for word in sys.stdin:
    reader.show(Shown(word.strip()))
reader.close()
"""


@contextmanager
def reader_in_room(*names: str, reads: str = " 00 00", locked: bool = False) -> Iterator[tuple[CardRoom, Child]]:
    """The readers, and a process that reads the first slot of the first (or those that `reads` begins) and shows words."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp", prefix="hubkey-") as home,
        CardRoom(Path(home), names, takes_commands=True) as room,
    ):
        if locked:
            room.lock(names[0])
        with reading(room, names[0], reads) as reader:
            yield room, reader


@contextmanager
def reading(room: CardRoom, name: str, reads: str = " 00 00") -> Iterator[Child]:
    with tempfile.TemporaryDirectory() as folder, Processes(Path(folder)) as processes:
        command = [sys.executable, "-c", _READ, name + reads if reads.startswith(" ") else reads]
        reader = processes.start("reader", command, environment=room.environment, stdin=subprocess.PIPE)
        reader.wait_until(lambda: f"reader {name}" in reader.said())
        yield reader


def show(reader: Child, word: Shown) -> None:
    assert reader.process.stdin is not None
    reader.process.stdin.write(f"{word}\n".encode())
    reader.process.stdin.flush()


def told(room: CardRoom, name: str, *besides: str) -> list[str]:
    """What the reader was told, but for these."""
    return [command for command in room.commands(name) if command not in besides]


def test_an_acr122_is_silenced_when_it_comes_and_shows_each_word() -> None:
    """Its beep is off before the first tag, again after pcscd came back, and a word is one command that ends by itself."""
    with reader_in_room(ACR122) as (room, reader):
        wait_for(lambda: room.commands(ACR122)[:2] == [SILENT_122, WELL_122], "it is silent, and well")
        room.tap(ACR122, UID)
        show(reader, Shown.GRANTED)
        wait_for(lambda: told(room, ACR122, WELL_122) == [SILENT_122, GREEN_122], "green")
        show(reader, Shown.REFUSED)
        wait_for(lambda: told(room, ACR122, WELL_122) == [SILENT_122, GREEN_122, RED_122], "red")
        room.kill_daemon()
        room.start_daemon()
        wait_for(lambda: told(room, ACR122, WELL_122)[3:] == [SILENT_122], "silent again")


def test_an_acr1252_is_written_to_once_only_and_its_lamp_goes_out_again() -> None:
    """Its memory, which wears out, is asked before it is written to; a newer word cuts an older one short."""
    with reader_in_room(ACR1252) as (room, reader):
        wait_for(lambda: told(room, ACR1252, WELL_1252) == [ASK_1252, SILENT_1252], "asked, then silenced")
        room.tap(ACR1252, UID)
        show(reader, Shown.GRANTED)
        wait_for(lambda: told(room, ACR1252, WELL_1252)[2:] == [GREEN_1252, DARK_1252], "green, then dark")
        show(reader, Shown.GRANTED)
        wait_for(lambda: room.commands(ACR1252).count(GREEN_1252) == 2, "green again")
        show(reader, Shown.REFUSED)
        wait_for(lambda: told(room, ACR1252, WELL_1252).count(BEEP_1252) == 3, "three times red")
        wait_for(lambda: told(room, ACR1252, WELL_1252)[-1] == DARK_1252, "dark")
        assert told(room, ACR1252, WELL_1252, GREEN_1252)[3:] == [RED_1252, BEEP_1252, DARK_1252] * 3
        before = len(told(room, ACR1252, WELL_1252))
        with reading(room, ACR1252) as again:
            room.tap(ACR1252, UID)
            again.wait_until(lambda: "tap" in again.said())
            show(again, Shown.GRANTED)
            wait_for(lambda: told(room, ACR1252, WELL_1252)[before:] == [ASK_1252, GREEN_1252, DARK_1252], "not written again")


def test_a_word_is_shown_at_the_reader_that_was_tapped() -> None:
    """Of two readers the other stays dark."""
    other = "ACS ACR122T"
    with reader_in_room(other, ACR122, reads="ACS ACR122") as (room, reader):
        room.tap(ACR122, UID)
        wait_for(lambda: "tap" in reader.said(), "the tap")
        show(reader, Shown.REFUSED)
        wait_for(lambda: RED_122 in room.commands(ACR122), "red")
        assert set(room.commands(other)) <= {SILENT_122, WELL_122}


def test_where_the_driver_lets_no_command_through_it_goes_by_the_card() -> None:
    """libccid as delivered: an ACR122 is silenced and shows its word while the card lies there, and is never called deaf."""
    with reader_in_room(ACR122, locked=True) as (room, reader):
        room.lay(ACR122, UID)
        wait_for(lambda: "tap" in reader.said(), "the tap")
        show(reader, Shown.REFUSED)
        wait_for(lambda: room.heard(ACR122)[-1] == RED_122, "red")
        heard = room.take_away(ACR122)
        assert heard[-2:] == [SILENT_122, RED_122]
        assert room.commands(ACR122) == []
        assert "noticed" not in reader.said()


def test_a_reader_that_is_there_and_answers_nothing_is_told_and_heals() -> None:
    """It is named as deaf with what to do, pcscd is left alone for a while, and once it answers again all is well."""
    with reader_in_room(ACR122) as (room, reader):
        wait_for(lambda: WELL_122 in room.commands(ACR122), "it is well")
        room.make_deaf(ACR122, deaf=True)
        wait_for(lambda: "noticed reader_deaf True" in reader.said(), "it is deaf")
        wait_for(lambda: "reader None ACS ACR122U 00 00 does not answer" in reader.said(), "it is left alone")
        assert "unplug it and plug it in again" in reader.said()
        room.make_deaf(ACR122, deaf=False)
        wait_for(lambda: "noticed reader_deaf False" in reader.said(), "it is well again")
        room.tap(ACR122, UID)
        wait_for(lambda: f"tap {UID.hex().upper()}" in reader.said(), "the tap")
        assert reader.said().count("noticed") == 2


def test_a_reader_of_any_make_that_pcscd_does_not_reach_is_told_and_what_lies_there_is_one_tap() -> None:
    """It is deaf after a few seconds, well again by itself, and a tag that lay there all the time opens nothing again."""
    with reader_in_room(OTHER) as (room, reader):
        room.lay(OTHER, UID)
        wait_for(lambda: "tap" in reader.said(), "the tap")
        for times in (1, 2):  # the second time pcscd is not left alone again: that is tried once in a while only
            room.make_mute(OTHER, mute=True)
            reader.wait_until(lambda times=times: reader.said().count("noticed reader_deaf True") == times)  # type: ignore[misc]
            room.make_mute(OTHER, mute=False)
            reader.wait_until(lambda times=times: reader.said().count("noticed reader_deaf False") == times)  # type: ignore[misc]
        room.take_away(OTHER)
        room.tap(OTHER, bytes.fromhex("DE10BB77"))
        wait_for(lambda: "tap DE10BB77" in reader.said(), "the next tap")
        assert reader.said().count("tap ") == 2


def test_a_reader_that_nothing_is_known_of_is_left_as_it_is() -> None:
    """It is sent nothing, neither when it comes nor at a word, and reads as any other."""
    with reader_in_room(OTHER) as (room, reader):
        room.tap(OTHER, UID)
        wait_for(lambda: "tap" in reader.said(), "the tap")
        show(reader, Shown.GRANTED)
        room.tap(OTHER, bytes.fromhex("DE10BB77"))
        wait_for(lambda: "tap DE10BB77" in reader.said(), "the next tap")
        assert room.commands(OTHER) == []


def test_a_refused_tap_is_shown_at_the_reader_by_the_whole_agent(tmp_path: Path) -> None:
    """From the card to the loop and back to the reader: three times red; and a long beep before the leaf is open too long."""
    file = write_door(tmp_path)
    settings = f'readers = [{{ kind = "pcsc", access_point = "in", name = "{ACR1252}" }}]'
    settings += "\ntiming = { held_open_seconds = 1.0, pre_alarm_seconds = 0.5 }"
    file.write_text(file.read_text().replace('readers = [{ kind = "simulated", access_point = "in" }]', settings))
    with (
        tempfile.TemporaryDirectory(dir="/tmp", prefix="hubkey-") as home,
        CardRoom(Path(home), [ACR1252], takes_commands=True) as room,
        Processes(tmp_path) as processes,
    ):
        command = [sys.executable, "-c", "from door_agent.cli import main; main()", "--config", str(file), "run"]
        processes.start("agent", command, environment=room.environment)
        wait_for(lambda: WELL_1252 in room.commands(ACR1252), "the reader is attached", limit_seconds=20)
        room.tap(ACR1252, bytes.fromhex("DE10BB77"))
        wait_for(lambda: room.commands(ACR1252).count(BEEP_1252) == 3, "three times red")
        say(tmp_path, do="contact", open=True)
        wait_for(lambda: LONG_BEEP_1252 in room.commands(ACR1252), "the long beep")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.names[0])
def test_every_word_has_bytes_and_ends(profile: object) -> None:
    """No word is missing in the table, and none lasts longer than the lamps of the door."""
    words = profile.shown  # type: ignore[attr-defined]
    assert set(words) == set(Shown)
    assert all(sum(seconds for _, seconds in steps) <= 1.0 and steps[-1][1] <= 0.15 for steps in words.values())
