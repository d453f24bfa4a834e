# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does a door do when its disk is full, read-only, damaged or taken? On real small disks that only the door sees."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from access_contract.messages import SetMode
from access_contract.vocabulary import AccessPointId, DoorMode, TagNumber
from door_agent.config import load
from door_agent.happenings import Commanded, TagRead
from door_agent.journal import Journal
from door_agent.main import made
from tests.door_agent.pins import forget_pins, pin, remembering_pins
from tests.door_agent.test_agent import NUMBER, relay_is_on, say, write_door
from tests.system.processes import Child, Processes, wait_for

AGENT = [sys.executable, "-c", "from door_agent.cli import main; main()"]
_ON_SMALL_DISK = """
mount -t tmpfs -o size=512k tmpfs "$1" && cp "$2"/* "$1"/ || exit 99
[ "$3" = rw ] || mount -o remount,ro "$1" || exit 99
shift 3 && exec "$@"
"""
_NO_TAPS = """
create trigger no_taps before insert on event when cast(new.content as text) like '%"tapped"%'
begin select raise(fail, 'disk full'); end
"""
_UNSHARE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]


def why_not() -> str | None:
    tried = (
        subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False) if shutil.which("unshare") else None
    )
    return None if tried is not None and tried.returncode == 0 else "a small disk needs unshare and the right to mount"


needs_mount = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")


@contextmanager
def door_on(folder: Path, way: str, policy: str = "refuse") -> Iterator[tuple[Child, Path]]:
    """A door whose state folder is a disk of half a MiB, `rw` or `ro`; and the way to that disk from here."""
    toml = write_door(folder)
    toml.write_text(toml.read_text(encoding="utf-8") + f'policy = {{ journal_unwritable = "{policy}" }}\n', encoding="utf-8")
    (folder / "state").rename(folder / "begin")
    (folder / "state").mkdir()
    command: list[str | Path] = [*_UNSHARE, "sh", "-c", _ON_SMALL_DISK, "sh", folder / "state", folder / "begin", way]
    with Processes(folder / "logs") as processes:
        door = processes.start("door", [*command, *AGENT, "--config", toml, "run"])
        door.wait_until((folder / "control").exists)
        yield door, Path(f"/proc/{door.process.pid}/root", *(folder / "state").parts[1:])


def opens(folder: Path) -> bool:
    """Tap; True if the relay is energised, False if red is shown without it."""
    say(folder, do="tap", number=NUMBER)
    wait_for(lambda: any(pins(folder).get(lamp) for lamp in ("granted", "refused")), "an answer", limit_seconds=5)
    shown = pins(folder)
    assert shown["relay"] is shown.get("granted", False) is not shown.get("refused", False)
    return shown["relay"]


def pins(folder: Path) -> dict[str, bool]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(folder / "control"))
        connection.sendall(b'{"do":"watch"}\n')
        said = connection.recv(4096).decode().splitlines()
    return {line["pin"]: line["on"] for line in map(json.loads, said)}


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "filler").open("wb", buffering=0) as out:
        while out.write(bytes(512)):
            pass


def settle(folder: Path) -> None:
    """Wait until relay and lamps are off again."""
    wait_for(lambda: not any(pins(folder).values()), "all is off", limit_seconds=5)


def opens_after(folder: Path) -> bool:
    settle(folder)
    return opens(folder)


@needs_mount
def test_a_full_disk_refuses_from_the_tap_that_cannot_be_recorded_and_heals_by_itself(tmp_path: Path) -> None:
    """Green and the relay only while the journal holds the tap; once there is room the door opens again, its chain whole."""
    with door_on(tmp_path, "rw") as (door, disk):
        assert opens(tmp_path)
        settle(tmp_path)
        fill(disk)
        wait_for(lambda: not opens_after(tmp_path), "the door refuses")
        settle(tmp_path)
        assert not opens(tmp_path)
        (disk / "filler").unlink()
        settle(tmp_path)
        wait_for(lambda: opens_after(tmp_path), "the door opens again", limit_seconds=20)
        settle(tmp_path)
        shutil.copytree(disk, tmp_path / "after")
        assert door.stop() == 0
    journal = Journal(tmp_path / "after" / "journal.sqlite")
    assert journal.verify()
    kept = journal.unacknowledged(1000)
    assert sum(b'"granted":true' in event for event in kept) == sum(b'"kind":"passed"' in event for event in kept) >= 2
    assert any(b'"about":"journal_unwritable","raised":false' in event for event in kept)


def test_nothing_points_to_a_tap_that_could_not_be_recorded(tmp_path: Path) -> None:
    """Where one write fails and the next would not, the relay stays off and no outcome of that tap is written."""
    toml = write_door(tmp_path)
    toml.write_text(toml.read_text(encoding="utf-8").replace("contact = { pin = 22 }", ""), encoding="utf-8")
    remembering_pins()
    relay = pin(17)
    with ExitStack() as ends:
        loop = made(toml, load(toml), ends)
        database = sqlite3.connect(tmp_path / "state" / "journal.sqlite")
        ends.callback(database.close)
        database.execute(_NO_TAPS)
        database.commit()
        loop.put(TagRead(AccessPointId("in"), TagNumber.parse(NUMBER)))
        loop.put(None)
        loop.run()
        assert relay.levels == [False]
        kept = loop.parts.journal.unacknowledged(100)
    forget_pins()
    assert [b"tapped" in event or b"passed" in event for event in kept] == [False] * len(kept)


def test_a_mode_that_could_not_be_recorded_is_what_the_relay_does_all_the_same(tmp_path: Path) -> None:
    """The status says unlocked, the mode is kept, and so current flows: what a door says of itself is what it does."""
    toml = write_door(tmp_path)
    remembering_pins()
    relay, seen = pin(17), []
    with ExitStack() as ends:
        loop = made(toml, load(toml), ends)
        database = sqlite3.connect(tmp_path / "state" / "journal.sqlite")
        ends.callback(database.close)
        database.execute(_NO_TAPS.replace("tapped", "mode_changed"))
        database.commit()
        loop.put(lambda: loop._handle(Commanded(SetMode(command="m", nonce=loop.state.nonce, mode=DoorMode.UNLOCKED))))
        loop.put(lambda: seen.append((loop.state.stands_unlocked, relay.levels[-1])))
        loop.put(None)
        loop.run()
        assert seen == [(True, True)]
        assert relay.levels == [False, True, False]
    forget_pins()


@needs_mount
def test_a_disk_that_is_read_only_from_the_start_refuses(tmp_path: Path) -> None:
    """The door comes up, says red, and ends when told to."""
    with door_on(tmp_path, "ro") as (door, _disk):
        assert not opens(tmp_path)
        assert door.stop() == 0


@needs_mount
def test_where_the_setting_admits_a_read_only_disk_opens(tmp_path: Path) -> None:
    """The hub chose that a door with a dead card still lets people in."""
    with door_on(tmp_path, "ro", policy="admit") as (door, _disk):
        assert opens(tmp_path)
        assert door.stop() == 0


@needs_mount
def test_a_door_that_began_without_its_disk_starts_anew_once_it_is_back(tmp_path: Path) -> None:
    """It ends with one line and non-zero, so that systemd starts it on the disk again."""
    with door_on(tmp_path, "ro") as (door, _disk):
        remount = ["nsenter", "-t", str(door.process.pid), "-m", "-r", "mount", "-o", "remount,rw", str(tmp_path / "state")]
        subprocess.run(remount, check=True)
        wait_for(lambda: not door.running, "it ends", limit_seconds=20)
        assert door.process.returncode == 1
        assert "starting anew" in door.said()
        assert "Traceback" not in door.said()


@pytest.mark.parametrize("file", ["snapshot.sqlite", "journal.sqlite", "mode"])
def test_a_damaged_file_does_not_keep_the_door_from_coming_up(tmp_path: Path, file: str) -> None:
    """What cannot be read is said and done without: no snapshot refuses everyone, a journal begins anew, a mode is locked."""
    toml = write_door(tmp_path)
    (tmp_path / "state" / file).write_bytes(b"\xff\xfe nonsense" * 500)
    with Processes(tmp_path / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"])
        door.wait_until((tmp_path / "control").exists)
        assert opens(tmp_path) is (file != "snapshot.sqlite")
        assert door.stop() == 0
    word = {"snapshot.sqlite": b"snapshot_lost", "journal.sqlite": b"journal_lost", "mode": b"mode_lost"}[file]
    assert any(word in event for event in Journal(tmp_path / "state" / "journal.sqlite").unacknowledged(100))


def test_a_second_agent_with_the_same_folder_is_one_clear_line(tmp_path: Path) -> None:
    """Two would fork the journal; the second ends with what to do, and the first goes on."""
    toml = write_door(tmp_path)
    with Processes(tmp_path / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"])
        door.wait_until((tmp_path / "control").exists)
        second = processes.start("second", [*AGENT, "--config", toml, "run"])
        assert second.process.wait(10) == 1
        assert second.said().startswith("Error: ")
        assert "another door-agent runs" in second.said()
        assert len(second.said().splitlines()) == 1
        assert not relay_is_on(tmp_path)
        assert door.stop() == 0
