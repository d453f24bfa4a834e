# SPDX-License-Identifier: AGPL-3.0-or-later
"""The building: the real broker, both server processes and door agents on free loopback ports, under one turned clock.

The demo and the system tests use this one building, so what is shown is what is tested. Whatever ends it, no process is left
and its folder is gone. A missing part or a taken port is one sentence (NotReady), never a traceback.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from booking_server.broker.files import write_door_files
from booking_server.config import load
from booking_server.db import Database
from booking_server.keys import load_keys
from tests.system import parts
from tests.system.desk import Desk
from tests.system.door import Door
from tests.system.pcsc import CardRoom
from tests.system.plug import Plugs
from tests.system.processes import Child, NotReady, Processes, answers, free_port
from tests.system.settings_file import write_settings
from tests.system.turned_clock import ClockHand

COMMAND_SECONDS_MAX = 110
SERVER = Path(sys.executable).with_name("booking-server")
SELLER = {
    "name": "Demo Learning Hub",
    "address": "Metsänneidonkuja 6, 02130 Espoo",
    "business_id": "0737546-2",
    "iban": "FI21 1234 5600 0007 85",
}


class Building:
    """A hub's machines in one folder. `readers` names the doors that get a real pcscd reader; the others' are simulated."""

    def __init__(
        self,
        *,
        at: datetime,
        database: str | None = None,
        readers: Sequence[str] = (),
        pulse_seconds: float = 3.0,
        server: Sequence[str | Path] = (SERVER,),
    ) -> None:
        """Prepare an empty building whose clock says `at` (aware). `database` is an SQLAlchemy URL, SQLite if None.

        `server` is the command that is its `booking-server`.
        """
        self._stack = ExitStack()
        try:
            self.folder = _short_folder(self._stack)
            self.hand = ClockHand(self.folder / "clock")
            self.hand.turn_to(at)
            self.processes = self._stack.enter_context(Processes(self.folder / "logs"))
            self._plugs = Plugs()
            self._stack.callback(self._plugs.close)
            self.room = self._stack.enter_context(CardRoom(self.folder / "r", readers)) if readers else None
        except BaseException:
            self._stack.close()
            raise
        self.broker_port, self.web_port, self.mail_folder = free_port(), free_port(), self.folder / "mail"
        self.database_url = database or f"sqlite:///{self.folder / 'hub.sqlite'}"
        self.doors: dict[str, Door] = {}
        self._readers, self._server = frozenset(readers), server
        self._children: dict[str, Child] = {}
        self._pulse_seconds = pulse_seconds
        self._write_settings()

    @property
    def web_address(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    # --- the command ---

    def command(self, *words: str | Path, stdin: str = "") -> str:
        """Run `booking-server` with `words` and return what it printed. Raise NotReady with its last line if it refuses."""
        told = subprocess.run(
            [*self._server, "--config", self.settings, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            env=parts.environment(),
            timeout=COMMAND_SECONDS_MAX,
        )
        if told.returncode:
            last = (told.stderr.strip().splitlines() or [f"exit code {told.returncode}"])[-1]
            raise NotReady(f"booking-server {' '.join(map(str, words))}: {last}")
        return told.stdout

    def desk(self) -> Desk:
        """The staff's desk, in the same database, under the same clock. It is closed with the building."""
        database = Database(self.database_url)
        self._stack.callback(database.close)
        return Desk(database, load_keys(self.state), self.hand.clock)

    # --- servers and broker ---

    def start_broker(self) -> None:
        """Start Mosquitto as the command writes and runs it, and wait until it listens."""
        if parts.mosquitto() is None:
            raise NotReady(parts.missing("Mosquitto"))
        self._start("broker", "broker", "run").wait_until(lambda: answers(self.broker_port))

    def start_doors(self) -> None:
        """Start the process that speaks with the doors; ready means connected and its index built."""
        heard = len(self._children["doors"].said()) if "doors" in self._children else 0
        child = self._start("doors", "doors")
        child.wait_until(lambda: "ready" in child.said()[heard:])

    def start_web(self) -> None:
        self._start("web", "web").wait_until(lambda: answers(self.web_port))

    def start_mail(self) -> None:
        """Start the process that sends mail: here, one file for each into `mail_folder`."""
        child = self._start("mail", "mail")
        child.wait_until(lambda: '"ready"' in child.said())

    def start_servers(self) -> None:
        """Start the broker, then both server processes beside each other."""
        self.start_broker()
        _together(self.start_doors, self.start_web)

    def cut_broker(self) -> None:
        """Take the broker away, as a power cut at its machine would."""
        self._kill("broker")

    def restore_broker(self) -> None:
        self.start_broker()

    def kill_doors(self) -> None:
        """Kill the server's process that speaks with the doors, at once."""
        self._kill("doors")

    @property
    def broker_is_up(self) -> bool:
        child = self._children.get("broker")
        return child is not None and child.running

    def child(self, name: str) -> Child:
        """A running part: "broker", "doors" or "web"."""
        return self._children[name]

    def fault(self) -> str | None:
        """Say which part has ended by itself, with its last words; None while all run."""
        child = self.processes.ended()
        return None if child is None else f"{child.name} ended with {child.process.returncode}:\n{child.last_lines()}"

    def last_words(self, lines: int = 15) -> str:
        """The end of what every part wrote, for a failure to be understood by."""
        logs = sorted((self.folder / "logs").glob("*.log"))
        return "\n".join(f"== {log.stem}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) for log in logs)

    # --- doors ---

    def door(self, door_id: str, *, start: bool = True, by_command: bool = True, **settings: object) -> Door:
        """Have this door's files written, as the command does, and start its agent. The hub must know the door."""
        to = self.folder / "d" / door_id
        if by_command:
            self.command("door-files", door_id, "--to", to)
        else:
            self._write_door_files(door_id, to)
        room = self.room if door_id in self._readers else None
        own: dict[str, object] = {
            "simulated": {"control": "control", "clock": str(self.hand.file)},
            "lock": {"pin": 17, "pulse_seconds": self._pulse_seconds},
            "lamps": {"granted": 23, "refused": 24},
        }
        door = Door(to, self.processes, self._plugs.plug(self.broker_port), room, **(own | settings))
        self.doors[door_id] = door
        if start:
            door.start()
        return door

    def doors_made(self, *door_ids: str, start: bool = True, by_command: bool = True) -> list[Door]:
        """Several doors beside each other."""
        load(self.settings)  # msgspec may crash where two threads are the first to read a shape
        with ThreadPoolExecutor(4) as together:
            return list(together.map(lambda door_id: self.door(door_id, start=start, by_command=by_command), door_ids))

    # --- inside ---

    @property
    def settings(self) -> Path:
        return self.folder / "server.toml"

    @property
    def state(self) -> Path:
        return self.folder / "s"

    def _write_door_files(self, door_id: str, to: Path) -> None:
        """What the command does, without a second for a process of its own."""
        database = Database(self.database_url)
        try:
            with database.read() as tx:
                write_door_files(tx, load(self.settings), load_keys(self.state), door_id, to)
        finally:
            database.close()

    def _write_settings(self) -> None:
        settings: dict[str, object] = {
            "database": self.database_url,
            "state_folder": str(self.state),
            "demo": True,
            "language": "en",
            "web": {"host": "127.0.0.1", "port": self.web_port, "secure_cookies": False},
            "broker": {"host": "127.0.0.1", "port": self.broker_port},
            "seller": SELLER,
            "simulated": {"clock": str(self.hand.file)},
        }
        if tuple(self._server) == (SERVER,):  # an earlier version's knows no mail
            settings["mail"] = {"folder": str(self.mail_folder), "sender": "hub@example.org"}
        write_settings(self.settings, settings)

    def _start(self, name: str, *words: str) -> Child:
        child = self.processes.start(name, [*self._server, "--config", self.settings, *words])
        self._children[name] = child
        return child

    def _kill(self, name: str) -> None:
        child = self._children[name]
        self.processes.forget(child)
        child.kill()

    def close(self) -> None:
        """Stop everything, the doors first, and remove the folder."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def _short_folder(stack: ExitStack) -> Path:
    """A folder of our own that even a broker which has dropped its rights may enter; short, for the sockets in it."""
    base = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="hubkey-", dir="/tmp" if len(base) > 40 else base))  # noqa: S108
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o711)
    return folder


def _together(*works: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(works)) as pool:
        for started in [pool.submit(work) for work in works]:
            started.result()
