# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server`: make a hub's server, look after it, and run its processes. A fault is one clear line."""

from __future__ import annotations

import errno
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from booking_server.config import BadConfiguration
from booking_server.errors import BookingServerError

COMMANDS = {
    "init": "booking_server.setting_up.command:init",
    "database": "booking_server.setting_up.command:database",
    "account": "booking_server.accounts.commands:account",
    "broker": "booking_server.broker.commands:broker",
    "door-files": "booking_server.broker.commands:door_files",
    "door": "booking_server.doors.box_command:door",
    "keys": "booking_server.doors.keys_command:keys",
    "backup": "booking_server.backups.commands:backup",
    "restore": "booking_server.backups.commands:restore",
    "restored": "booking_server.backups.commands:restored",
    "doctor": "booking_server.doctor.command:doctor",
    "doors": "booking_server.doors.command:doors",
    "forget": "booking_server.privacy.command:forget",
    "web": "booking_server.web.command:web",
    "update": "booking_server.updating.command:update",
    "mail": "booking_server.messages.command:mail",
    "import": "booking_server.importing.command:import_",
    "roster": "booking_server.importing.command:roster",
}
"""Each command and where it lives: only what is called is imported, so that a help text needs no broker and no pages."""


class _Commands(click.Group):
    """Imports a command when it is asked for, and turns every foreseen fault into one line."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        from importlib import import_module

        if name not in COMMANDS:
            return None
        module, attribute = COMMANDS[name].split(":")
        found: click.Command = getattr(import_module(module), attribute)
        return found

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except (BadConfiguration, BookingServerError) as error:
            raise click.ClickException(str(error)) from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise click.ClickException(f"{error.filename or 'the disk'}: the disk is full; make room, then again") from None
            if error.filename is None:
                raise
            raise click.ClickException(f"{error.filename}: {error.strerror}") from None
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise click.ClickException(f"the database cannot be used: {cause}") from None


@click.group(cls=_Commands)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), default=Path("/etc/hubkey/server.toml"), show_default=True,
    envvar="HUBKEY_SERVER_CONFIG", help="The server's settings; the environment variable HUBKEY_SERVER_CONFIG says the same.",
)  # fmt: skip
@click.version_option(package_name="hubkey")
@click.pass_context
def main(context: click.Context, config_file: Path) -> None:
    """The hub's server: people, spaces, doors, bookings, prices and invoices.

    A new hub: write the settings, run `init`, then `account add`. A hub in service runs `broker run`, `doors` and `web`.
    """
    context.obj = config_file
