# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/door-agent.md tells the caretaker about every word that a door can show, and about no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "door-agent.md").read_text(encoding="utf-8")
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "door_agent").glob("*.py")))


def test_every_word_of_attention_says_what_to_do() -> None:
    """What the code can raise has its row on the page, and each row is raised somewhere."""
    shown = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    raised = set(
        re.findall(r'(?:notice\([^"]*|Noticed\(|Started\(|\()"([a-z]+_(?:open|away|unwritable|slow|lost|forked|full|untrusted|expires))"', SOURCE)
    )
    assert raised | {"held_open"} == shown


def test_the_commands_on_the_page_exist() -> None:
    """Nobody types a command from the page that is not there."""
    from door_agent.cli import main

    told = re.findall(r"(?:^    |/bin/)door-agent ([a-z]+)", PAGE, re.MULTILINE)
    assert {"check", "journal"} == set(told) <= set(main.commands)
