# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server broker` and `booking-server door-files`: the wire's files, written and looked after by commands."""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

import click

from booking_server.broker import pki
from booking_server.broker.files import write_door_files
from booking_server.broker.settings import broker_folder, write_broker, write_revocations
from booking_server.clock import SystemClock
from booking_server.config import Config, load
from booking_server.db import Database
from booking_server.keys import load_keys

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts Mosquitto, and a user's PATH often does not look."""


@click.group()
def broker() -> None:
    """Mosquitto between the doors and this server: its settings, its certificates, its run."""


@broker.command()
@click.pass_obj
def write(config_file: Path) -> None:
    """Write Mosquitto's settings, rights and certificates. Keys that are there are kept."""
    click.echo(str(write_broker(load(config_file))))


@broker.command()
@click.pass_obj
def run(config_file: Path) -> None:
    """Write the settings and become Mosquitto. Runs until it is told to stop."""
    config = load(config_file)
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")
    if program is None:
        raise click.ClickException("Mosquitto is not installed; on Debian: apt-get install mosquitto")
    settings = write_broker(config)
    _check_free(config)
    os.execv(program, [program, "-c", str(settings)])  # noqa: S606 - becomes the broker: same pid, no shell, no arguments from outside


@broker.command()
@click.argument("name")
@click.pass_obj
def revoke(config_file: Path, name: str) -> None:
    """Take the certificates of the door NAME away: it can neither connect nor say or hear anything any more."""
    config, now = load(config_file), SystemClock().now()
    count = pki.revoke(config.folder, name, now=now)
    if not count:
        raise click.ClickException(f"no certificate was ever issued to {name!r}; look at the doors' page for the ids")
    write_revocations(config, now=now)
    told = _tell_broker(config)
    click.echo(f"{name}: {count} certificate(s) revoked; {'the broker knows' if told else 'the broker is not running here'}.")
    click.echo(f"For a new box at this door: booking-server door-files {name} --to NEW-FOLDER")


@click.command("door-files")
@click.argument("door")
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="A new folder; copy it to the door's /etc/hubkey.",
)
@click.pass_obj
def door_files(config_file: Path, door: str, to: Path) -> None:
    """Write the files that the box at DOOR needs: certificate, keys, settings. Keep them secret: they are the door."""
    config = load(config_file)
    database = Database(config.database)
    try:
        with database.read() as tx:
            write_door_files(tx, config, load_keys(config.folder), door, to)
    finally:
        database.close()
    write_revocations(config, now=SystemClock().now())
    _tell_broker(config)
    click.echo(f"{to}: complete door.toml (reader, pins), copy the folder to /etc/hubkey on the door, then: door-agent check")


def _tell_broker(config: Config) -> bool:
    """Have the running broker read rights and revocations again. False where none runs here."""
    try:
        process = int((broker_folder(config) / "broker.pid").read_text(encoding="ascii"))
        os.kill(process, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    return True


def _check_free(config: Config) -> None:
    """Mosquitto says nothing of a taken port but an error number."""
    with socket.socket(socket.AF_INET6 if ":" in config.broker.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.broker.host, config.broker.port))
        except OSError as error:
            where = f"{config.broker.host}:{config.broker.port}"
            raise click.ClickException(f"broker.host and broker.port: {where} cannot be used ({error.strerror})") from None
