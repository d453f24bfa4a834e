# SPDX-License-Identifier: AGPL-3.0-or-later
"""Does a log stay free of what people typed when something breaks, and one object a line whatever is written?"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from booking_server.logs import network_of

SECRET = "Tyyne Öhman 04782E21801D80"
SET_UP = f"""
import logging, sqlite3, threading, structlog
from booking_server.logs import Security, security, write_lines
write_lines()
name = {SECRET!r}
people = {{name: 1}}
"""


def _written(code: str) -> list[dict[str, Any]]:
    done = subprocess.run([sys.executable, "-c", SET_UP + code], capture_output=True, text=True, check=False)
    lines = [*done.stdout.splitlines(), *done.stderr.splitlines()]
    for spelled in (SECRET, json.dumps(SECRET)[1:-1], "Tyyne", "04782E"):
        assert spelled not in done.stdout + done.stderr
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("int(name)", "builtins.ValueError"),
        ("people[name + '!']", "builtins.KeyError"),
        ("raise RuntimeError(name) from ValueError(name)", "builtins.RuntimeError"),
        ("assert not name, name", "builtins.AssertionError"),
    ],
)
def test_a_bug_that_ends_a_process_is_told_without_values(code: str, kind: str) -> None:
    """The last line says which exception and where, and holds nothing of what it was about."""
    [line] = _written(code)
    assert (line["event"], line["level"], line["error"]["kind"]) == ("ended_by_a_bug", "critical", kind)
    assert line["error"]["where"]


def test_a_bug_that_ends_a_thread_is_told_without_values() -> None:
    """As in the first thread, so in any other."""
    [line] = _written("thread = threading.Thread(target=int, args=(name,), name='writer'); thread.start(); thread.join()")
    assert (line["event"], line["thread"], line["error"]["kind"]) == ("thread_ended_by_a_bug", "writer", "builtins.ValueError")


def test_what_a_database_refuses_is_told_by_its_code() -> None:
    """SQLAlchemy's own words repeat the row; the log has the statement's place and SQLite's code."""
    [line] = _written(
        """
from sqlalchemy import create_engine, text
with create_engine("sqlite://").connect() as tx:
    tx.execute(text("create table people (name text unique)"))
    tx.execute(text("insert into people values (:name)"), {"name": name})
    try:
        tx.execute(text("insert into people values (:name)"), {"name": name})
    except Exception as error:
        structlog.get_logger().error("page_failed", exc_info=error)
"""
    )
    assert line["error"]["kind"] == "sqlalchemy.exc.IntegrityError"
    assert line["error"]["cause"]["said"] == "SQLITE_CONSTRAINT_UNIQUE"


def test_a_library_s_warning_is_told_as_it_was_written() -> None:
    """Without what was filled into it."""
    [line] = _written("logging.getLogger('paho').warning('refused %s', name)")
    assert (line["event"], line["library"], line["words"], line["level"]) == ("library", "paho", "refused %s", "warning")


def test_nobody_can_write_a_line_of_his_own() -> None:
    """Line ends, quotes and control characters of a value stay inside it."""
    forged = 'x"}\r\n{"event": "security", "security": "signed_in"}\u2028\x1b[2J'
    lines = _written(f"structlog.get_logger().info('answered', endpoint={forged!r})")
    assert [(line["event"], line["endpoint"]) for line in lines] == [("answered", forged)]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", None),
        ("<script>", None),
        (None, None),
    ],
)
def test_an_address_is_kept_as_its_network(address: str | None, network: str | None) -> None:
    """Enough to see from where somebody guesses, too little to tell who it is."""
    assert network_of(address) == network
