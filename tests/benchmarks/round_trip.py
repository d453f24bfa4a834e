# SPDX-License-Identifier: AGPL-3.0-or-later
"""What several benchmarks share: a bare round trip through a broker of our settings, a bare commit, an ear at the broker."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from access_contract import topics
from access_contract.vocabulary import DoorId
from booking_server.broker import pki
from booking_server.broker.settings import write_broker
from booking_server.config import Broker, Config
from tests.benchmarks.bare_mqtt import Bare
from tests.system import parts
from tests.system.building import Building
from tests.system.processes import answers, free_port

CONTENT = os.urandom(300)
_FLOOR_DOOR = DoorId("floor")
_EAR = DoorId("ear")
_SILENCE_SECONDS = 90.0


class RoundTrip:
    """A broker of its own with the same settings, and a process that sends everything back."""

    def __init__(self, building: Building, stack: ExitStack) -> None:
        folder = building.folder / "floor"
        port = free_port()
        config = Config(database="", state_folder=str(folder), broker=Broker(port=port, identity="server-floor"))
        program = parts.mosquitto()
        building.processes.start("floor-broker", [str(program), "-c", write_broker(config)]).wait_until(lambda: answers(port))
        pki.issue_to(folder, _FLOOR_DOOR, folder / "door")
        self._ask, reply = topics.up(_FLOOR_DOOR, "ask"), topics.down(_FLOOR_DOOR, "answer")
        server = folder / "identities" / "server-floor"
        module = [sys.executable, "-m", "tests.benchmarks.bare_mqtt"]
        words: list[str | Path] = [*module, server, "server-floor", str(port), self._ask, reply]
        child = building.processes.start("floor-answer", words, folder=Path(__file__).parents[2])
        child.wait_until(lambda: "ready" in child.said())
        self._line = Bare(folder / "door", _FLOOR_DOOR, port)
        self._line.subscribe(reply)
        stack.callback(self._line.close)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)

    def take(self) -> float:
        """Return the seconds from sending to the reply."""
        began = time.perf_counter()
        self._line.send(self._ask, CONTENT)
        self._line.receive()
        return time.perf_counter() - began


class Commit:
    """One small row into an SQLite file with full sync."""

    def __init__(self, file: Path, stack: ExitStack) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        stack.callback(self._database.close)
        for statement in ("pragma journal_mode=wal", "pragma synchronous=full", "create table row (content blob)"):
            self._database.execute(statement)

    def take(self) -> float:
        """Return the seconds until it is on the disk."""
        began = time.perf_counter()
        self._database.execute("insert into row values (?)", (CONTENT,))
        return time.perf_counter() - began


def grant_ear(building: Building) -> None:
    """Let the broker of the building admit one more, who may hear everything and say nothing."""
    pki.issue_to(building.state, _EAR, building.folder / "ear")
    with (building.state / "broker" / "acl").open("a", encoding="utf-8") as rights:
        rights.write(f"\nuser {_EAR}\ntopic read {topics.ROOT}/#\n")
    building.child("broker").process.send_signal(signal.SIGHUP)


@contextmanager
def ear(building: Building) -> Iterator[Bare]:
    """Hear everything that passes the broker, from now on."""
    line = Bare(building.folder / "ear", _EAR, building.broker_port)
    line.give_up_after(_SILENCE_SECONDS)
    line.subscribe(f"{topics.ROOT}/#")
    try:
        yield line
    finally:
        line.close()
