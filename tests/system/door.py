# SPDX-License-Identifier: AGPL-3.0-or-later
"""One door of the building: the real agent as its own process, behind a network plug of its own, with hands to use it.

It runs from the files that `booking-server door-files` wrote for it. Only what ties it to this building is changed in them:
the plug's port, the turned clock, the reader that stands in for the antenna, and mock pins that can be watched.
"""

from __future__ import annotations

import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from access_contract.vocabulary import TagNumber
from tests.system.pcsc import CardRoom
from tests.system.pins import PinHistory, ask
from tests.system.plug import Plug
from tests.system.processes import Child, NotReady, Processes, free_port
from tests.system.settings_file import write_settings

AGENT = Path(sys.executable).with_name("door-agent")
SOCKET_PATH_MAX = 100


class Door:
    """A door that can be tapped, opened, unplugged, killed and started again. `pins` is what its copper did."""

    def __init__(self, folder: Path, processes: Processes, plug: Plug, room: CardRoom | None, **settings: object) -> None:
        """`folder` holds the door's files; `settings` replace what stands in its door.toml. Raise NotReady."""
        self.agent: Sequence[str | Path] = (AGENT,)
        self.folder, self.id, self.plug = folder, folder.name, plug
        self.control = folder / "control"
        self.pins = PinHistory()
        self._processes, self._room, self._child = processes, room, None
        if len(str(self.control)) > SOCKET_PATH_MAX:
            raise NotReady(f"{self.control} is too long for a socket; use a shorter temporary folder (TMPDIR)")
        self._settle(settings)

    _child: Child | None

    # --- hands ---

    def tap(self, number: TagNumber) -> float:
        """Hold a keytag to the reader until it was read, and return the monotonic second in which its number was there."""
        if self._room is not None:
            return self._room.tap(self.id, number.uid)
        tapped_at = time.monotonic()
        ask(self.control, do="tap", number=number.uid.hex().upper())
        return tapped_at

    def open_leaf(self) -> None:
        ask(self.control, do="contact", open=True)

    def close_leaf(self) -> None:
        ask(self.control, do="contact", open=False)

    def press_exit(self) -> None:
        ask(self.control, do="press")

    def move(self, what: str, *, on: bool) -> None:
        """Move an input: `bolt` thrown, `exit` held down, `tamper` open, `fire` sounding, `alarm` armed."""
        ask(self.control, do=what, on=on)

    # --- the process ---

    @property
    def reads_cards(self) -> bool:
        """True if its reader is a real one, behind pcscd."""
        return self._room is not None

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.running

    def start(self) -> None:
        """Start the agent and follow its pins. Raise NotReady with its last words."""
        self.control.unlink(missing_ok=True)
        self._child = self._processes.start(
            f"door-{self.id}",
            [*self.agent, "--config", self.folder / "door.toml", "run"],
            environment=self._room.environment if self._room else {},
        )
        self._child.wait_until(self._listens)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, at once."""
        self._ended().kill()

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        return self._ended().stop()

    def said(self) -> str:
        """What the agent logged so far, over all its runs."""
        return self._child.said() if self._child else ""

    def _ended(self) -> Child:
        if self._child is None:
            raise NotReady(f"the door {self.id} was not started")
        child, self._child = self._child, None
        self._processes.forget(child)
        return child

    def _listens(self) -> bool:
        with suppress(NotReady):
            self.pins.follow(self.control)
            return True
        return False

    # --- its settings ---

    def use(self, port: int) -> None:
        """Have the agent look for the broker on another port of 127.0.0.1, from its next start on."""
        file = self.folder / "door.toml"
        own = tomllib.loads(file.read_text(encoding="utf-8"))
        write_settings(file, {**own, "broker": {**own["broker"], "port": port}})

    def _settle(self, settings: Mapping[str, object]) -> None:
        file = self.folder / "door.toml"
        own = tomllib.loads(file.read_text(encoding="utf-8"))
        own["broker"] = {**own["broker"], "host": "127.0.0.1", "port": self.plug.port}
        kind = {"kind": "simulated"} if self._room is None else {"kind": "pcsc", "name": self._room.reader(self.id)}
        point = own["readers"][0]["access_point"] if own.get("readers") else "in"
        own["readers"] = [{**kind, "access_point": point}]
        own |= {
            "demo": True,
            "status_port": free_port(),
            "state_folder": "state",
            "contact": {"pin": 22},
            "exit_button": {"pin": 27},
            **settings,
        }
        write_settings(file, own)
