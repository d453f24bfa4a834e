# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is every word of the pages there in Finnish, and does the compiled file say what the written one says?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from booking_server.web.translations.__main__ import FOLDER, SOURCE, extracted, missing, stored

HOLDERS = re.compile(r"%\(\w+\)s|\{\w+\}")
SENTENCES = {"Invalid": 1, "NotFound": 0, "Refused": 0}


def _texts(value: object) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list | tuple) else [value])]


def _words(catalog: Catalog) -> dict[str, list[str]]:
    return {_texts(entry.id)[0]: _texts(entry.string) for entry in catalog if entry.id}


def test_every_word_of_the_source_is_there_in_finnish() -> None:
    """What the source says is in messages.po, translated, and nothing else (python -m booking_server.web.translations)."""
    source, finnish = extracted(), stored("fi")
    assert set(_words(source)) == set(_words(finnish))
    assert missing(finnish) == []


def test_what_is_served_is_what_is_written() -> None:
    """messages.mo holds exactly the translations of messages.po."""
    with (FOLDER / "fi" / "LC_MESSAGES" / "messages.mo").open("rb") as file:
        served = _words(read_mo(file))
    assert served == _words(stored("fi"))


def test_a_translation_keeps_the_values() -> None:
    """Each placeholder of a sentence stands in its translation, and no other."""
    for said, translated in _words(stored("fi")).items():
        wanted = set(HOLDERS.findall(said)) | ({"%(num)s"} if len(translated) > 1 else set())
        for text in translated:
            assert set(HOLDERS.findall(text)) == wanted, said


def _calls() -> Iterator[tuple[Path, ast.Call]]:
    for file in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SENTENCES:
                yield file, node


def test_every_refusal_can_be_found_for_translation() -> None:
    """The sentence of a refusal stands in the call as plain text: a composed one would be shown in English."""
    found = list(_calls())
    assert len(found) > 60
    for file, call in found:
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        sentence = call.args[SENTENCES[name]]
        assert isinstance(sentence, ast.Constant), f"{file}:{call.lineno}"
