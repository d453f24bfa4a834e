# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `door-agent`: run a door, or check its settings. A fault is one clear line, not a traceback."""

from __future__ import annotations

from pathlib import Path

import click

from door_agent.errors import DoorError


@click.group()
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), default=Path("/etc/hubkey/door.toml"), show_default=True,
    envvar="HUBKEY_DOOR_CONFIG", help="The door's settings (door.toml).",
)  # fmt: skip
@click.pass_context
def main(context: click.Context, config_file: Path) -> None:
    """One door: reads keytags, decides, opens, and tells the server."""
    context.obj = config_file


@main.command()
@click.pass_obj
def run(config_file: Path) -> None:
    """Run the door until it is told to stop."""
    from door_agent import main as wiring

    _said(lambda: wiring.run(config_file))


@main.command()
@click.pass_obj
def check(config_file: Path) -> None:
    """Check the settings and key files, and touch nothing."""
    from door_agent import main as wiring

    _said(lambda: wiring.check(config_file))
    click.echo(f"{config_file}: good")


def _said(work: object) -> None:
    try:
        work()  # type: ignore[operator]
    except DoorError as error:
        raise click.ClickException(str(error)) from None
