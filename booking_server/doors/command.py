# SPDX-License-Identifier: AGPL-3.0-or-later
"""The command `booking-server doors`."""

from __future__ import annotations

from pathlib import Path

import click

from booking_server.config import load
from booking_server.doors.process import run
from booking_server.logs import write_lines


@click.command()
@click.pass_obj
def doors(config_file: Path) -> None:
    """Speak with the doors: answer, take in what they wrote, send commands. Runs until it is told to stop."""
    write_lines()
    run(load(config_file))
