# SPDX-License-Identifier: AGPL-3.0-or-later
"""Imports a file and says before each statement that it will, so that it can be killed at any of them."""

import sys
from pathlib import Path

from sqlalchemy import event

from booking_server.db import Database
from booking_server.importing.applying import import_people
from booking_server.importing.planning import Options
from booking_server.importing.reading import sheet_of
from booking_server.keys import load_keys
from tests.booking_server.hub import HOST, NOW

database, file, keys = Database(sys.argv[1]), Path(sys.argv[2]), load_keys(Path(sys.argv[3]))


@event.listens_for(database.engine, "before_cursor_execute")
def _say(*_what: object) -> None:
    sys.stdout.write("next\n")
    sys.stdout.flush()
    sys.stdin.readline()


options = Options(language="fi", today=NOW.date())
with database.write() as tx:
    import_people(tx, HOST, now=NOW, vault=keys.vault, sheet=sheet_of(file.read_bytes()), options=options, file=file.name)
sys.stdout.write("done\n")
