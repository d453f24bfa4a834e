# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server door`: what is done about a door's box where no page can be reached."""

from __future__ import annotations

from pathlib import Path

import click

from booking_server import schema
from booking_server.audit import service as audit
from booking_server.broker.commands import take_away
from booking_server.config import load
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.errors import Invalid


@click.group()
def door() -> None:
    """Look after the box at a door."""


@door.command()
@click.argument("door_id", metavar="DOOR")
@click.option("--reason", required=True, help="Kept with the door, for instance: torn off the wall on Sunday.")
@click.pass_obj
def stolen(config_file: Path, door_id: str, reason: str) -> None:
    """Say that the box at DOOR was stolen: it is put out at once, and the keytags that it held are to be exchanged."""
    config = load(config_file)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        with database.read() as tx:
            if doors.door(tx, door_id).stolen_at is not None:
                raise Invalid("reason", "This box is known as stolen already. Put a new box at the door.")
    finally:
        database.close()
    take_away(config, door_id, reason=audit.reason_given(reason))
