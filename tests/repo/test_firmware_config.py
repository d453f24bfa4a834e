# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the files for a Pi fit the example's pins and the unit's user, and is each of them explained?"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from door_agent.config import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "firmware_config"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
PLIST = "<key>ifdDriverOptions</key>\n\t<string>0x0000</string>\n<key>other</key>\n\t<string>0x0000</string>\n"


def boot_lines() -> dict[int, str]:
    """Return what the firmware makes of each pin."""
    lines = re.findall(r"^gpio=([\d,]+)=(\S+)$", (FOLDER / "boot-pins.txt").read_text(encoding="ascii"), re.MULTILINE)
    return {int(pin): how for pins, how in lines for pin in pins.split(",")}


def test_every_pin_of_the_example_is_safe_from_power_on() -> None:
    """Relay, lamps and buzzer are driven low, contact and button are inputs held high."""
    door = load(FOLDER / "door.example.toml")
    outputs = (door.lock.pin, door.lamps.granted, door.lamps.refused, door.buzzer.pin)
    assert boot_lines() == {
        **dict.fromkeys(outputs, "op,dl"),
        **dict.fromkeys((door.contact.pin, door.exit_button.pin), "ip,pu"),
    }


def test_the_rule_for_the_reader_names_the_unit_s_user() -> None:
    """One user in unit, sysusers and polkit rule."""
    users = {
        re.search(r"^User=(\S+)$", (ROOT / "systemd" / "door-agent.service").read_text(), re.MULTILINE),
        re.search(r"^u +(\S+)", (ROOT / "systemd" / "hubkey-door.sysusers.conf").read_text(), re.MULTILINE),
        re.search(r'subject.user === "([^"]+)"', (FOLDER / "50-hubkey-door.rules").read_text()),
    }
    assert {found[1] for found in users if found} == {"hubkey-door"}
    assert None not in users


def test_no_rule_takes_a_usb_device_away() -> None:
    """The opt-in rules let devices in and shut each bus for later ones: disk, Ethernet and keyboard of the start stay."""
    lines = (FOLDER / "70-hubkey-usb.rules").read_text(encoding="ascii").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in rules if 'authorized}="0"' in line] == []
    assert [line for line in rules if 'authorized_default}="0"' in line] == [line for line in rules if "usb[0-9]*" in line]
    assert sum('authorized}="1"' in line for line in rules) >= 5


def test_every_file_and_every_line_of_the_boot_pins_is_explained() -> None:
    """Nobody copies a line whose reason is not written down."""
    lines = [line for line in (FOLDER / "boot-pins.txt").read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    names = [file.name for file in FOLDER.iterdir() if file.name not in ("README.md", "__init__.py", "__pycache__")]
    assert [word for word in [*names, *lines] if f"`{word}`" not in README] == []


def test_reader_commands_are_allowed_once_and_nothing_else_is_changed(tmp_path: Path) -> None:
    """The script sets the one value, twice is as once, and another layout is refused with a line."""
    plist = tmp_path / "Info.plist"
    plist.write_text(PLIST, encoding="ascii")
    for _ in range(2):
        subprocess.run([FOLDER / "allow-reader-commands", plist], check=True)
        assert plist.read_text(encoding="ascii") == PLIST.replace("0x0000", "0x0001", 1)
    plist.write_text("<nothing/>", encoding="ascii")
    done = subprocess.run([FOLDER / "allow-reader-commands", plist], capture_output=True, text=True, check=False)
    assert (done.returncode, "look at it by hand" in done.stderr) == (1, True)
