# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server web`: the pages of the hub, until it is told to stop."""

from __future__ import annotations

from pathlib import Path

import click

from booking_server import metrics, schema
from booking_server.config import clock_of, load
from booking_server.db import Database
from booking_server.keys import load_keys
from booking_server.logs import write_lines
from booking_server.web.asgi import serve


@click.command()
@click.pass_obj
def web(config_file: Path) -> None:
    """Serve the pages for staff at web.host and web.port: over HTTPS, or plainly on loopback for a web server before it."""
    write_lines()
    config = load(config_file)
    keys = load_keys(config.folder)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        metrics.serve(config, config.metrics.web)
        serve(database, config, keys, clock_of(config))
    finally:
        database.close()
