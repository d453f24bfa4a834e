# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writes a settings file as the server and the doors read it: TOML, each key on one line, tables inline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_settings(file: Path, settings: Mapping[str, object]) -> None:
    """Write `settings` (text, numbers, truth values, lists and tables of these) to `file`."""
    file.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in settings.items()), encoding="utf-8")


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)
