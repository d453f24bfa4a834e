# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server mail`: the process that empties the outbox, and a test mail that leaves at once."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click
import structlog

from booking_server import metrics, schema
from booking_server.clock import Clock
from booking_server.config import Config, clock_of, load
from booking_server.db import Database
from booking_server.errors import BookingServerError
from booking_server.logs import write_lines
from booking_server.messages.addressing import Reader
from booking_server.messages.carrying import open_line
from booking_server.messages.measuring import Outbox
from booking_server.messages.outbox import Claimed
from booking_server.messages.posting import Post, composed_for
from booking_server.messages.rules import Kind, Recipient
from booking_server.messages.troubles import Trouble
from booking_server.service_manager import tell_ready

LOOK_SECONDS = 1.0

_log = structlog.get_logger()


class NotSent(BookingServerError):
    """The test mail did not leave."""


@click.group(invoke_without_command=True)
@click.pass_context
def mail(context: click.Context) -> None:
    """Send what the hub has to say, as [mail] in the settings wants it. Runs until it is told to stop."""
    if context.invoked_subcommand is None:
        write_lines()
        _run(load(context.obj))


@mail.command()
@click.argument("address")
@click.option("--language", type=click.Choice(["fi", "sv", "en"]), help="The language of the mail; without it, the hub's.")
@click.pass_obj
def test(config_file: Path, address: str, language: str | None) -> None:
    """Send one test mail to ADDRESS at once, past the outbox, and say what became of it."""
    config = load(config_file)
    try:
        send_test(config, clock_of(config), address, language=language or config.language)
    except Trouble as trouble:
        raise NotSent("{trouble}", trouble=f"not sent: {trouble}") from None
    where = config.mail.folder or f"{config.mail.server}, which took it; look whether it arrives"
    click.echo(f"sent to {address} by way of {where}")


def send_test(config: Config, clock: Clock, address: str, *, language: str) -> None:
    """Send a test mail past the outbox; it needs no database. Raise Trouble, whose text says what to do; BadConfiguration."""
    now = clock.now()
    one = Claimed(
        id=0, claim="", key=f"test:{now.isoformat()}", kind=Kind.TEST, to=Recipient(address=address), facts={}, attempts=1
    )
    ready = composed_for(config, now, one, Reader(name="", address=address, language=language))
    line = open_line(config)
    try:
        line.send(ready)
    finally:
        line.close()


def _run(config: Config) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    database, clock = Database(config.database), clock_of(config)
    figures = metrics.serve(config, config.metrics.mail)
    try:
        schema.must_be_current(database)
        metrics.look_up(Outbox(database, clock))
        post = Post(config, database, clock, stopping.is_set)
        tell_ready()
        _log.info("ready", way="folder" if config.mail.folder else "smtp" if config.mail.server else "none")
        while not stopping.is_set():
            post.look()
            stopping.wait(LOOK_SECONDS)
        _log.info("stopped")
    finally:
        if figures is not None:
            figures.close()
        database.close()
