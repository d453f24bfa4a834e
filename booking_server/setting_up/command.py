# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes what a server needs before it can run: keys, database, broker files. What is there already is kept."""

from __future__ import annotations

from pathlib import Path

import click

from booking_server import schema
from booking_server.broker.settings import write_broker
from booking_server.config import Config, load
from booking_server.db import Database
from booking_server.keys import make_keys


@click.command()
@click.pass_obj
def init(config_file: Path) -> None:
    """Make keys, database and broker files, as the settings say. Run it again at will: nothing is made anew."""
    config = load(config_file)
    config.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_keys(config.folder)
    _upgrade(config)
    settings = write_broker(config)
    click.echo(f"keys:     {config.folder / 'keys'} (back this folder up, apart from the database)")
    click.echo("database: ready")
    click.echo(f"broker:   {settings}")
    click.echo("Next: booking-server account add NAME --role administrator")


@click.group()
def database() -> None:
    """Look after the database."""


@database.command()
@click.pass_obj
def upgrade(config_file: Path) -> None:
    """Bring the database's tables to this version. Nothing is lost; back up first all the same."""
    _upgrade(load(config_file))
    click.echo("database: ready")


def _upgrade(config: Config) -> None:
    found = Database(config.database)
    try:
        schema.upgrade(found)
    finally:
        found.close()
