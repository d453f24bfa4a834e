# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does the agent start, idle, tell systemd and end as it should, and is each fault one clear line?"""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from door_agent import happenings as h
from door_agent.config import load
from door_agent.errors import MissingPart
from door_agent.main import made
from tests.door_agent.pins import forget_pins, pin, remembering_pins
from tests.door_agent.test_agent import NUMBER, say, write_door
from tests.door_agent.test_disk import AGENT, opens, settle
from tests.door_agent.test_pcsc_reader import cpu_seconds
from tests.system.processes import Child, Processes


@contextmanager
def door_in(folder: Path, **environment: str) -> Iterator[Child]:
    toml = write_door(folder)
    with Processes(folder / "logs") as processes:
        door = processes.start("door", [*AGENT, "--config", toml, "run"], environment=environment)
        door.wait_until((folder / "control").exists)
        yield door


def said(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and all that the command wrote."""
    command = [*AGENT, "--config", str(folder / "door.toml"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_door_without_a_broker_idles_quietly(tmp_path: Path) -> None:
    """Waiting for a tap and for the network takes less than a tenth of a core."""
    with door_in(tmp_path) as door:
        door.wait_until(lambda: "cannot be reached" in door.said())
        before, over = cpu_seconds(door.process.pid), threading.Event()
        over.wait(2)
        assert cpu_seconds(door.process.pid) - before < 0.2


def test_systemd_is_told_that_the_door_is_ready_alive_and_ending(tmp_path: Path) -> None:
    """READY once, WATCHDOG again and again, STOPPING at the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(10)
        with door_in(tmp_path, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000") as door:
            heard = [systemd.recv(100) for _ in range(4)]
            assert heard == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            assert door.stop() == 0
            while systemd.recv(100) != b"STOPPING=1":
                pass


def test_a_watcher_that_does_not_read_holds_up_no_relay(tmp_path: Path) -> None:
    """A panel that hangs is dropped; the pulse begins and ends."""
    with door_in(tmp_path), socket.socket(socket.AF_UNIX) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        deaf.connect(str(tmp_path / "control"))
        deaf.sendall(b'{"do":"watch"}\n')
        for _ in range(3000):
            say_contact(tmp_path)
        assert opens(tmp_path)
        settle(tmp_path)


def say_contact(folder: Path) -> None:
    assert say(folder, do="contact", open=False) == {"ok": True}


def test_another_thread_that_dies_ends_the_door_with_the_relay_off(tmp_path: Path) -> None:
    """The loop raises what killed the other thread, and by then no current flows."""
    toml = write_door(tmp_path)
    remembering_pins()
    with ExitStack() as ends:
        loop = made(toml, load(toml), ends)
        loop.parts.relay.energise(60)
        loop.put(h.ContactMoved(False))
        loop.broken(MissingPart("the reader's thread has died"))
        with pytest.raises(MissingPart, match="has died"):
            loop.run()
        assert pin(17).levels == [False, True, False]
    forget_pins()


def test_check_says_good_and_touches_nothing(tmp_path: Path) -> None:
    """A good file is one line; no folder is made."""
    write_door(tmp_path)
    (tmp_path / "state" / "snapshot.sqlite").unlink()
    (tmp_path / "state").rmdir()
    assert said(tmp_path, "check") == (0, f"{tmp_path}/door.toml: good\n")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("tag.key", b"short", "tag_key_file is 'tag.key', which holds 5 bytes; it must hold exactly 32"),
        ("signing.pub", b"nonsense", "server.signing_keys.k1 is 'signing.pub'; it must be a public Ed25519 key"),
        ("sealing.pub", None, "server.sealing_key is 'sealing.pub', which cannot be read (No such file or directory)"),
        ("c.pem", b"nonsense", "broker.ca is 'c.pem', which cannot be used"),
        ("k.pem", None, "broker.certificate is 'c.pem' and broker.key is 'k.pem', which cannot be used together"),
    ],
)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, command: str, file: str, content: bytes | None, says: str
) -> None:
    """It names the settings file, the setting, the value and what is allowed; there is no traceback."""
    write_door(tmp_path)
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_bytes(content)
    code, told = said(tmp_path, command)
    assert code == 1
    assert told.startswith(f"Error: {tmp_path}/door.toml: {says}")
    assert len(told.splitlines()) == 1


def test_a_certificate_of_another_door_is_refused(tmp_path: Path) -> None:
    """The broker would take us for the other; the line says whose it is."""
    toml = write_door(tmp_path)
    toml.write_text(toml.read_text(encoding="utf-8").replace('door = "front"', 'door = "back"'), encoding="utf-8")
    code, told = said(tmp_path, "check")
    assert (code, "made out to 'front'; it must be made out to this door, 'back'" in told) == (1, True)


def test_the_journal_is_listed_without_naming_a_tag(tmp_path: Path) -> None:
    """Beside the running door: what happened, how much waits for the server, and that the chain holds."""
    with door_in(tmp_path) as door:
        assert opens(tmp_path)
        settle(tmp_path)
        code, told = said(tmp_path, "journal")
        assert code == 0
        assert "tapped         in: granted by door" in told
        assert " events kept, " in told
        assert told.endswith("the chain holds\n")
        assert NUMBER not in told
        assert not any(len(word) == 64 for word in told.split())
        assert door.stop() == 0


def test_a_changed_journal_is_found_out(tmp_path: Path) -> None:
    """Exit code 1, and the number of the event that does not follow."""
    with door_in(tmp_path) as door:
        assert opens(tmp_path)
        settle(tmp_path)
        assert door.stop() == 0
    with closing(sqlite3.connect(tmp_path / "state" / "journal.sqlite")) as database, database:
        database.execute("update event set content = replace(content, 'booted', 'looted') where sequence = 1")
    code, told = said(tmp_path, "journal")
    assert code == 1
    assert "the chain is broken at event" in told


def test_help_is_clear_to_a_newcomer(tmp_path: Path) -> None:
    """Every command says in a line what it does, and the first text says where to begin."""
    told = subprocess.run([*AGENT, "--help"], capture_output=True, text=True, check=True).stdout
    for words in ("door-agent check", "door-agent run", "HUBKEY_DOOR_CONFIG", "journal List the last events"):
        assert words in " ".join(told.split())


def test_without_settings_the_line_says_which_file(tmp_path: Path) -> None:
    """The most common first fault."""
    code, words = said(tmp_path, "run")
    assert (code, words.count("\n")) == (1, 1)
    assert words.startswith(
        f"Error: {tmp_path}/door.toml: there are no settings yet; run `door-agent enrol`, or copy the folder here"
    )


def test_off_a_pi_a_real_door_ends_with_one_line(tmp_path: Path) -> None:
    """Where there are no pins it says what to install or to set."""
    toml = write_door(tmp_path)
    text = toml.read_text(encoding="utf-8").replace("demo = true\n", "").replace('kind = "simulated"', 'kind = "pcsc"')
    toml.write_text("".join(line for line in text.splitlines(True) if not line.startswith("simulated")), encoding="utf-8")
    code, told = said(tmp_path, "run")
    assert code == 1
    assert told.startswith("Error: ")
    assert "demo = true" in told
    assert len(told.splitlines()) == 1
