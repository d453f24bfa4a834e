# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/door-agent.md tells the caretaker about every word that a door can show, and about no other."""

from __future__ import annotations

import re
from pathlib import Path

from booking_server.doors import wording
from door_agent.wording import ATTENTION

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "door-agent.md").read_text(encoding="utf-8")
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "door_agent").rglob("*.py")))
FORMS = (
    r'notice\((?:state|replace\([^"]*?\)), "([a-z_]+)"',
    r'[Nn]oticed\("([a-z_]+)"',
    r'\("([a-z]+_(?:lost|newer))", ',
    r'"([a-z_]+)": self\._(?:power|space|wear)\(\)',
)
"""How the code raises a word."""


def test_every_word_of_attention_says_what_to_do() -> None:
    """What the code can raise has its row on the page, and each row is raised somewhere."""
    section = PAGE.split("\n## What the door's page says\n")[1].split("\n## ")[0]
    shown = set(re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE))
    assert raised_words() == shown


def raised_words() -> set[str]:
    return {word for form in FORMS for word in re.findall(form, SOURCE)}


def test_door_and_server_say_the_same_of_each_word() -> None:
    """Whoever stands at the box and whoever sits at the desk read one sentence; no word is left to be shown as it came."""
    assert {word: str(said) for word, said in wording.ATTENTION.items()} == ATTENTION
    assert raised_words() == set(ATTENTION)


def test_the_commands_on_the_page_exist() -> None:
    """Nobody types a command from the page that is not there."""
    from door_agent.cli import main

    told = re.findall(r"(?:^    (?:sudo )?|`sudo )door-agent ([a-z]+)", PAGE, re.MULTILINE)
    assert {"check", "enrol", "journal", "doctor", "status"} == set(told) <= set(main.commands)
