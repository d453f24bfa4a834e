# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a real Pi's copper do what mock pins did? For a Raspberry Pi with two pins wired together; not run anywhere yet.

Wire GPIO 17 (the relay's pin) to GPIO 22 (the contact's) through 1 kΩ, with 10 kΩ from GPIO 17 to ground and nothing else on
either. Then, with the door-agent stopped: pytest -m hardware tests/hardware
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from door_agent.errors import MissingPart
from door_agent.relays import Relay, use_pins
from tests.system.processes import wait_for

pytestmark = pytest.mark.hardware
OUT, BACK = 17, 22
_HOLD = """
import sys
from door_agent.relays import Relay, use_pins
use_pins(mock=False)
relay = Relay(17, active_high=True, watcher=lambda *_: None)
relay.energise(600)
print("on", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def back() -> Iterator[Any]:
    """The pin that sees what the relay's pin does."""
    try:
        use_pins(mock=False)
    except MissingPart as missing:
        pytest.skip(str(missing))
    pin = import_module("gpiozero").InputDevice(BACK, pull_up=None, active_state=True)
    yield pin
    pin.close()


def quiet(_name: str, _on: bool) -> None:  # noqa: FBT001
    pass


def test_a_pulse_is_seen_at_the_other_pin_for_as_long_as_it_should(back: Any) -> None:
    """Current flows for the pulse, within 20 ms, and not before or after."""
    relay = Relay(OUT, active_high=True, watcher=quiet)
    assert not back.value
    begun = time.monotonic()
    relay.energise(0.5)
    assert back.value
    wait_for(lambda: not back.value, "the pulse ends", limit_seconds=2)
    assert abs(time.monotonic() - begun - 0.5) < 0.05
    relay.close()
    assert not back.value


def test_the_pull_down_holds_the_relay_off_after_the_agent_was_killed(back: Any) -> None:
    """kill -9 in the middle of a pulse: the kernel lets go of the line and the resistor pulls it low."""
    holder = subprocess.Popen([sys.executable, "-c", _HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "on\n"
    assert back.value
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    wait_for(lambda: not back.value, "the line falls", limit_seconds=1)


def test_bounce_is_one_press(back: Any) -> None:
    """Twenty edges within ten milliseconds are heard as one press: what mock pins cannot show."""
    back.close()
    presses: list[float] = []
    gpiozero = import_module("gpiozero")
    button = gpiozero.Button(BACK, pull_up=None, active_state=True, bounce_time=0.02)
    button.when_pressed = lambda: presses.append(time.monotonic())
    out = gpiozero.OutputDevice(OUT)
    for _ in range(10):
        out.on()
        out.off()
    out.on()
    threading.Event().wait(0.2)
    out.close()
    button.close()
    assert len(presses) == 1


def test_the_boot_lines_are_in_place() -> None:
    """The firmware's settings hold the relay's pin low from power-on."""
    settings = Path("/boot/firmware/config.txt")
    if not settings.exists():
        pytest.skip("this is not Raspberry Pi OS: /boot/firmware/config.txt is not there")
    assert f"gpio={OUT}=op,dl" in settings.read_text(encoding="utf-8").splitlines()
