# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server forget`."""

from __future__ import annotations

from pathlib import Path

import click

from booking_server import schema
from booking_server.config import clock_of, load
from booking_server.db import Database
from booking_server.privacy import forgetting

WORDS = {
    "ended": "people erased whose membership ended long ago",
    "erased_on": "erased people of whom more could go",
    "taps": "taps whose name and keytag went",
    "links": "entries no longer linked to a person",
    "buyers": "invoices that the books need no longer, without their buyer",
    "messages": "messages whose words went",
    "boxes": "boxes that asked to become a door, with their addresses",
    "commands": "commands to doors given up",
    "imports": "files that waited to be imported, and records of old imports",
    "sessions": "sessions that were over",
    "wrong_tries": "wrong tries to sign in",
    "looks": "records of who looked",
    "sign_ins": "records of who signed in",
    "acts": "records of what staff did",
}


@click.command()
@click.pass_obj
def forget(config_file: Path) -> None:
    """Drop what identifies people once its days are over, as the settings and the doors' pages say. For a timer, once a day."""
    config = load(config_file)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        with database.write() as tx:
            counts = forgetting.forget(tx, now=clock_of(config).now(), config=config)
    finally:
        database.close()
    for what, count in counts.items():
        click.echo(f"{count:>7}  {WORDS[what]}")
