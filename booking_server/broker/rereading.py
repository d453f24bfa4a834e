# SPDX-License-Identifier: AGPL-3.0-or-later
"""Has the running broker read rights and revocations again. It never signals a process that is not this hub's broker."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from threading import Event

from booking_server.broker.settings import broker_folder
from booking_server.config import Config

_START_SECONDS = 5.0
_STEP_SECONDS = 0.05
_CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)


def have_reread(config: Config) -> bool:
    """Signal the broker. False where none runs here, or it is not ours to signal."""
    folder = broker_folder(config)
    try:
        process = int((folder / "broker.pid").read_text(encoding="ascii"))
        words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        if str(folder / "mosquitto.conf").encode() not in words:
            return False  # the broker was killed, and its number is another's by now
        _wait_until_it_listens(process)
        os.kill(process, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _wait_until_it_listens(process: int) -> None:
    """Mosquitto opens its port, with what it has read, before it takes signals: one that comes in between ends it."""
    for _ in range(round(_START_SECONDS / _STEP_SECONDS)):
        caught = _CAUGHT.search(Path(f"/proc/{process}/status").read_text(encoding="ascii"))
        if caught is None or int(caught[1], 16) >> (signal.SIGHUP - 1) & 1:
            return
        Event().wait(_STEP_SECONDS)
