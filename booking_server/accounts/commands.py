# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server account`: the first administrator is made here, because no page has a default password; and on the worst day,
when nobody who could help can sign in, so is the way back. What is done here is written down like what is done on the pages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
from sqlalchemy import Connection

from booking_server import schema
from booking_server.accounts import resetting, sessions
from booking_server.accounts import service as accounts
from booking_server.accounts.service import Account
from booking_server.accounts.ways import Ways, ways_of
from booking_server.actors import COMMAND_LINE, Holds, Role
from booking_server.config import Config, clock_of, load
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.places import service as places

_ROLES = click.Choice([role.value for role in Role if role is not Role.MEMBER])


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where the command works: settings, a transaction that writes, and the time."""

    config: Config
    tx: Connection
    now: datetime


@contextmanager
def _at_desk(config_file: Path) -> Iterator[_Desk]:
    config = load(config_file)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        with database.write() as tx:
            yield _Desk(config, tx, clock_of(config).now())
    finally:
        database.close()


@click.group()
def account() -> None:
    """Accounts that sign in on the pages."""


@account.command()
@click.argument("sign_in_name")
@click.option("--name", default="", help="The person's name as others see it. Without it, the sign-in name.")
@click.option("--role", type=_ROLES, default=Role.ADMINISTRATOR.value, show_default=True, help="What the account may do.")
@click.option("--site", default="", help="The site at which it may, by its name. Without it, in the whole hub.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.pass_obj
def add(config_file: Path, sign_in_name: str, name: str, role: str, site: str, *, password_stdin: bool) -> None:
    """Add the account SIGN_IN_NAME, for instance an e-mail address. Asks for the password."""
    password = _password(password_stdin=password_stdin)
    with _at_desk(config_file) as desk:
        made = accounts.add_account(
            desk.tx,
            COMMAND_LINE,
            now=desk.now,
            sign_in_name=sign_in_name,
            name=name or sign_in_name,
            role=Role(role),
            site_id=_site(desk.tx, site),
            password=password,
            hub_name=desk.config.name,
        )
    click.echo(f"{made.sign_in_name} may sign in as {role}{f' at {site}' if site else ''}.")


@account.command("list")
@click.pass_obj
def list_all(config_file: Path) -> None:
    """Show who may sign in, as what, and by which ways."""
    with _at_desk(config_file) as desk:
        names = {site.id: site.name for site in places.sites(desk.tx)}
        for one in accounts.accounts(desk.tx, COMMAND_LINE):
            held = "closed" if one.closed else _roles(one, names)
            click.echo(f"{one.sign_in_name}\t{held}\t{_ways(ways_of(desk.tx, one))}")


@account.command()
@click.argument("sign_in_name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.pass_obj
def set_password(config_file: Path, sign_in_name: str, *, password_stdin: bool) -> None:
    """Give SIGN_IN_NAME a new password and end its sessions. A second factor stays: see reset-second-factor."""
    password = _password(password_stdin=password_stdin)
    with _at_desk(config_file) as desk:
        found, hub = _named(desk.tx, sign_in_name), desk.config.name
        accounts.set_password(desk.tx, COMMAND_LINE, now=desk.now, account_id=found.id, password=password, hub_name=hub)
    click.echo(f"{found.sign_in_name} has a new password, and is signed in nowhere.")


@account.command()
@click.argument("sign_in_name")
@click.pass_obj
def reset_second_factor(config_file: Path, sign_in_name: str) -> None:
    """Forget the app, the recovery codes and the passkeys of SIGN_IN_NAME, and end its sessions.

    For who has lost them all. Be sure that it is they who ask. The password stays, and they set up a second factor at once.
    """
    with _at_desk(config_file) as desk:
        found = _named(desk.tx, sign_in_name)
        resetting.reset_second_factor(desk.tx, COMMAND_LINE, now=desk.now, account_id=found.id)
    click.echo(f"{found.sign_in_name} signs in by the password alone next time, and is asked to set up a second factor.")


@account.command()
@click.argument("sign_in_name")
@click.pass_obj
def close(config_file: Path, sign_in_name: str) -> None:
    """Let SIGN_IN_NAME sign in no more, and end its sessions."""
    with _at_desk(config_file) as desk:
        found = _named(desk.tx, sign_in_name)
        accounts.close_account(desk.tx, COMMAND_LINE, now=desk.now, account_id=found.id)
        left = [one for one in accounts.accounts(desk.tx, COMMAND_LINE) if not one.closed]
    click.echo(f"{found.sign_in_name} can no longer sign in.")
    if not any((Role.ADMINISTRATOR, None) in one.roles for one in left):
        click.echo("Nobody is left who may do everything. Add somebody: booking-server account add NAME")


@account.command()
@click.argument("sign_in_name")
@click.pass_obj
def end_sessions(config_file: Path, sign_in_name: str) -> None:
    """Sign SIGN_IN_NAME out everywhere."""
    with _at_desk(config_file) as desk:
        found = _named(desk.tx, sign_in_name)
        ended = sessions.end_all(desk.tx, COMMAND_LINE, now=desk.now, account_id=found.id)
    click.echo(f"{found.sign_in_name}: sessions ended: {ended}")


def _named(tx: Connection, sign_in_name: str) -> Account:
    """Return the open account of this name. Raise Invalid."""
    wanted = sign_in_name.strip().lower()
    known = [one for one in accounts.accounts(tx, COMMAND_LINE) if not one.closed]
    found = next((one for one in known if one.sign_in_name == wanted), None)
    if found is None:
        raise Invalid("sign_in_name", "There is no open account {name}. See: booking-server account list", name=wanted)
    return found


def _site(tx: Connection, name: str) -> int | None:
    """Return the site of this name; None where none was named. Raise Invalid."""
    if not name:
        return None
    known = {site.name.casefold(): site.id for site in places.sites(tx)}
    if name.casefold() not in known:
        there = ", ".join(sorted(known)) or "none yet"
        raise Invalid("site", "There is no site {name}; there are: {known}", name=name, known=there)
    return known[name.casefold()]


def _roles(one: Account, sites: dict[int, str]) -> str:
    held: list[Holds] = sorted(one.roles, key=lambda role: (role[1] or 0, role[0]))
    return ", ".join(role.value if site is None else f"{role.value} at {sites.get(site, site)}" for role, site in held)


def _ways(ways: Ways) -> str:
    has = {"password": ways.password, "app": ways.app, f"passkeys: {ways.passkeys}": ways.passkeys}
    codes = [f"recovery codes: {ways.codes_left}"] if ways.codes_left else []
    return ", ".join([name for name, there in has.items() if there] + codes) or "no way of its own"


def _password(*, password_stdin: bool) -> str:
    """Asked for outside any transaction: who types slowly keeps nobody waiting."""
    if password_stdin:
        return sys.stdin.readline().rstrip("\n")
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return asked
