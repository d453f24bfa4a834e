# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command behind `make demo`: it says in one sentence what is wrong, and leaves nothing behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.system import parts
from tests.system.processes import wait_for
from tests.system.visitor import Visitor


def _demo(tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.system.demo"],
        cwd=parts.CHECKOUT,
        env={**os.environ, "TMPDIR": str(tmp_path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _below(folder: Path) -> list[str]:
    """The command lines of all processes that name `folder`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words:
            found.append(words)
    return found


def _order(port: int, order: dict[str, object], **headers: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/do", json.dumps(order), {"Content-Type": "application/json", **headers})
    status = connection.getresponse().status
    connection.close()
    return status


def _seen(port: int) -> dict[str, Any]:
    """What an open panel is shown now, by door, and of the building."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/live")
    state: dict[str, Any] = json.loads(connection.getresponse().readline().removeprefix(b"data: "))
    connection.close()
    return state | {door["id"]: door for door in state["doors"]}


def _the_panel_moves_a_door(port: int) -> None:
    """A member's tap lets in and arrives, a stranger's is refused; a page of another name or kind is not answered."""
    assert _order(port, {"do": "tap", "door": "studio", "keytag": "0"}) == 204
    assert _order(port, {"do": "tap", "door": "office", "keytag": "stranger"}) == 204
    assert _order(port, {"do": "leaf", "door": "studio", "open": True}) == 204
    wait_for(lambda: _seen(port)["studio"]["last"]["arrived"], "the tap arrives at the server")
    wait_for(lambda: _seen(port)["office"]["last"]["reason"] == "tag_unknown", "the stranger's tap arrives")
    assert _seen(port)["studio"]["last"]["granted"]
    assert _seen(port)["studio"]["contact"]
    assert not _seen(port)["office"]["relay"]
    assert _order(port, {"do": "plug", "door": "office", "in": False}, Host="hub.example.org") == 403
    assert _order(port, {"do": "plug", "door": "office", "in": False}, **{"Content-Type": "text/plain"}) == 403
    assert _order(port, {"do": "dance"}) == 400
    assert _seen(port)["office"]["plugged"]


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Where the demo puts its own folder: short, as sockets are in it."""
    with tempfile.TemporaryDirectory(prefix="hk-") as folder:
        yield Path(folder)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"READER": "antenna"}, "READER is 'antenna'; allowed are pcsc and simulated"),
        ({"READER": "pcsc", "PATH": "/nowhere"}, "READER=simulated goes without it"),
    ],
)
def test_what_is_wrong_is_one_sentence(environment: dict[str, str], sentence: str, tmp_path: Path) -> None:
    """A wrong setting or a missing part ends the demo with one line that says what to do, and a non-zero exit."""
    told = _demo(tmp_path, ONCE="1", **environment)
    _, error = told.communicate(timeout=60)
    assert told.returncode == 1
    assert sentence in error
    assert "Traceback" not in error


@pytest.mark.skipif(parts.mosquitto() is None, reason=parts.missing("Mosquitto"))
def test_the_hub_to_play_with_comes_up_and_goes(short_folder: Path) -> None:
    """It names the panel, the pages and the sign-in; both answer; SIGTERM ends it with no process and no file left."""
    demo = _demo(short_folder, READER="simulated", ONCE="")
    try:
        assert demo.stdout is not None
        said: list[str] = []
        while not any("Ctrl-C" in line for line in said):
            line = demo.stdout.readline()
            assert line, f"the demo ended: {demo.communicate()[1]}"
            said.append(line)
        panel, pages = (
            next(w for line in said if name in line for w in line.split() if "http" in w) for name in ("panel", "pages")
        )
        Visitor(panel).see("/").must_say("Door panel", "Keytags")
        Visitor(pages).see("/sign-in")
        _the_panel_moves_a_door(urlsplit(panel).port or 0)
        assert _below(short_folder)
    finally:
        demo.send_signal(signal.SIGTERM)
        _, error = demo.communicate(timeout=30)
    assert demo.returncode == 0, error
    wait_for(lambda: not _below(short_folder), "no process left")
    assert not list(short_folder.iterdir())
