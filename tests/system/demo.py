# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command behind `make demo`: a small hub to play with, or with ONCE=1 the whole story, played once and checked.

READER=simulated leaves the card daemon out; otherwise a real pcscd is used, and the story fails where it cannot be had.
Ctrl-C and SIGTERM end it cleanly: no process and no folder is left but the invoice it names.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tests.system import pcsc, plan
from tests.system.building import Building
from tests.system.parts import CHECKOUT
from tests.system.processes import NotReady
from tests.system.story import PULSE_SECONDS, SHOP, STUDIO, Story, StoryFailed, play
from tests.system.story_steps import STEPS

INVOICES = CHECKOUT / "build" / "demo"


def main() -> int:
    """Run the demo and return the exit code: 0 if all was as it must be."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        return _once() if os.environ.get("ONCE", "") not in ("", "0") else _stay()
    except (NotReady, StoryFailed) as problem:
        print(f"hubkey: {problem}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("\nhubkey: stopped, nothing is left running", flush=True)
        return 0


def readers(*doors: str) -> tuple[str, ...]:
    """Which of these doors get a reader of the real card daemon: all, or none if READER=simulated. Raise NotReady."""
    asked = os.environ.get("READER") or "pcsc"
    if asked not in ("pcsc", "simulated"):
        raise NotReady(f"READER is {asked!r}; allowed are pcsc and simulated")
    if asked == "simulated":
        return ()
    if reason := pcsc.why_not():
        raise NotReady(f"the card daemon cannot be had: {reason}. READER=simulated goes without it")
    return doors


def _once() -> int:
    started = time.perf_counter()
    real = readers(STUDIO, SHOP)
    with Building(at=plan.START, readers=real, pulse_seconds=PULSE_SECONDS) as building:
        story = Story(building, INVOICES)
        play(story, STEPS, _say)
    _say(f"\nreader:  {'pcsc: the real pcscd, with virtual readers' if real else 'simulated'}")
    _say(f"invoice: {_shown(story.invoice)}")
    _say(f"took:    {time.perf_counter() - started:.1f} s")
    return 0


def _stay() -> int:
    from tests.system.playground import stay

    stay(readers, _say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _shown(file: Path | None) -> str:
    return "" if file is None else os.path.relpath(file)


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
