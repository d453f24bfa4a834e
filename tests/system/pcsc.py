# SPDX-License-Identifier: AGPL-3.0-or-later
"""A private card daemon: the machine's real pcscd with one virtual reader per door, and cards that can be tapped on them.

It lives in mount and network namespaces of its own, so it meets no other pcscd, and its readers' ports, which listen on every
address, can be reached by nobody. Only its socket is outside, in our folder; doors are told of it by PCSCLITE_CSOCK_NAME.
Without root it makes a user namespace as well. If it cannot be had, `why_not()` says why; it never falls back silently.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

from tests.system import parts
from tests.system.processes import NotReady

_FIRST_PORT = 46_010
_DRIVER = Path(__file__).with_name("reader_driver.c")
_ROOM = Path(__file__).with_name("pcsc_room.py")
_ENTER = 'mount -t tmpfs tmpfs /run && mkdir /run/pcscd && mount --bind "$1" /run/pcscd && shift && exec "$@"'
READERS_MAX = 7
"""pcscd has 16 places and each virtual driver takes two."""


def why_not() -> str | None:
    """Return None if a private pcscd can be had here, else the reason in one line."""
    for there, part in (
        (parts.pcscd(), "pcscd"),
        (parts.vpcd_driver(), "the virtual card reader's driver (vsmartcard-vpcd)"),
        (parts.pyscard(), "pyscard"),
        (shutil.which("unshare", path=parts.search_path()), "unshare (util-linux)"),
    ):
        if not there:
            return parts.missing(part)
    tried = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False, env=parts.environment())
    return f"namespaces are not allowed here: {tried.stderr.strip()}" if tried.returncode else None


def _unshare() -> list[str]:
    return ["unshare", "-mn"] if os.geteuid() == 0 else ["unshare", "-Urmn"]


class CardRoom:
    """A running pcscd with a virtual reader for each name. `environment` is what a program needs to speak to it."""

    def __init__(self, folder: Path, names: Sequence[str], *, takes_commands: bool = False) -> None:
        """Start it; `folder` must be short (a socket's path has 107 characters). Raise NotReady.

        Readers that take commands write them down (`commands`), and can be made deaf or locked. That needs a C compiler.
        """
        self._folder, self._takes_commands = folder, takes_commands
        if len(names) > READERS_MAX:
            raise NotReady(f"pcscd takes at most {READERS_MAX} virtual readers, {len(names)} were asked for")
        self._ports = {name: _FIRST_PORT + 10 * place for place, name in enumerate(names)}
        self._socket = folder / "socket" / "pcscd.comm"
        self._lock = Lock()
        self._write(folder)
        self._log = (folder / "pcscd.log").open("ab")
        self._process = subprocess.Popen(
            self._command(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=parts.environment(),
            process_group=0,
        )
        if self._heard() != "ready":
            self.close()
            raise NotReady(f"pcscd did not come up: {(folder / 'pcscd.log').read_text(errors='replace')[-400:].strip()}")

    @property
    def environment(self) -> dict[str, str]:
        return {"PCSCLITE_CSOCK_NAME": str(self._socket)}

    def reader(self, name: str) -> str:
        """What PC/SC calls this reader."""
        return f"{name} 00 00"

    def tap(self, name: str, uid: bytes) -> float:
        """Lay a card with this number on the reader and take it away once it was read. Raise NotReady if nobody reads it.

        Return the monotonic second in which it told its number: pcscd looks for a card of this kind only every 400 ms.
        """
        said = self._order(f"nobody read the card on the reader {name!r}", port=self._ports[name], uid=uid.hex())
        return float(said.removeprefix("read "))

    def lay(self, name: str, uid: bytes, *, torn: bool = False) -> None:
        """Lay a card and leave it there; one without a number (b"") tells none, a torn one is gone while it is read."""
        order = {"port": self._ports[name], "uid": uid.hex(), "stays": True, "torn": torn}
        self._order(f"nobody read the card on the reader {name!r}", **order)

    def take_away(self, name: str) -> list[str]:
        """Take away the card that was laid there; return the commands that it heard, as hex digits."""
        return self._order("no card lies there", port=self._ports[name], take_away=True).split()[1:]

    def heard(self, name: str) -> list[str]:
        """Return the commands that the card lying there has heard, as hex digits."""
        return self._order("no card lies there", port=self._ports[name], heard=True).split()[1:]

    def commands(self, name: str) -> list[str]:
        """Return the commands that this reader was sent and not the card on it, as hex digits."""
        log = self._file(name, "commands")
        return log.read_text(encoding="ascii").split() if log.exists() else []

    def make_deaf(self, name: str, *, deaf: bool) -> None:
        """Let the reader be there and answer no command, or answer again."""
        self._switch(name, "deaf", on=deaf)

    def lock(self, name: str) -> None:
        """Let the reader's driver hold every command back, as libccid does when delivered."""
        self._switch(name, "locked", on=True)

    def make_mute(self, name: str, *, mute: bool) -> None:
        """Let the reader answer nothing at all, not even whether a card lies there."""
        self._switch(name, "mute", on=mute)

    def pull(self, name: str) -> None:
        """Let pcscd be without this reader; it is started anew, because it sees only USB readers come and go."""
        self._plug(name, plugged=False)

    def plug_in(self, name: str) -> None:
        """Put the reader back."""
        self._plug(name, plugged=True)

    def _plug(self, name: str, *, plugged: bool) -> None:
        self._switch(name, "pulled", on=not plugged)
        self.kill_daemon()
        self.start_daemon()

    def _switch(self, name: str, word: str, *, on: bool) -> None:
        if on:
            self._file(name, word).touch()
        else:
            self._file(name, word).unlink()

    def _file(self, name: str, word: str) -> Path:
        return self._folder / f"{word}-{self._ports[name]}"

    def kill_daemon(self) -> None:
        """End pcscd as a crash would."""
        self._order("pcscd could not be ended", daemon="kill")

    def crash_daemon(self) -> None:
        """End pcscd at this very instant, also while it reads a card; `start_daemon` brings it back."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii")
        for pid in children.split():
            os.kill(int(pid), signal.SIGKILL)

    def start_daemon(self) -> None:
        """Bring pcscd back."""
        self._order("pcscd did not come back", daemon="start")

    def _order(self, otherwise: str, **order: Any) -> str:
        with self._lock:
            if self._process.stdin is None or self._process.poll() is not None:
                raise NotReady("pcscd has ended")
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            said = self._heard()
            if not said.startswith("read"):
                raise NotReady(otherwise)
            return said

    def close(self) -> None:
        """End pcscd. Its room ends by itself too when we do, because its stdin ends."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()

    def _write(self, folder: Path) -> None:
        driver = parts.vpcd_driver()
        if driver is None:
            raise NotReady(parts.missing("the virtual card reader's driver"))
        for sub in ("readers", "socket"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        self._socket.unlink(missing_ok=True)
        for name, port in self._ports.items():
            own = folder / f"driver-{port}.so"  # the driver keeps static state: one file for each reader
            shutil.copyfile(driver, own)
            if self._takes_commands:
                own = self._compiled(name, own)
            entry = f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:{port}\nLIBPATH {own}\nCHANNELID {port}\n'
            (folder / "readers" / f"reader-{port}").write_text(entry, encoding="ascii")

    def _compiled(self, name: str, real: Path) -> Path:
        """Return a driver that takes the reader's own commands, and hands the rest to `real`."""
        made = real.with_name(f"taking-{real.name}")
        files = {"REAL": real, "LOG": self._file(name, "commands")}
        files |= {word.upper(): self._file(name, word) for word in ("deaf", "locked", "mute", "pulled")}
        defined = [f'-D{word}="{file}"' for word, file in files.items()]
        command = ["cc", "-shared", "-fPIC", "-O1", *defined, "-o", str(made), str(_DRIVER), "-ldl"]
        tried = subprocess.run(command, capture_output=True, text=True, check=False, env=parts.environment())
        if tried.returncode:
            raise NotReady(f"the reader's driver could not be compiled: {tried.stderr.strip()}")
        return made

    def _command(self, folder: Path) -> list[str]:
        pcscd = str(parts.pcscd())
        room = [sys.executable, str(_ROOM), pcscd, str(folder / "readers"), str(self._socket), *_options(pcscd)]
        return [*_unshare(), "sh", "-c", _ENTER, "sh", str(self._socket.parent), *room]

    def _heard(self) -> str:
        return self._process.stdout.readline().strip() if self._process.stdout is not None else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()


def _options(pcscd: str) -> list[str]:
    """pcscd 2 asks polkit who may speak to it; in a room of our own there is none to ask."""
    told = subprocess.run([pcscd, "--help"], capture_output=True, text=True, check=False, env=parts.environment())
    return ["--disable-polkit"] if "--disable-polkit" in told.stdout + told.stderr else []
