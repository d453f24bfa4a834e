# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the Pi's firmware does to this door's pins before Linux runs: which lines config.txt needs, lacks, or has too many.

Pure. Of a line under a filter such as [pi4] it is not known whether it counts, so it never helps, and what it spoils is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from door_agent.config import Config

LETS_GO = "dtparam=strict_gpiod"
"""Raspberry Pi's kernels otherwise leave an output as it was when the program that drove it is killed: the relay on."""
_TAKES: dict[str, tuple[int, ...]] = {
    "i2c_arm": (2, 3),
    "i2c": (2, 3),
    "spi": (7, 8, 9, 10, 11),
    "i2s": (18, 19, 20, 21),
    "uart0": (14, 15),
    "w1-gpio": (4,),
    "pwm": (18,),
    "pwm-2chan": (18, 19),
    "gpio-ir": (18,),
    "gpio-fan": (12,),
    "gpio-poweroff": (26,),
    "gpio-shutdown": (3,),
    "gpio-led": (4,),
    "pps-gpio": (18,),
    "dht11": (4,),
    "hifiberry-dac": (18, 19, 20, 21),
    "hifiberry-dacplus": (2, 3, 18, 19, 20, 21),
}
"""What an overlay or parameter takes unless it is told another pin."""
_PIN_OF_OVERLAY = re.compile(r"(?:gpio_?pin|gpio|pin|pin_func)=(\d+)")


@dataclass(frozen=True, slots=True)
class Need:
    """A pin, the setting that names it, and how it must be from power-on: `op,dl`, `op,dh` or `ip,pu`."""

    pin: int
    setting: str
    how: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of config.txt; `sure` False under a filter."""

    key: str
    value: str
    sure: bool


def needs(config: Config) -> list[Need]:
    """Return how each pin of this door must be before the agent runs: outputs at rest, inputs held up."""
    outputs = (
        ("lock.pin", config.lock.pin, config.lock.active_high),
        ("operator.pin", config.operator.pin, config.operator.active_high),
        ("alarm.disarm_pin", config.alarm.disarm_pin, config.alarm.disarm_active_high),
        ("lamps.granted", config.lamps.granted, True),
        ("lamps.refused", config.lamps.refused, True),
        ("buzzer.pin", config.buzzer.pin, True),
    )
    inputs = (
        ("contact.pin", config.contact.pin),
        ("exit_button.pin", config.exit_button.pin),
        ("bolt.pin", config.bolt.pin),
        ("tamper.pin", config.tamper.pin),
        ("fire.pin", config.fire.pin),
        ("alarm.armed_pin", config.alarm.armed_pin),
    )
    wanted = [Need(pin, setting, "op,dl" if high else "op,dh") for setting, pin, high in outputs if pin is not None]
    return wanted + [Need(pin, setting, "ip,pu") for setting, pin in inputs if pin is not None]


def parsed(text: str) -> Iterator[Line]:
    """Yield the settings of a config.txt in order."""
    sure = True
    for written in text.splitlines():
        line = written.partition("#")[0].strip()
        if line.startswith("[") and line.endswith("]"):
            sure = line.lower() == "[all]"
        elif "=" in line:
            key, _, value = line.partition("=")
            yield Line(key.strip().lower(), value.strip(), sure)


def lacking(wanted: Iterable[Need], lines: Iterable[Line]) -> list[Need]:
    """Return the pins that the firmware leaves otherwise than they must be. A later line stands over an earlier one."""
    found: dict[int, set[str]] = {}
    wanted = list(wanted)
    musts = {need.pin: set(need.how.split(",")) for need in wanted}
    for line in lines:
        if line.key != "gpio":
            continue
        pins, _, how = line.value.partition("=")
        words = {word.strip() for word in how.split(",")}
        for pin in _pins(pins):
            if line.sure or not musts.get(pin, set()) <= words:
                found[pin] = words
    return [need for need in wanted if not musts[need.pin] <= found.get(need.pin, set())]


def to_add(lacked: Iterable[Need]) -> list[str]:
    """Return the lines to append to config.txt."""
    by_how: dict[str, list[int]] = {}
    for need in lacked:
        by_how.setdefault(need.how, []).append(need.pin)
    return [f"gpio={','.join(map(str, sorted(pins)))}={how}" for how, pins in by_how.items()]


def taken(wanted: Iterable[Need], lines: Iterable[Line]) -> list[tuple[Need, str]]:
    """Return the pins that the kernel would take for something else, and the line that does it."""
    by_line = [(line, _taken_by(line)) for line in lines]
    return [(need, f"{line.key}={line.value}") for need in wanted for line, pins in by_line if need.pin in pins]


def lets_go(lines: Iterable[Line]) -> bool:
    """True if a pin is an input again once the program that drove it has ended, however it ended."""
    return any(line.sure and line.key == "dtparam" and _is_on(line.value, "strict_gpiod") for line in lines)


def _pins(words: str) -> Iterator[int]:
    for word in words.split(","):
        first, _, last = word.strip().partition("-")
        if first.isdigit() and (last or first).isdigit():
            yield from range(int(first), int(last or first) + 1)


def _taken_by(line: Line) -> set[int]:
    if line.key == "enable_uart" and line.value == "1":
        return {14, 15}
    if line.key == "dtoverlay":
        name, _, parameters = line.value.partition(",")
        chosen = {int(pin) for pin in _PIN_OF_OVERLAY.findall(parameters)}
        return chosen or set(_TAKES.get(name, ()))
    if line.key == "dtparam":
        return {pin for name in _TAKES if _is_on(line.value, name) for pin in _TAKES[name]}
    return set()


def _is_on(value: str, name: str) -> bool:
    """True if one of the words `name`, `name=on` ... stands in a dtparam."""
    for word in value.split(","):
        key, equals, how = word.strip().partition("=")
        if key == name:
            return not equals or how.lower() in ("on", "y", "yes", "true", "1")
    return False
