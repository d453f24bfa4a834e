# SPDX-License-Identifier: AGPL-3.0-or-later
"""What does a running door say of itself, to `door-agent status` and on the page at its box, and to whom?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from door_agent.errors import DoorError
from door_agent.page import asked
from door_agent.telling import Told
from tests.door_agent.test_agent import NUMBER, say, show_page, write_door
from tests.door_agent.test_disk import AGENT
from tests.door_agent.test_starting import said
from tests.system.processes import Processes, free_port, wait_for

STRANGER = "04D1E5A0C0FE80"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """A running door that granted a tap and refused another, its folder and its page's port."""
    folder, port = tmp_path_factory.mktemp("door"), free_port()
    toml = write_door(folder)
    show_page(toml, port)
    with Processes(folder / "logs") as processes:
        processes.start("door", [*AGENT, "--config", toml, "run"]).wait_until((folder / "control").exists)
        for _ in range(2):
            say(folder, do="tap", number=NUMBER)
            say(folder, do="tap", number=STRANGER)
        wait_for(lambda: refused(port), "the refused tap is told")
        yield folder, port


def refused(port: int) -> Told | None:
    """Return what the door says once its last tap is the refused one."""
    with suppress(DoorError):
        told = asked(port)
        return told if told.last_tap is not None and not told.last_tap.granted else None
    return None


def get(port: int, path: str = "/", **headers: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode()
    connection.close()
    return found


def test_status_says_how_the_door_stands(door: tuple[Path, int]) -> None:
    """Mode, leaf, reader, link, rights, journal, certificate and the last tap, a line each."""
    code, words = said(door[0], "status")
    lines = dict(line.split(maxsplit=1) for line in words.splitlines() if not line.startswith(("reader", "last")))
    assert code == 0
    assert lines["door"] == "front (simulated)"
    assert (lines["mode"], lines["leaf"], lines["link"]) == ("locked", "closed", "offline")
    assert lines["rights"].startswith("snapshot 1, ")
    assert "of at most 1000000 wait for the server" in lines["journal"]
    assert "in: refused, tag_unknown" in words
    assert "reader in " in words


def test_the_page_shows_the_same(door: tuple[Path, int]) -> None:
    """What the command prints stands on the page, and as JSON."""
    status, page = get(door[1])
    assert (status, "snapshot 1, " in page, "tag_unknown" in page) == (200, True, True)
    told = json.loads(said(door[0], "status", "--json")[1])
    assert (told["door"], told["leaf"], told["last_tap"]["granted"]) == ("front", "closed", False)
    assert json.loads(get(door[1], "/status.json")[1])["journal_last"] == told["journal_last"]


def test_no_tag_is_named_anywhere(door: tuple[Path, int]) -> None:
    """Neither by its number nor by a hash."""
    everything = "".join([*(get(door[1], path)[1] for path in ("/", "/status.json")), said(door[0], "status")[1]])
    assert NUMBER not in everything
    assert STRANGER not in everything
    assert not any(len(word.strip('",<>/trd:')) == 64 for word in everything.split())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8631", "10.0.0.5", "127.0.0.1.evil.example", ""])
def test_another_host_name_reads_nothing(door: tuple[Path, int], host: str) -> None:
    """A page elsewhere whose name leads to this box gets no word of it."""
    status, page = get(door[1], Host=host)
    assert (status, "snapshot" in page) == (421, False)


@pytest.mark.parametrize("host", ["localhost", "localhost:8631", "127.0.0.1:8631", "[::1]:8631"])
def test_the_box_itself_reads_it_by_any_of_its_names(door: tuple[Path, int], host: str) -> None:
    """As a browser at the box, or one through an ssh tunnel, would ask."""
    assert get(door[1], Host=host)[0] == 200


def test_nothing_can_be_written(door: tuple[Path, int]) -> None:
    """There is no other verb and no other page."""
    connection = HTTPConnection("127.0.0.1", door[1], timeout=5)
    connection.request("POST", "/", body="mode=unlocked")
    assert connection.getresponse().status == 501
    connection.close()
    assert get(door[1], "/open")[0] == 404


def test_a_reader_of_the_page_that_hangs_holds_up_no_tap(door: tuple[Path, int]) -> None:
    """The door goes on while somebody is connected and asks for nothing; others are answered again within seconds."""
    hanging = HTTPConnection("127.0.0.1", door[1], timeout=5)
    hanging.connect()
    say(door[0], do="tap", number=NUMBER)
    wait_for(lambda: not refused(door[1]), "the granted tap is told")
    hanging.close()
    say(door[0], do="tap", number=STRANGER)
    wait_for(lambda: refused(door[1]), "a refusal that repeats another is told too")


def test_each_change_of_what_needs_a_person_is_in_the_log(door: tuple[Path, int]) -> None:
    """Raised and cleared, each once, and told with what to do while it stands."""
    folder, port = door
    say(folder, do="tamper", on=True)
    told = wait_for(lambda: asked(port).needs, "it needs a person")
    assert [(needs.about, needs.cause) for needs in told] == [("tamper", "")]
    assert "The box at the door was opened. Go and look. [tamper]" in said(folder, "status")[1]
    say(folder, do="tamper", on=False)
    wait_for(lambda: not asked(port).needs, "it needs nobody")
    log = (folder / "logs" / "door.log").read_text(encoding="utf-8")
    assert (log.count("needs attention  "), log.count("needs attention no longer")) == (1, 1)


def test_where_no_door_runs_it_says_what_to_do(tmp_path: Path) -> None:
    """One line, exit code 1."""
    toml = write_door(tmp_path)
    show_page(toml, free_port())
    code, words = said(tmp_path, "status")
    assert (code, len(words.splitlines())) == (1, 1)
    assert "the agent does not answer" in words
    assert "systemctl start door-agent" in words


def test_a_door_whose_port_is_taken_is_a_door_all_the_same(door: tuple[Path, int], tmp_path: Path) -> None:
    """It runs without the page, and its log says so."""
    toml = write_door(tmp_path)
    show_page(toml, door[1])
    with Processes(tmp_path / "logs") as processes:
        second = processes.start("door", [*AGENT, "--config", toml, "run"])
        second.wait_until((tmp_path / "control").exists)
        assert "there is no local page" in second.said()
        assert say(tmp_path, do="tap", number=NUMBER) == {"ok": True}
