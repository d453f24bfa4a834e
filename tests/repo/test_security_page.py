# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is docs/security.md true to the code: its roles those that the pages are held to, no id left out, each test there?"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from booking_server.actors import STAFF
from tests.web.rights import RIGHTS, Right, Where

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "security.md"
ASVS = """
2.3.4-5 2.4.1 3.3.1-4 3.4.1-6 3.5.1 6.2.1-12 6.3.1-3 6.5.6 7.2.1-4 7.3.1-2 7.4.1-5 7.5.1-3 8.2.1-3 8.3.1-2 11.1.1-2 11.2.1-3
11.3.1-5 11.5.1 12.1.3-4 12.3.1-5 13.3.1-2 13.3.4 14.1.1-2 14.2.1-7 15.1.2 16.2.1-5 16.3.1-4 16.4.1-3 16.5.2-3
"""
"""What is asked of Hubkey of OWASP ASVS 5.0: level 2, and some of level 3."""
ETSI = """
5.1-1 5.1-3 5.1-5 5.2-1 5.3-1 5.3-2 5.3-3 5.3-4 5.3-5 5.3-6 5.3-7 5.3-8 5.3-9 5.3-10 5.3-11 5.3-12 5.3-13 5.3-14 5.3-15 5.3-16
5.4-1 5.4-3 5.4-4 5.5-1 5.5-4 5.5-5 5.5-7 5.5-8 5.6-1 5.6-2 5.6-4 5.6-5 5.6-7 5.6-9 5.7-1 5.7-2 5.8-1 5.9-1 5.9-2 5.10-1 5.11-1
5.12-1 5.12-2 5.13-1 6-1 6-2 6-3 6-4 6-5
"""
"""What is asked of a door's box, with its server, of ETSI EN 303 645."""
STANDS = {"met", "partly", "not met", "not applicable"}
WHERE = {Where.ANYWHERE: "at any site", Where.HERE: "at its site", Where.HUB: "in the whole hub"}
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
_FILE = re.compile(r"`((?:access_contract|booking_server|door_agent|firmware_config|packaging|systemd|tests)/[\w./-]+)`")


def test_who_may_do_what_is_what_the_pages_are_held_to() -> None:
    """Each address of the pages stands in one row, with the roles and the place that tests/web/rights.py has for it."""
    shown = {name: (who, where) for _, who, where, names in _rows("who", 4) for name in re.findall(r"`([\w.]+)`", names)}
    assert shown == {name: _said(right) for name, right in RIGHTS.items()}
    assert len(re.findall(r"`\w+\.\w+`|`static`", "".join(row[3] for row in _rows("who", 4)))) == len(RIGHTS), "one twice"


def test_no_id_of_the_lists_is_left_out() -> None:
    """Each stands there once, in order, with how it stands; and none that nobody asked for."""
    assert [row[0] for row in _rows("asvs", 6)] == _expanded(ASVS)
    assert [row[0] for row in _rows("etsi", 5)] == ETSI.split()
    assert {row[2] for row in _rows("asvs", 6)} | {row[1] for row in _rows("etsi", 5)} <= STANDS


def test_what_is_met_names_a_test_and_each_named_test_and_file_exists() -> None:
    """A row that says `met` names a test that holds it, or says why none can; whatever it names is there."""
    for number, *_, stands, _asks, how, tests in [*_rows("asvs", 6), *_rows("etsi", 5)]:
        assert how, number
        assert _TEST.search(tests) or tests.startswith("none: ") or (tests == "-" and stands != "met"), number
    text = PAGE.read_text(encoding="utf-8")
    assert [f"{file}::{name}" for file, name in _TEST.findall(text) if name not in _tests(file)] == []
    assert [file for file in _FILE.findall(text) if not (ROOT / file).exists()] == []


def _said(right: Right) -> tuple[str, str]:
    if right.anybody or right.signed_in:
        return "anybody" if right.anybody else "everybody signed in", "-"
    roles = ["all staff"] if frozenset(right.roles) == STAFF else [role.value for role in right.roles]
    return ", ".join([*roles, *(["whose it is"] if right.own else [])]), WHERE[right.where] if right.roles else "-"


def _rows(table: str, columns: int) -> list[list[str]]:
    """Return the cells of the table below `<!-- table: ... -->`, without its head."""
    lines = PAGE.read_text(encoding="utf-8").split(f"<!-- table: {table} -->\n", 1)[1].splitlines()
    end = next((at for at, line in enumerate(lines) if not line.startswith("|")), len(lines))
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:end]]
    assert [row[0] for row in rows if len(row) != columns] == []
    return rows


def _expanded(ranges: str) -> list[str]:
    found = []
    for word in ranges.split():
        section, _, numbers = word.rpartition(".")
        first, _, last = numbers.partition("-")
        found += [f"{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    return found


@cache
def _tests(file: str) -> frozenset[str]:
    made = ast.parse((ROOT / file).read_text(encoding="utf-8")) if (ROOT / file).exists() else ast.Module([], [])
    return frozenset(node.name for node in ast.walk(made) if isinstance(node, ast.FunctionDef))
