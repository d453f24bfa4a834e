# SPDX-License-Identifier: AGPL-3.0-or-later
"""The steps of an update on a machine with Debian's package manager and systemd.

While it is under way the hub's units are held back by a condition, so that neither the package's own script nor a start of the
machine begins one of them before its time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from threading import Event

from . import data, packages
from .moving import Failed
from .record import Record

UNITS = "booking-server-*"
PROGRAM = "/usr/bin/booking-server"
HEALTHY_SECONDS_MAX = 90
_HELD_BACK = """\
# Written by `booking-server update`, and removed by it: the hub is between two versions, and nothing of it may start.
[Unit]
ConditionPathExists={mark}
"""


class Machine:
    """The steps for what stands in `record`; what is kept lies in `folder`."""

    def __init__(self, folder: Path, record: Record, etc: Path = Path("/etc/systemd/system")) -> None:
        self._plan, self._record = record.plan, record
        self._before, self._after = folder / "before", folder / "after"
        self._mark = folder / "never"
        self._held_back = etc / "booking-server-.service.d" / "updating.conf"

    # --- on the way forward ---

    def keep(self) -> None:
        """Keep what must be had again: the package as it is installed, and the settings."""
        shutil.rmtree(self._before, ignore_errors=True)
        self._before.mkdir(mode=0o700)
        packages.repack(self._plan.package, self._before / "package.deb")
        data.copy_folder(Path(self._plan.settings).parent, self._before / "settings")

    def stop(self) -> None:
        self._held_back.parent.mkdir(parents=True, exist_ok=True)
        self._held_back.write_text(_HELD_BACK.format(mark=self._mark), encoding="utf-8")
        _systemctl("daemon-reload")
        _systemctl("stop", UNITS)

    def copy(self) -> None:
        data.copy(self._plan.database, self._before, self._user)

    def install(self) -> None:
        packages.install(Path(self._plan.file), self._plan.version_after, self._plan.package)

    def migrate(self) -> None:
        self._server("database", "upgrade")

    def start(self) -> None:
        """Start what is enabled; whether it works is asked afterwards."""
        self._held_back.unlink(missing_ok=True)
        if self._held_back.parent.exists() and not any(self._held_back.parent.iterdir()):
            self._held_back.parent.rmdir()
        _systemctl("daemon-reload")
        _run("systemctl", "reset-failed", UNITS)
        if units := _enabled():
            _run("systemctl", "start", *units)

    def check(self) -> None:
        """Wait until every enabled unit runs and the doctor finds nothing wrong that was well before."""
        until, pause = time.monotonic() + HEALTHY_SECONDS_MAX, Event()
        while (wrong := self._wrong()) is not None:
            if time.monotonic() > until:
                raise Failed(wrong)
            pause.wait(2)

    # --- on the way back ---

    def copy_again(self) -> None:
        """Keep the database and the settings as they are before an undo, should anybody miss something."""
        shutil.rmtree(self._after, ignore_errors=True)
        self._after.mkdir(mode=0o700)
        data.copy(self._plan.database, self._after, self._user)
        data.copy_folder(Path(self._plan.settings).parent, self._after / "settings")

    def downgrade(self) -> None:
        if not self._record.restore:
            self._server("database", "downgrade", self._plan.revision_before)

    def undo_package(self) -> None:
        packages.put_back(self._before / "package.deb", self._plan.version_before, self._plan.package)

    def undo_data(self) -> None:
        if self._record.restores_data and data.is_whole(self._before):
            data.put_back(self._plan.database, self._before, self._user)
            if self._record.restore:
                self._server("database", "go-on", "--as-of", self._plan.begun_at)
            elif self._record.served:
                self._server("database", "go-on")

    def undo_settings(self) -> None:
        data.put_folder_back(Path(self._plan.settings).parent, self._before / "settings")

    # --- inside ---

    @property
    def _user(self) -> list[str]:
        return ["runuser", "--user", self._plan.user, "--"] if self._plan.user else []

    def _server(self, *words: str) -> None:
        done = _run(*self._user, PROGRAM, "--config", self._plan.settings, *words)
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise Failed((said or [f"booking-server {' '.join(words)} failed"])[-1].removeprefix("Error: "))

    def _wrong(self) -> str | None:
        for unit in _enabled():
            state = _run("systemctl", "is-active", unit).stdout.strip()
            if state != "active":
                return f"{unit} is {state}: journalctl -u {unit} -n 20"
        for level, about, says in findings(self._plan.settings):
            if level == "fault" and about in self._plan.well:
                return f"doctor: {about}: {says}"
        return None


def findings(settings: str) -> list[tuple[str, str, str]]:
    """Return level, what and how of each thing that the installed version's doctor looks at. Raise Failed."""
    done = _run(PROGRAM, "--config", settings, "doctor", "--json")
    try:
        return [(one["level"], one["about"], one["says"]) for one in json.loads(done.stdout)]
    except ValueError:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"booking-server doctor does not work: {(said or ['it said nothing'])[-1]}") from None


def _enabled() -> list[str]:
    """Return the hub's units that start with the machine."""
    said = _run("systemctl", "list-unit-files", UNITS, "--state=enabled", "--no-legend", "--plain").stdout
    return sorted(line.split()[0] for line in said.splitlines() if line.strip())


def _systemctl(*words: str) -> None:
    done = _run("systemctl", *words)
    if done.returncode:
        raise Failed(f"systemctl {' '.join(words)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/")
