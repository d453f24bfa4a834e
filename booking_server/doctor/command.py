# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server doctor`."""

from __future__ import annotations

import os
from pathlib import Path

import click
import msgspec

from booking_server.config import BadConfiguration, read
from booking_server.doctor.checks import checks
from booking_server.doctor.finding import Finding, exit_code, fault, ok


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects: level, about, says, to_do.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Look the server over and say what to do. Changes nothing; run it as root or as the server's own user.

    Ends with 0 where nothing is to be done, with 1 where something will need you soon, with 2 where something does not work or
    is not safe.
    """
    found = _found(context.obj)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())
    else:
        click.echo("\n".join(map(str, found)))
    context.exit(exit_code(found))


def _found(config_file: Path) -> list[Finding]:
    try:
        config = read(config_file)
    except BadConfiguration as error:
        return [fault("settings", str(error), "correct that line first; the rest cannot be looked at before")]
    _become_owner(config.folder)
    return [ok("settings", str(config_file)), *checks(config, config_file)]


def _become_owner(folder: Path) -> None:
    """See what the server's own processes see: root may read what they may not, and PostgreSQL may not know root."""
    if os.geteuid() == 0 and folder.exists() and (owner := folder.stat()).st_uid != 0:
        os.initgroups(folder.owner(), owner.st_gid)
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
