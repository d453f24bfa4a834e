# SPDX-License-Identifier: AGPL-3.0-or-later
"""Do the pages lead where they say, and name what there is?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from booking_server.cli import main as booking_server
from door_agent.cli import main as door_agent

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("firmware_config/**/*.md"),
        *ROOT.glob("systemd/**/*.md"),
    ]
)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
_COMMAND = re.compile(r"\b(booking-server|door-agent)((?: [a-z][a-z-]*)+)")
_TARGET = re.compile(r"(?:^\s{4}|`)make ([a-z]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the repository has that file at its end."""
    dead = [to for to in _LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / to).exists()]
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_exist(page: Path) -> None:
    """Every command that a page names can be typed."""
    known = {*_paths(booking_server, "booking-server"), *_paths(door_agent, "door-agent")}
    named = {f"{program}{words}" for program, words in _COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert [words for words in named if not any(_begins(words, path) for path in known)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make` command that a page names is in the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(_TARGET.findall(page.read_text(encoding="utf-8"))) <= targets


def test_every_command_is_in_the_docs() -> None:
    """Each command of the two programs is named on some page."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    every = {*_paths(booking_server, "booking-server"), *_paths(door_agent, "door-agent")}
    assert sorted(path for path in every if path not in text) == []


def _paths(group: click.Command, name: str) -> Iterator[str]:
    if not isinstance(group, click.Group):
        yield name
        return
    context = click.Context(group)
    for word in group.list_commands(context):
        found = group.get_command(context, word)
        assert found is not None
        yield from _paths(found, f"{name} {word}")


def _begins(words: str, path: str) -> bool:
    """True if the words are this command, begin it, or go on with arguments."""
    return f"{path} ".startswith(f"{words} ") or f"{words} ".startswith(f"{path} ")
