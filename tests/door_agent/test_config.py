# SPDX-License-Identifier: AGPL-3.0-or-later
"""Can the example be read, and does a bad file say what is wrong?"""

from __future__ import annotations

from pathlib import Path

import pytest

from door_agent.config import load
from door_agent.errors import BadConfiguration

EXAMPLE = Path(__file__).parents[2] / "firmware_config" / "door.example.toml"


def test_the_example_is_read() -> None:
    """The file that the caretaker copies is a good one."""
    assert load(EXAMPLE).door == "front"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ('door = "front"', 'door = "Front door"', "door is 'Front door'; allowed"),
        ('kind = "pcsc"', 'kind = "simulated"', "only with demo = true"),
        ("demo = false", "demo = true", "broker.host is 'hub.example.org'"),
        ("ask_deadline_ms = 250", "ask_deadline_ms = 1", "ask_deadline_ms"),
        ("pin = 17", "pni = 17", "pni"),
    ],
)
def test_a_bad_value_is_named_with_its_file(tmp_path: Path, good: str, bad: str, said: str) -> None:
    """One sentence names the file, the key and what is allowed."""
    file = tmp_path / "door.toml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8").replace(good, bad, 1), encoding="utf-8")
    with pytest.raises(BadConfiguration) as raised:
        load(file)
    assert str(file) in str(raised.value)
    assert said in str(raised.value)
