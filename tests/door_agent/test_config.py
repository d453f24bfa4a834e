# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can the example be read, and does a bad file say what is wrong?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from door_agent.config import load
from door_agent.errors import BadConfiguration, unreadable

EXAMPLE = Path(__file__).parents[2] / "firmware_config" / "door.example.toml"


def test_the_example_is_read() -> None:
    """The file that the caretaker copies is a good one."""
    assert load(EXAMPLE).door == "front"


def test_what_the_example_leaves_out_is_good_too(tmp_path: Path) -> None:
    """With every # taken away from in front of a setting it is read, and each input and output has a pin of its own."""
    text = re.sub(r"^# (?=\[|\w+ = )", "", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / "door.toml").write_text(text, encoding="utf-8")
    door = load(tmp_path / "door.toml")
    assert (door.operator.pin, door.bolt.pin, door.tamper.pin, door.fire.pin) == (16, 5, 6, 12)
    assert (door.alarm.armed_pin, door.alarm.disarm_pin) == (13, 26)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ('door = "front"', 'door = "Front door"', "door is 'Front door'; allowed"),
        ('kind = "pcsc"', 'kind = "nfc"', "readers.kind is 'nfc'; allowed is: pcsc or evdev or osdp or simulated"),
        ("demo = false", "demo = true", "broker.host is 'hub.example.org'"),
        ("ask_deadline_ms = 250", "ask_deadline_ms = 1", "timing.ask_deadline_ms is 1; allowed is: a whole number >= 10"),
        (
            "active_high = true",
            'active_high = "yes"',
            "lock.active_high is 'yes'; allowed is: true or false, not text in quotes",
        ),
        (
            "pin = 17",
            "pni = 17",
            "lock.pni is not a setting; did you mean pin? allowed here are: pin, active_high, pulse_seconds",
        ),
        (
            'kind = "pcsc"',
            'kind = "evdev"',
            "readers.name is not a setting; allowed here are: kind, access_point, device, format",
        ),
        ('name = ""', 'nome = ""', "readers.nome is not a setting; did you mean name?"),
        ("access_point =", "acess_point =", "readers.acess_point is not a setting; did you mean access_point?"),
        ("[policy]", "[polizy]", "polizy is not a setting; did you mean policy?"),
        ("port = 8883", "prot = 8883", "broker.prot is not a setting; did you mean port?"),
        ("granted = 23", "granted = 17", "lamps.granted is 17, as is lock.pin; each needs a pin of its own"),
        ('tag_key_file = "tag.key"', "", "tag_key_file is missing"),
        (
            'leaf_closed = "circuit_closed"',
            'leaf_closed = "open"',
            "contact.leaf_closed is 'open'; allowed is: circuit_closed or",
        ),
        ("granted = 23", 'granted = "GPIO23"', "lamps.granted is 'GPIO23'; allowed is: a whole number, not text in quotes"),
        (
            "[lock]",
            '[lock]\nwiring = "motor-lock"',
            "lock.wiring is not a setting; wiring stands above the first line in square",
        ),
        ('door = "front"', "door = ", "is not TOML"),
    ],
)
def test_a_bad_value_is_named_with_its_file(tmp_path: Path, good: str, bad: str, said: str) -> None:
    """One sentence names the file, the key and what is allowed."""
    file = tmp_path / "door.toml"
    example = EXAMPLE.read_text(encoding="utf-8")
    assert good in example
    file.write_text(example.replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert str(file) in str(raised.value)
    assert said in str(raised.value)


def test_a_real_door_takes_no_simulated_reader(tmp_path: Path) -> None:
    """What anybody can tap by a socket is for a demonstration."""
    with pytest.raises(BadConfiguration, match="'simulated'; that is allowed only with demo = true"):
        load(example_with(tmp_path, '[[readers]]\nkind = "simulated"\naccess_point = "out"\n'))


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ('kind = "pcsc"\nname = "ACS"', 'kind = "pcsc"\nname = "ACS ACR1252 00"', "both would take the same reader"),
        ('kind = "evdev"\ndevice = "/dev/x"', 'kind = "evdev"\ndevice = "/dev/x"', "has a device of its own"),
        ('kind = "osdp"\nport = "/dev/x"\nkey_file = "k"', 'kind = "osdp"\nport = "/dev/x"\nkey_file = "k"', "line of its own"),
    ],
)
def test_two_readers_that_would_take_the_same_one_are_refused(tmp_path: Path, one: str, other: str, said: str) -> None:
    """With two readers each must be named so that the other's tag is not its own."""
    both = "".join(f'[[readers]]\naccess_point = "{point}"\n{it}\n' for point, it in (("out", one), ("yard", other)))
    with pytest.raises(BadConfiguration, match=said):
        load(example_with(tmp_path, both))


def test_an_emptied_file_says_what_a_box_needs_first(tmp_path: Path) -> None:
    """Without `state_folder` the box does not know that it was enrolled: that line is asked for, not its door."""
    (tmp_path / "door.toml").write_text("", encoding="utf-8")
    with pytest.raises(BadConfiguration, match="state_folder is missing"):
        load(tmp_path / "door.toml")


def test_a_file_without_the_right_to_read_it_says_sudo() -> None:
    """Whoever forgot sudo is told so; another fault of the file is not blamed on that."""
    assert "run this with sudo" in unreadable(PermissionError(13, "Permission denied"))
    assert unreadable(IsADirectoryError(21, "Is a directory")) == "cannot be read (Is a directory)"


def example_with(folder: Path, readers: str) -> Path:
    """The example with these tables of readers beside its own, which is named so that it is in nobody's way."""
    file = folder / "door.toml"
    example = EXAMPLE.read_text(encoding="utf-8").replace('name = ""', 'name = "OMNIKEY"', 1)
    file.write_text(example.replace("[lock]", f"{readers}\n[lock]", 1), encoding="utf-8")
    return file
