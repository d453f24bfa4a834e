# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says what is wrong with a settings file in the words of the file: key, value, what is allowed, and the key that was meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<key>[^`]*)`")


def explained(error: str, written: Any, shape: type[msgspec.Struct]) -> str:
    """Return one sentence for a msgspec validation error of `written` against `shape`."""
    found = _WHERE.match(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    steps = [step for step in re.split(r"[.\[\]]+", path) if step]
    setting = ".".join(step for step in steps if not step.isdigit() and step != "...")
    if unknown := _UNKNOWN.search(what):
        return _unknown(setting, unknown["key"], _table(shape, steps))
    if missing := _MISSING.search(what):
        return f"{_joined(setting, missing['key'])} is missing; it must be set"
    return f"{setting or 'the file'} is {_value(written, steps)!r}; allowed is: {_choices(shape, steps) or _allowed(what)}"


def _unknown(setting: str, key: str, table: type[msgspec.Struct] | None) -> str:
    known = list(table.__struct_fields__) if table is not None else []
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{_joined(setting, key)} is not a setting; {meant}allowed here are: {', '.join(known)}"


def _table(shape: Any, steps: list[str]) -> type[msgspec.Struct] | None:
    """Return the struct that stands at this place in the file."""
    for step in steps:
        if not step.isdigit() and step != "...":
            shape = next((field.type for field in msgspec.structs.fields(shape) if field.encode_name == step), None)
        shape = next((arg for arg in _inside(shape) if isinstance(arg, type) and issubclass(arg, msgspec.Struct)), shape)
    return shape if isinstance(shape, type) and issubclass(shape, msgspec.Struct) else None


def _inside(shape: Any) -> list[Any]:
    return [inner for arg in get_args(shape) for inner in (arg, *_inside(arg))]


def _choices(shape: type[msgspec.Struct], steps: list[str]) -> str:
    """Return the words that a setting takes, or nothing if it is not one of a few words."""
    table = _table(shape, steps[:-1])
    field = next((f for f in msgspec.structs.fields(table) if steps and f.encode_name == steps[-1]), None) if table else None
    return " or ".join(str(word) for word in get_args(field.type)) if field and get_origin(field.type) is Literal else ""


def _value(written: Any, steps: list[str]) -> Any:
    for step in steps:
        if step == "...":
            break
        written = written[int(step)] if step.isdigit() else written[step]
    return written


def _allowed(what: str) -> str:
    """Return `Expected `int` <= 27` and the like without the ticks."""
    return what.removeprefix("Expected ").replace("`", "").replace(", got ", ", not ")


def _joined(setting: str, key: str) -> str:
    return f"{setting}.{key}" if setting else key
