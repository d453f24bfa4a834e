# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server broker` and `booking-server door-files`: the wire's files, written and looked after by commands."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import click

from booking_server import schema
from booking_server.actors import COMMAND_LINE
from booking_server.audit import service as audit
from booking_server.broker import pki
from booking_server.broker.ending import Line
from booking_server.broker.files import write_door_files
from booking_server.broker.putting_out import put_out
from booking_server.broker.rereading import have_reread
from booking_server.broker.settings import write_broker, write_revocations
from booking_server.clock import SystemClock
from booking_server.config import Config, clock_of, load
from booking_server.db import Database
from booking_server.doors import boxes
from booking_server.doors import service as doors
from booking_server.keys import load_keys
from booking_server.tags import exposure

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
"""Where Debian puts Mosquitto, and a user's PATH often does not look."""


@click.group()
def broker() -> None:
    """Mosquitto between the doors and this server: its settings, its certificates, its run."""


@broker.command()
@click.pass_obj
def write(config_file: Path) -> None:
    """Write Mosquitto's settings, rights and certificates. Keys that are there are kept; a running broker reads anew."""
    config = load(config_file)
    click.echo(str(write_broker(config)))
    have_reread(config)


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
    """Take the certificates of NAME away: its line ends, and it cannot come back. For a door: as `door stolen`."""
    take_away(load(config_file), name, reason="certificates revoked on the server")


def take_away(config: Config, name: str, *, reason: str) -> None:
    """Put a client out and say what came of it; then, of a door, keep that its box was stolen. Raise ClickException."""
    count = len(pki.issued_serials(config.folder, name))
    if not count:
        raise click.ClickException(f"no certificate was ever issued to {name!r}; look at the doors' page for the ids")
    became = put_out(config, name, now=SystemClock().now())
    click.echo(f"{name}: {count} certificate(s) revoked; {_BECAME[became]}")
    click.echo(_NEXT_SERVER if name == config.broker.identity else _NEXT_DOOR.format(name=name))
    _note_taken_away(config, name, reason, became)


_BECAME = {
    Line.ENDED: "its line, if it had one, has ended and it cannot come back.",
    Line.NO_BROKER: "no broker runs, so it has no line; the broker will not let it in when it starts.",
    Line.NOT_READ: "BUT THE BROKER DOES NOT KNOW YET: restart it now; every line ends and every other door comes back.",
}
_NEXT_DOOR = "For a new box at this door: booking-server door-files {name} --to NEW-FOLDER"
_NEXT_SERVER = "For a new certificate of this server: booking-server broker write; then restart: booking-server doors"


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
    was_revoked = pki.is_revoked(config.folder, door)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        with database.write() as tx:
            keys, now = load_keys(config.folder), clock_of(config).now()
            boxes.replace_box(tx, COMMAND_LINE, now=now, vault=keys.vault, door_id=door, serials=())
            write_door_files(tx, config, keys, door, to)
            audit.note(tx, COMMAND_LINE, now=now, act="door_files_written", subject=f"door:{door}")
    finally:
        database.close()
    if was_revoked:
        write_revocations(config)
        have_reread(config)
    click.echo(f"{to}: complete door.toml (reader, pins), copy the folder to /etc/hubkey on the door, then: door-agent check")


def _note_taken_away(config: Config, name: str, reason: str, became: Line) -> None:
    """Keep it after the act: what takes a door away must not wait for a database."""
    now, database = clock_of(config).now(), Database(config.database)
    try:
        with database.write() as tx:
            audit.note(tx, COMMAND_LINE, now=now, act="certificates_revoked", subject=f"door:{name}")
            found = next((door for door in doors.doors(tx) if door.id == name), None)
            if found is None:
                return
            vault = load_keys(config.folder).vault
            wish = boxes.last_revocation(tx, name) if found.stolen_at is not None else None
            if wish is None:
                wish = boxes.mark_stolen(
                    tx, COMMAND_LINE, now=now, vault=vault, door_id=name, reason=reason, serials=(), taken=True
                )
            boxes.done(tx, now=now, revocation_id=wish.id, became=became.value)
            count = len(exposure.exposed(tx, COMMAND_LINE, vault=vault, door_id=name))
        click.echo(f"Keytags to exchange, because the box may tell their numbers: {count}. The pages list them.")
    finally:
        database.close()


def _check_free(config: Config) -> None:
    """Mosquitto says nothing of a taken port but an error number."""
    with socket.socket(socket.AF_INET6 if ":" in config.broker.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.broker.host, config.broker.port))
        except OSError as error:
            where = f"{config.broker.host}:{config.broker.port}"
            raise click.ClickException(f"broker.host and broker.port: {where} cannot be used ({error.strerror})") from None
