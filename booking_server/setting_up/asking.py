# SPDX-License-Identifier: AGPL-3.0-or-later
"""Gets one answer: from an option, or by asking until it can be taken; where nobody may be asked, the default or an end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from booking_server.errors import Invalid

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked, the option that answers it too, and what an empty answer means. A hidden answer may be typed `twice`."""

    label: str
    option: str
    default: str | None = None
    hidden: bool = False
    twice: bool = False


def answered(question: Question, check: Callable[[str], T], given: str | None, *, may_ask: bool) -> T:
    """Return what `check` makes of the answer; what it refuses is said and asked again. Raise Invalid; click.Abort."""
    if given is None and not may_ask:
        given = question.default
        if given is None:
            raise Invalid("option", "{option} is missing, and nobody can be asked here.", option=question.option)
    if given is not None:
        return check(given)
    while True:
        try:
            return check(_typed(question))
        except Invalid as error:
            refused(error)


def _typed(question: Question) -> str:
    again = "   The same again" if question.twice else False
    typed: str = click.prompt(
        question.label,
        default=question.default,
        show_default=bool(question.default),
        hide_input=question.hidden,
        confirmation_prompt=again,
        type=str,
    )
    return typed


def first_line(file: Path | None) -> str | None:
    """Return the first line of a file, which is how a script gives what must stand in no list of processes."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except UnicodeDecodeError:
        raise Invalid("option", "{file} is not UTF-8 text.", file=file) from None


def refused(error: Invalid) -> None:
    """Say in one line why an answer cannot be taken."""
    click.echo(f"   ! {error}")


def note(text: str) -> None:
    """Say what may be meant so, and may not."""
    click.echo(f"   Note: {text}")
