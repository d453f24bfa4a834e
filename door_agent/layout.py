# SPDX-License-Identifier: AGPL-3.0-or-later
"""How the tables of a door's files are laid out, by a number in each file: no agent reads what a newer one laid out otherwise.

The number grows only where an older agent would misread the file; what it can pass over (a new table, a new column) is no new
layout. Files of version 0.1.0 carry none and are laid out as the first.
"""

from __future__ import annotations

import sqlite3

LAYOUT = 1


class NewerLayout(Exception):
    """The file is of a newer agent; the message says so, without its name."""


def check(database: sqlite3.Connection) -> None:
    """Raise NewerLayout, or sqlite3.Error. Reads only, and before anything else may be read."""
    if (found := number_of(database)) > LAYOUT:
        raise NewerLayout(f"was written by a newer version of the agent (layout {found}, this one knows {LAYOUT})")


def number_of(database: sqlite3.Connection) -> int:
    """Return the number in the file; 0 for one without. Raise sqlite3.Error."""
    return int(database.execute("pragma user_version").fetchone()[0])


def mark(database: sqlite3.Connection) -> None:
    """Write our number into a file that has none. Raise sqlite3.Error."""
    if number_of(database) == 0:
        database.execute(f"pragma user_version = {LAYOUT}")
