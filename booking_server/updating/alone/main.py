# SPDX-License-Identifier: AGPL-3.0-or-later
"""What systemd runs, and what whoever asked for the update looks on with. Both know only the folder with the record."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from . import record as records
from .machine import Machine
from .moving import Stuck, move
from .record import Record

FOLDER = Path("/var/lib/hubkey-update")
ETC = Path("/etc/systemd/system")
UNIT = "hubkey-update.service"
_UNIT = """\
# Written by `booking-server update`, and removed by it. At a start of the machine it finishes what was interrupted.
[Unit]
Description=Hubkey: an update, or the way back from one
After=network-online.target postgresql.service
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {program} go
TimeoutStartSec=infinity
"""
_ENTRY = "import sys\n\nfrom alone.main import main\n\nsys.exit(main(sys.argv[1:]))\n"
_FOLLOW_SECONDS, _STILL_MAX = 0.3, 10


def prepare(record: Record, folder: Path = FOLDER) -> None:
    """Put this program, the record and the unit where they outlast the package. From here on a start of the machine goes on."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    program = folder / "program"
    shutil.rmtree(program, ignore_errors=True)
    shutil.copytree(Path(__file__).parent, program / "alone", ignore=shutil.ignore_patterns("__pycache__"))
    (program / "__main__.py").write_text(_ENTRY, encoding="ascii")
    (folder / "log").write_text("", encoding="utf-8")
    records.write(folder, record)
    (ETC / UNIT).write_text(_UNIT.format(program=program), encoding="ascii")
    wants = ETC / "multi-user.target.wants" / UNIT
    wants.parent.mkdir(exist_ok=True)
    with suppress(FileExistsError):
        wants.symlink_to(ETC / UNIT)
    subprocess.run(["systemctl", "daemon-reload"], check=True)


def main(words: list[str]) -> int:
    """`go` does what is to be done; `follow` has systemd do it and shows how it goes; `back` does so after turning back.

    Return the exit code.
    """
    return {"go": go, "follow": follow, "back": back}[words[0]](FOLDER)


def back(folder: Path) -> int:
    """Take back what was interrupted, if it still can be, and follow that."""
    found = records.read(folder)
    if found is not None and found.under_way and found.can_turn_back and not is_running():
        records.write(folder, found.turned_back("taken back"))
    return follow(folder)


def go(folder: Path) -> int:
    """Go on until there is a result. Return 0 if the hub is in one version, whole; 1 if a person is needed."""
    with _alone(folder) as alone:
        if not alone:
            return 0
        try:
            found = move(folder, lambda record: Machine(folder, record), lambda line: _say(folder, line))
        except (Stuck, OSError, ValueError) as error:
            _say(folder, f"stuck: {error}")
            return 1
        _say(folder, said(found))
        _take_unit_away()
    return 0


def follow(folder: Path) -> int:
    """Start what is to be done and print its lines until it is over. Return 0 if what was asked for came true."""
    subprocess.run(["systemctl", "start", "--no-block", UNIT], check=True)
    shown, still, pause = 0, 0, Event()
    while still < _STILL_MAX:
        shown += _show(folder / "log", shown)
        found = records.read(folder)
        # A unit that was just asked for does not run yet, and one that is done removes what it wrote before it ends.
        still = 0 if is_running() else still + 1 if found is None or found.under_way else _STILL_MAX
        pause.wait(_FOLLOW_SECONDS)
    _show(folder / "log", shown)
    return 0 if found is not None and found.result in ("done", "undone") else 1


def _show(log: Path, shown: int) -> int:
    """Print the whole lines after the first `shown`; return how many that were."""
    lines = [line for line in log.read_text(encoding="utf-8").splitlines(keepends=True)[shown:] if line.endswith("\n")]
    for line in lines:
        sys.stdout.write(line.partition("  ")[2])
    sys.stdout.flush()
    return len(lines)


def said(record: Record) -> str:
    """Return the one line for what came of it."""
    plan, clause = record.plan, f" ({record.why})" if record.why else ""
    return {
        "done": f"The hub runs {plan.version_after}. To go back: booking-server update --undo",
        "back": f"The update failed{clause}. The hub runs {plan.version_before} as before: package, database and settings.",
        "undone": f"The hub runs {plan.version_before} again.",
        "unchanged": f"Nothing was changed{clause}.",
        "": f"It is not finished: {record.stuck or record.step}",
    }[record.result]


def _say(folder: Path, line: str) -> None:
    """One line for who looks on and for the machine's own journal."""
    with (folder / "log").open("a", encoding="utf-8") as log:
        log.write(f"{datetime.fromtimestamp(time.time(), UTC):%Y-%m-%dT%H:%M:%SZ}  {line}\n")  # noqa: TID251 - no clock is passed to it
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def is_running() -> bool:
    """True while systemd has it done."""
    done = subprocess.run(["systemctl", "is-active", UNIT], capture_output=True, text=True, check=False)
    return done.stdout.strip() in ("active", "activating", "reloading")


def _take_unit_away() -> None:
    (ETC / "multi-user.target.wants" / UNIT).unlink(missing_ok=True)
    (ETC / UNIT).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """True for one process at a time."""
    with (folder / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
