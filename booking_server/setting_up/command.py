# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server init`: makes what a server needs before it can run, and runs it. What is there already is kept.

The settings come into force when all that they speak of is made, so an interruption leaves a machine that serves no hub
yet, and the next call goes on from there.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from booking_server import schema
from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.backups import going_on
from booking_server.broker.settings import write_broker
from booking_server.broker.writing import OPEN
from booking_server.clock import SystemClock
from booking_server.config import BadConfiguration, Config, clock_of, load, read
from booking_server.db import Database
from booking_server.keys import make_keys
from booking_server.setting_up import checks, starting
from booking_server.setting_up.answers import STATE_FOLDER, Administrator, Certificate, caddy_text
from booking_server.setting_up.as_user import as_user, owner_of
from booking_server.setting_up.questions import Given, ask, ask_administrator
from booking_server.setting_up.writing import Place, write_answers

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--name", help="The hub's name.")
@click.option("--address", help="Where people and doors reach it: hub.example.org, or with a port.")
@click.option(
    "--certificate", type=click.Choice([kind.value for kind in Certificate]), help="Whose certificate the pages show."
)
@click.option("--certificate-file", type=_FILE, help="Your certificate, full chain (PEM).")
@click.option("--key-file", type=_FILE, help="Its private key (PEM).")
@click.option("--administrator", help="The name by which the first administrator signs in.")
@click.option("--password-file", type=_FILE, help="A file whose first line is the administrator's password.")
@click.option("--mail-server", help="The server that sends mail: smtp.example.org, or with a port.")
@click.option("--mail-security", type=click.Choice(["starttls", "tls", "none"]), help="How the line to it is encrypted.")
@click.option("--mail-user", help="The user name there.")
@click.option("--mail-password-file", type=_FILE, help="A file whose first line is the password there.")
@click.option("--mail-sender", help="The sender of the mails.")
@click.option("--no-mail", is_flag=True, help="No mail yet: what is to be sent waits.")
@click.option("--broker-port", type=click.IntRange(1, 65535), default=8883, show_default=True, help="Where the doors connect.")
@click.option("--database", "database_url", help="Another database than a file: postgresql+psycopg://user:password@host/name")
@click.option(
    "--state-folder", type=click.Path(path_type=Path), default=STATE_FOLDER, show_default=True,
    help="Where a new hub keeps keys, certificates and data.",
)  # fmt: skip
@click.option("--no-start", is_flag=True, help="Make everything and start nothing.")
@click.option("--non-interactive", is_flag=True, help="Never ask: settings, or options for every answer, must be there.")
@click.pass_obj
def init(
    config_file: Path,
    /,
    *,
    database_url: str | None,
    state_folder: Path,
    no_start: bool,
    non_interactive: bool,
    **answers: Any,
) -> None:
    """Make this machine a hub's server: asks five things, checks each, makes everything and starts it.

    Run it again at will: what is there is kept, and what was interrupted goes on. With settings that are there it asks nothing
    but the first administrator.
    """
    given = Given(**answers, may_ask=not non_interactive and sys.stdin.isatty())
    place = Place(config_file, owner_of(state_folder))
    if not config_file.exists() and not place.coming.exists():
        if not given.may_ask and given.is_empty:
            raise BadConfiguration(
                f"{config_file}: there are no settings yet; run this in a terminal, or see --help for options"
            )
        administrator = _begin(place, given, state_folder, database_url)
    else:
        administrator = None
        if not config_file.exists():
            click.echo(f"Going on with the answers of before; to be asked again, delete {place.coming}")
    config = read(config_file if config_file.exists() else place.coming)
    place = Place(config_file, owner_of(config.folder))
    _make_all(place, config, administrator, given)
    place.put_in_force()
    _put_caddyfile(place, config, given)
    _start(place, config, no_start=no_start)


def _begin(place: Place, given: Given, state_folder: Path, database: str | None) -> Administrator:
    """Ask, and only then write the first file."""
    clock = SystemClock()
    if place.settings == starting.SETTINGS:
        checks.units_may_write(state_folder)
    checks.clock_can_be_right(clock.now())
    checks.there_is_room(state_folder)
    if database is not None:
        as_user(place.owner, partial(checks.database_answers, database))
    if given.may_ask:
        click.echo(
            "Five questions, then this machine serves your hub. Until the last answer nothing is changed; Ctrl-C ends it.\n"
        )
    try:
        answers = ask(given, clock=clock)
    except click.Abort:
        raise click.ClickException("broken off: nothing was changed") from None
    write_answers(place, answers, state_folder=state_folder, database=database)
    return answers.administrator


def _make_all(place: Place, config: Config, administrator: Administrator | None, given: Given) -> None:
    if not config.folder.exists():
        config.folder.mkdir(mode=0o700, parents=True)
        if place.owner is not None:
            os.chown(config.folder, place.owner.pw_uid, place.owner.pw_gid)
    settings = as_user(place.owner, partial(_make, config))
    click.echo(f"keys:     {config.folder / 'keys'} (back this folder up, apart from the database)")
    click.echo("database: ready")
    click.echo(f"broker:   {settings}")
    if as_user(place.owner, partial(_has_administrator, config)):
        return
    if administrator is None and (given.may_ask or given.administrator is not None):
        administrator = ask_administrator(given)
    if administrator is None:
        click.echo("Next: booking-server account add NAME --role administrator")
        return
    as_user(place.owner, partial(_add_administrator, config, administrator))
    click.echo(f"account:  {administrator.sign_in_name} may sign in as administrator")


def _make(config: Config) -> Path:
    make_keys(config.folder)
    _upgrade(config)
    return write_broker(config)


def _has_administrator(config: Config) -> bool:
    database = Database(config.database)
    try:
        with database.read() as tx:
            found = accounts.accounts(tx, COMMAND_LINE)
        return any(not one.closed and (Role.ADMINISTRATOR, None) in one.roles for one in found)
    finally:
        database.close()


def _add_administrator(config: Config, administrator: Administrator) -> None:
    database = Database(config.database)
    try:
        with database.write() as tx:
            accounts.add_account(
                tx,
                COMMAND_LINE,
                now=clock_of(config).now(),
                sign_in_name=administrator.sign_in_name,
                name=administrator.sign_in_name,
                role=Role.ADMINISTRATOR,
                password=administrator.password,
            )
    finally:
        database.close()


def _put_caddyfile(place: Place, config: Config, given: Given) -> None:
    """Write what Caddy reads where it is asked for and missing: a hub that was restored has its settings and not this file."""
    if config.web.is_https or place.caddyfile.exists():
        return
    if given.certificate == Certificate.ACME:
        text = caddy_text(checks.address(config.web.origin), config.web.port)
        place.write(place.caddyfile, text.encode(), mode=OPEN)
    elif config.web.address and not config.demo:
        click.echo(f"Note: the pages wait on {config.web.host} for a web server before them; for Caddy: --certificate acme")


def _start(place: Place, config: Config, *, no_start: bool) -> None:
    if no_start or not starting.can_start(place.settings):
        if place.settings == starting.SETTINGS:
            click.echo("Start these, each as the hub's user: booking-server broker run, doors, web, mail (systemd/README.md)")
        return
    starting.start(config, click.echo)
    if place.caddyfile.exists() and not config.web.is_https:
        starting.put_caddy_before(config, place.caddyfile, click.echo)
    click.echo(_NEXT.format(origin=config.web.origin))
    if not config.web.certificate and config.web.is_https:
        click.echo(_AUTHORITY.format(file=config.folder / "authority" / "ca.pem"))


_NEXT = """
The hub is in service.
  Open    {origin} and sign in; Today lists the first steps.
  A door  on its Raspberry Pi: sudo door-agent enrol --server {origin}
  Next    make a key for backups and try a restore: docs/run-the-server.md"""
_AUTHORITY = """\
  Browsers warn of the hub's own certificate until they are given its authority: {file}"""


@click.group()
def database() -> None:
    """Look after the database."""


@database.command()
@click.pass_obj
def upgrade(config_file: Path) -> None:
    """Bring the database's tables to this version. Nothing is lost; back up first all the same."""
    _upgrade(load(config_file))
    click.echo("database: ready")


@database.command()
@click.argument("revision")
@click.pass_obj
def downgrade(config_file: Path, /, *, revision: str) -> None:
    """Take the database's tables back to REVISION, for a version that knows them so. What only newer tables hold is lost."""
    found = Database(load(config_file).database)
    try:
        schema.downgrade(found, revision)
    finally:
        found.close()
    click.echo(f"database: at {revision}")


@database.command(name="go-on", hidden=True)
@click.option("--as-of", help="The instant of the copy; then no month is closed until the next invoice's number is said.")
@click.pass_obj
def go_on(config_file: Path, /, *, as_of: str | None) -> None:
    """After `update` has put a copy of the database back: go on beyond the numbers that doors may have been told since."""
    config = load(config_file)
    now, found = clock_of(config).now(), Database(config.database)
    try:
        if as_of is None:
            going_on.past_doors(found, now=now)
        else:
            at = datetime.fromisoformat(as_of)
            going_on.go_on(found, config.folder, now=now, backup_at=at, version=version("hubkey"))
    finally:
        found.close()


def _upgrade(config: Config) -> None:
    found = Database(config.database)
    try:
        schema.upgrade(found)
    finally:
        found.close()
