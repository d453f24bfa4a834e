# SPDX-License-Identifier: AGPL-3.0-or-later
"""`booking-server account`: the first administrator is made here, because no page has a default password."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from booking_server import schema
from booking_server.accounts import service as accounts
from booking_server.actors import COMMAND_LINE, Role
from booking_server.config import clock_of, load
from booking_server.db import Database

_ROLES = click.Choice([role.value for role in Role if role is not Role.MEMBER])


@click.group()
def account() -> None:
    """Accounts of staff, who sign in on the pages."""


@account.command()
@click.argument("sign_in_name")
@click.option("--name", default="", help="The person's name as others see it. Without it, the sign-in name.")
@click.option("--role", type=_ROLES, default=Role.ADMINISTRATOR.value, show_default=True, help="What the account may do.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking.")
@click.pass_obj
def add(config_file: Path, sign_in_name: str, name: str, role: str, *, password_stdin: bool) -> None:
    """Add the account SIGN_IN_NAME, for instance an e-mail address. Asks for the password."""
    config = load(config_file)
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        password = sys.stdin.readline().rstrip("\n") if password_stdin else _asked()
        with database.write() as tx:
            made = accounts.add_account(
                tx,
                COMMAND_LINE,
                now=clock_of(config).now(),
                sign_in_name=sign_in_name,
                name=name or sign_in_name,
                role=Role(role),
                password=password,
            )
    finally:
        database.close()
    click.echo(f"{made.sign_in_name} may sign in as {role}.")


def _asked() -> str:
    asked: str = click.prompt("Password", hide_input=True, confirmation_prompt="The same again")
    return asked
