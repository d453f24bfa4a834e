# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `door-agent`: run a door, check its settings, read its journal. A fault is one clear line, not a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from door_agent.errors import DoorError


class _Command(click.Group):
    """Turns every foreseen fault into one line and exit code 1. A bug keeps its traceback."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except DoorError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Command)
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), default=Path("/etc/hubkey/door.toml"), show_default=True,
    envvar="HUBKEY_DOOR_CONFIG", help="The door's settings; the environment variable HUBKEY_DOOR_CONFIG says the same.",
)  # fmt: skip
@click.version_option(package_name="hubkey")
@click.pass_context
def main(context: click.Context, config_file: Path) -> None:
    """One door: reads keytags, decides, opens, and tells the server.

    A new door: run `door-agent enrol`, complete its settings, run `door-agent check`, then `door-agent run` (systemd does
    that from then on). The door goes on deciding while network or server are away.
    """
    context.obj = config_file


@main.command()
@click.option("--server", required=True, help="The hub's address, as staff open its pages: https://hub.example.org")
@click.option("--state-folder", help="Where a new door keeps what it writes.  [default: /var/lib/hubkey-door]")
@click.option("--lamp-pin", type=click.IntRange(0, 27), help="GPIO number of a lamp that blinks the code.")
@click.option("--confirm-by-button", is_flag=True, help="Say yes by the exit button; the granted lamp blinks the code.")
@click.option("--button-pin", type=click.IntRange(0, 27), help="GPIO number of the exit button, if door.toml names none.")
@click.pass_obj
def enrol(config_file: Path, /, **wishes: Any) -> None:
    """Make this box a door: shows a code, which somebody types on the server's page New boxes. Wiring settings are kept."""
    from door_agent import enrolling_here

    enrolling_here.enrol(config_file, enrolling_here.Wishes(**wishes), say=click.echo, confirm=click.confirm)


@main.command()
@click.pass_obj
def run(config_file: Path) -> None:
    """Run the door until it is told to stop (Ctrl-C or SIGTERM); the relay is off afterwards."""
    from door_agent import main as wiring

    wiring.run(config_file)


@main.command()
@click.pass_obj
def check(config_file: Path) -> None:
    """Check settings, keys and certificates; touch no pin and no reader."""
    from door_agent import main as wiring

    wiring.check(config_file)
    click.echo(f"{config_file}: good")


@main.command()
@click.option("--last", default=20, show_default=True, type=click.IntRange(min=0), help="How many events to list.")
@click.pass_obj
def journal(config_file: Path, last: int) -> None:
    """List the last events and verify the chain; it may run beside the door. Names no tag and no person.

    Exit code 1 if the chain does not hold.
    """
    from door_agent import reading

    told = reading.told(config_file, last)
    for line in told.lines:
        click.echo(line)
    if told.broken is not None:
        raise click.ClickException(told.broken)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Write it as JSON.")
@click.pass_obj
def status(config_file: Path, *, as_json: bool) -> None:
    """Say how the door that runs here stands: mode, leaf, readers, clock, link, rights, journal, what needs attention.

    The same as the page http://127.0.0.1:8631/ at the box. Names no tag and no person.
    """
    from door_agent import page, telling
    from door_agent.config import status_port

    told = page.asked(status_port(config_file))
    click.echo(page.as_json(told) if as_json else telling.text(told))


@main.command()
@click.pass_obj
def doctor(config_file: Path) -> None:
    """Check this box and say what to do: settings, reader, pins, boot file, clock, disk, supply, certificate, broker, service.

    It may run beside the door and takes nothing away from it. Run it with sudo. Exit code 1 if something is to be done.
    """
    from door_agent.doctor.check import Verdict
    from door_agent.doctor.checks import checks
    from door_agent.doctor.gathering import gather

    found = checks(gather(config_file))
    for check in found:
        click.echo(str(check))
    if any(check.verdict is Verdict.TO_DO for check in found):
        raise click.exceptions.Exit(1)
