# SPDX-License-Identifier: AGPL-3.0-or-later
"""`door-agent enrol` on this machine: shows the code, waits for staff, asks here too, and writes what makes the box a door.

Settings for the wiring that are there are kept. What the box wrote as another door is set aside and never sent as this one's.
"""

from __future__ import annotations

import fcntl
import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.x509 import load_pem_x509_certificate

from access_contract.enrolling import LAPSE_SECONDS, Delivered, spaced
from door_agent import identity
from door_agent.durable import write_durably
from door_agent.enrolling import Box, NotEnrolled, address_of, hardware
from door_agent.enrolling_lamp import lamp_and_button
from door_agent.errors import BadConfiguration, unreadable

STATE_FOLDER = "/var/lib/hubkey-door"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What was asked for on the command line; a pin that is None is looked for in door.toml."""

    server: str
    state_folder: str | None = None
    lamp_pin: int | None = None
    button_pin: int | None = None
    confirm_by_button: bool = False


def enrol(config_file: Path, wishes: Wishes, *, say: Callable[[str], None], confirm: Callable[[str], bool]) -> None:
    """Make this box a door. `say` tells a person here, `confirm` asks one. Raise DoorError: then it is what it was."""
    written = _written(config_file)
    state_folder = _state_folder(config_file, wishes, written)
    button_pin = _pin(wishes.button_pin, written, "exit_button", "pin") if wishes.confirm_by_button else None
    if wishes.confirm_by_button and button_pin is None:
        raise NotEnrolled("--confirm-by-button needs to know the exit button's pin; add --button-pin")
    lamp_pin = _pin(wishes.lamp_pin, written, "lamps", "granted") if wishes.confirm_by_button else wishes.lamp_pin
    box, mock = Box(address_of(wishes.server), hardware()), written.get("demo") is True
    if (lamp_pin, button_pin) != (None, None) and not mock:
        _check_pins_are_free(state_folder)
    with ExitStack() as ends:
        lamp, button = ends.enter_context(lamp_and_button(lamp_pin, button_pin, mock=mock))
        code = box.begin()
        if lamp is not None:
            lamp.show(code)
        say(f"The code of this box: {spaced(code)}")
        say(f"On the page New boxes somebody types it and chooses the door, within {LAPSE_SECONDS // 60} minutes.")
        delivered = box.wait()
        if lamp is not None:
            lamp.ready()
        if not (_pressed(button, code, say) if button is not None else confirm(f"Does the page show {spaced(code)}?")):
            raise NotEnrolled("nothing was taken on; if the page shows another code, somebody stands in between")
    running = _take_on(config_file, state_folder, written, delivered, box.private_key, say)
    say(f"This box is now the door {delivered.door!r} ({_printable(delivered.name)}).")
    for line in _next_steps(config_file, new=not written, running=running):
        say(line)


def _pressed(button: Any, code: str, say: Callable[[str], None]) -> bool:
    say(f"If the page shows {spaced(code)}, press the exit button.")
    return bool(button.wait_for_press(timeout=LAPSE_SECONDS))


def _take_on(
    config_file: Path,
    state_folder: Path,
    written: dict[str, Any],
    delivered: Delivered,
    private_key: bytes,
    say: Callable[[str], None],
) -> bool:
    """Write it all, the step that counts last. Return whether the agent runs, which takes it on when it is restarted."""
    with _alone(state_folder) as alone:
        before = _door_before(state_folder) or written.get("door")
        moves = before is not None and before != delivered.door
        if moves and not alone:
            raise NotEnrolled(f"the agent runs as the door {before!r}; stop it first: systemctl stop door-agent")
        try:
            write_identity(config_file, state_folder, delivered, private_key, was=before if moves else None, say=say)
        except OSError as error:
            raise NotEnrolled(f"{error.filename or state_folder}: cannot be written ({error.strerror})") from None
        if "door" in written and written["door"] != delivered.door:
            say(f"In {config_file} take the line out that begins with: door =")
        return not alone


def _door_before(state_folder: Path) -> str | None:
    try:
        return identity.door_of(state_folder)
    except BadConfiguration:
        return None  # damaged: that is why somebody enrols it again


def write_identity(
    config_file: Path,
    state_folder: Path,
    delivered: Delivered,
    private_key: bytes,
    *,
    was: str | None,
    say: Callable[[str], None],
) -> None:
    """Put what was delivered on the disk. Interrupted anywhere, the box is what it was or what it is to be. Raise OSError."""
    serial = load_pem_x509_certificate(delivered.certificate.encode()).serial_number
    folder = identity.prepare(state_folder, f"{serial:x}", identity.contents(delivered, private_key))
    if not config_file.exists():
        write_durably(config_file, (_HEAD.format(_quoted(state_folder.resolve())) + delivered.settings).encode())
        config_file.chmod(0o644)  # whoever enrols is not who runs the agent; nothing in it is secret
    if was is not None:
        aside = identity.set_aside(state_folder, was)
        if aside is not None:
            say(f"What this box wrote as the door {was!r} is kept in {aside}.")
    identity.take_on(state_folder, folder)


_HEAD = """\
# Settings of this door: its wiring. Who the door is stands in the folder identity, written by `door-agent enrol`.
# Every key is explained in /usr/share/hubkey-door/door.example.toml. Check with: door-agent check
state_folder = {}   # journal, snapshot, mode and identity
# wiring = "fail-secure-strike"   # what your lock is, or: fail-safe-maglock, motor-lock, door-operator. Take the first # away
"""


def _next_steps(config_file: Path, *, new: bool, running: bool) -> Iterator[str]:
    if new:
        yield f"Next: write wiring, pins and reader into {config_file}, then: sudo door-agent check"
    yield "Then: sudo systemctl restart door-agent" if running else "Then: sudo systemctl enable --now door-agent"


def _written(config_file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadConfiguration(f"{config_file}: {unreadable(error)}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfiguration(f"{config_file}: is not TOML: {error}") from None


def _state_folder(config_file: Path, wishes: Wishes, written: dict[str, Any]) -> Path:
    """Return it, made and seen to take files, as does the folder of new settings: better now than after the code."""
    named = written.get("state_folder", wishes.state_folder or STATE_FOLDER)
    if wishes.state_folder is not None and named != wishes.state_folder:
        raise BadConfiguration(f"{config_file}: state_folder is {named!r}; --state-folder must be the same, or left out")
    if not isinstance(named, str):
        raise BadConfiguration(f"{config_file}: state_folder is {named!r}; allowed is: text in quotes")
    folder = Path(config_file.parent, named)
    for wanted in (folder, *([] if written else [config_file.parent])):
        try:
            wanted.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NotEnrolled(f"{wanted}: cannot be made ({error.strerror}); run this as root") from None
        if not os.access(wanted, os.W_OK):
            raise NotEnrolled(f"{wanted}: cannot be written to; run this as root, or name another file with --config")
    return folder


def _pin(wished: int | None, written: dict[str, Any], table: str, key: str) -> int | None:
    found = written.get(table)
    pin = found.get(key) if isinstance(found, dict) else None
    return wished if wished is not None else pin if isinstance(pin, int) else None


def _check_pins_are_free(state_folder: Path) -> None:
    with _alone(state_folder) as alone:
        if not alone:
            raise NotEnrolled("the agent runs and holds the pins of lamp and button; stop it first: systemctl stop door-agent")


@contextmanager
def _alone(state_folder: Path) -> Iterator[bool]:
    """Hold the state folder as the agent does; False while the agent itself holds it."""
    with (state_folder / "lock").open("a") as lock:
        identity.own_as(state_folder, state_folder / "lock")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
