# SPDX-License-Identifier: AGPL-3.0-or-later
"""Says what is wrong with a settings file in the words of the file: key, value, what is allowed, and the key that was meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec

_WHERE = re.compile(r"^(?P<what>.*?)(?: - at `\$(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")
_TYPE = re.compile(r"`(?P<name>[^`]*)`")
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "text in quotes",
    "array": "a list",
    "object": "a table",
}
_MISSING = re.compile(r"missing required field `(?P<key>[^`]*)`")


def explained(error: str, written: Any, shape: type[msgspec.Struct]) -> str:
    """Return one sentence for a msgspec validation error of `written` against `shape`."""
    found = _WHERE.match(error)
    what, path = (found["what"], found["path"] or "") if found else (error, "")
    steps = [step for step in re.split(r"[.\[\]]+", path) if step]
    setting = ".".join(step for step in steps if not step.isdigit() and step != "...")
    if unknown := _UNKNOWN.search(what):
        return _unknown(setting, unknown["key"], _table(shape, steps, written), shape)
    if missing := _MISSING.search(what):
        return f"{_joined(setting, missing['key'])} is missing; it must be set"
    allowed = _choices(shape, steps, written) or _allowed(what)
    return f"{setting or 'the file'} is {_value(written, steps)!r}; allowed is: {allowed}"


def _unknown(setting: str, key: str, table: type[msgspec.Struct] | None, shape: type[msgspec.Struct]) -> str:
    if setting and key in shape.__struct_fields__:
        return f"{setting}.{key} is not a setting; {key} stands above the first line in square brackets"
    known = _settings_of(table) if table is not None else []
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{_joined(setting, key)} is not a setting; {meant}allowed here are: {', '.join(known)}"


def _settings_of(table: type[msgspec.Struct]) -> list[str]:
    tag = table.__struct_config__.tag_field
    return [*([tag] if tag is not None else []), *table.__struct_fields__]


def _table(shape: Any, steps: list[str], written: Any) -> type[msgspec.Struct] | None:
    """Return the struct that stands at this place in the file: of several kinds, the one whose tag is written there."""
    kinds, there = _kinds(shape, steps, written)
    return next((kind for kind in kinds if _is_tagged(kind, there)), kinds[0] if kinds else None)


def _kinds(shape: Any, steps: list[str], written: Any) -> tuple[list[type[msgspec.Struct]], Any]:
    """Return the structs that may stand at this place, and what is written there."""
    kinds = [shape]
    for step in steps:
        kind = next((kind for kind in kinds if _is_tagged(kind, written)), kinds[0] if kinds else None)
        written = _at(written, step)
        if kind is not None and not step.isdigit() and step != "...":
            inside = next((field.type for field in msgspec.structs.fields(kind) if field.encode_name == step), None)
            kinds = [one for one in (inside, *_inside(inside)) if isinstance(one, type) and issubclass(one, msgspec.Struct)]
    return kinds, written


def _is_tagged(kind: type[msgspec.Struct], written: Any) -> bool:
    config = kind.__struct_config__
    return config.tag_field is not None and isinstance(written, dict) and written.get(config.tag_field) == config.tag


def _at(written: Any, step: str) -> Any:
    """Return what is written one step further in, or nothing where that cannot be followed."""
    if isinstance(written, list):
        return written[int(step)] if step.isdigit() and int(step) < len(written) else None
    return written.get(step) if isinstance(written, dict) else None


def _inside(shape: Any) -> list[Any]:
    return [inner for arg in get_args(shape) for inner in (arg, *_inside(arg))]


def _choices(shape: type[msgspec.Struct], steps: list[str], written: Any) -> str:
    """Return the words that a setting takes, or nothing if it is not one of a few words."""
    kinds, _ = _kinds(shape, steps[:-1], written)
    tags = [str(kind.__struct_config__.tag) for kind in kinds if steps and kind.__struct_config__.tag_field == steps[-1]]
    table = _table(shape, steps[:-1], written)
    field = next((f for f in msgspec.structs.fields(table) if steps and f.encode_name == steps[-1]), None) if table else None
    return " or ".join(tags or [str(word) for word in (get_args(field.type) if field and _is_choice(field.type) else ())])


def _is_choice(shape: Any) -> bool:
    return get_origin(shape) is Literal


def _value(written: Any, steps: list[str]) -> Any:
    for step in steps:
        if step == "...":
            break
        written = written[int(step)] if step.isdigit() else written[step]
    return written


def _allowed(what: str) -> str:
    """Return `Expected `int` <= 27` and the like in words for whoever writes the file."""
    plain = what.removeprefix("Expected ").replace(" | null", "").replace(", got ", ", not ")
    return _TYPE.sub(lambda found: _WORDS.get(found["name"], found["name"]), plain)


def _joined(setting: str, key: str) -> str:
    return f"{setting}.{key}" if setting else key
