# SPDX-License-Identifier: AGPL-3.0-or-later
"""Moves a database up to this version and says before each statement that it will, so that it can be killed at any of them."""

import sys

from sqlalchemy import event

from booking_server import schema
from booking_server.db import Database

database = Database(sys.argv[1])


@event.listens_for(database.engine, "before_cursor_execute")
def _say(*_what: object) -> None:
    sys.stdout.write("next\n")
    sys.stdout.flush()
    sys.stdin.readline()


schema.upgrade(database)
sys.stdout.write("done\n")
