# SPDX-License-Identifier: AGPL-3.0-or-later
"""The commands `booking-server keys` and `keys rotate`: which door knows which key, and the next safe step of a rotation.

A step that would leave a door behind is not made until that door is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Connection

from booking_server import rotating, schema
from booking_server.actors import COMMAND_LINE
from booking_server.audit import service as audit
from booking_server.backups.making import last_made
from booking_server.config import Config, clock_of, load
from booking_server.db import Database
from booking_server.doors import service as doors
from booking_server.keys import ROTATION, Keys, Pair, load_keys

LEFT_BEHIND = (
    "{doors} did not say yet that they know {key}: wait until they are online, or leave them behind with {options}."
    " A door left behind is deaf to the server once the old key is dropped, until it is given new files."
)


@click.group(invoke_without_command=True)
@click.pass_context
def keys(context: click.Context) -> None:
    """Show the keys that sign the server's word, and which door knows which."""
    if context.invoked_subcommand is None:
        config = load(context.obj)
        with _reading(config) as tx:
            for line in overview(tx, load_keys(config.folder)):
                click.echo(line)


@keys.command()
@click.option("--without", multiple=True, metavar="DOOR", help="Leave this door behind; may stand several times.")
@click.pass_obj
def rotate(config_file: Path, without: tuple[str, ...]) -> None:
    """Make the next step of a change of keys. Three steps, with days between them if doors are away; each may be cut short.

    First a next key is made and announced; then, once every door knows it, it signs; last the old one is dropped.
    """
    config = load(config_file)
    held = load_keys(config.folder)
    act, wanted, step, says = _next_step(held)
    with _reading(config) as tx:
        for door_id in without:
            doors.door(tx, door_id)
        behind = [door_id for door_id in lagging(tx, wanted) if door_id not in without] if wanted else []
    if behind:
        options = " ".join(f"--without {door_id}" for door_id in behind)
        raise click.ClickException(LEFT_BEHIND.format(doors=", ".join(behind), key=wanted, options=options))
    _must_be_backed_up(config, held)
    made = step(config.folder, now=clock_of(config).now())
    _note(config, act, made, without)
    click.echo(
        says.format(current=made.current.id, next=made.next.id if made.next else "", old=held.old.id if held.old else "")
    )


def _must_be_backed_up(config: Config, held: Keys) -> None:
    """The old key opens the way for a hub that was put back from before the change: it goes once the new one is backed up."""
    if held.old is None or not config.backup.recipient:
        return
    last = last_made(config.folder)
    if last is None or last.timestamp() < (config.folder / "keys" / ROTATION).stat().st_mtime:
        raise click.ClickException(
            f"no backup holds {held.current.id} yet: put back from one, no door would believe this hub."
            " First: booking-server backup"
        )


def overview(tx: Connection, held: Keys) -> list[str]:
    """Return what `booking-server keys` prints."""
    roles = (("current", held.current), ("next", held.next), ("old", held.old))
    lines = [f"{role:8}{_named(pair)}" for role, pair in roles if pair is not None]
    states = doors.door_states(tx)
    for door in doors.doors(tx):
        if door.retired_at is None:
            known = states[door.id].status.known_keys if door.id in states else None
            lines.append(f"{door.id:32} {_knows(known, held)}")
    return lines


def lagging(tx: Connection, key_id: str) -> list[str]:
    """Return the doors in use that were heard and did not say that they hold this key. A box never heard holds none yet, and
    to a stolen one nothing is said."""
    states = doors.door_states(tx)
    in_use = [door.id for door in doors.doors(tx) if door.retired_at is None and door.stolen_at is None]
    return [door_id for door_id in in_use if door_id in states and key_id not in states[door_id].status.known_keys]


def _next_step(held: Keys) -> tuple[str, str, Callable[..., Keys], str]:
    """Return what the next step is called, which key every door must know before it, how it is made, and what to say then."""
    if held.old is not None:
        return "keys_old_dropped", held.current.id, rotating.drop_old, _DROPPED
    if held.next is not None:
        return "keys_changed", held.next.id, rotating.sign_by_next, _CHANGED
    return "keys_next_made", "", rotating.make_next, _MADE


_MADE = (
    "{next} is made and announced to the doors; {current} goes on signing.\n"
    "Once every door knows it: booking-server keys rotate"
)
_CHANGED = (
    "{current} signs from now on. A door that was away is still spoken to by the old key.\nLater: booking-server keys rotate"
)
_DROPPED = (
    "{old} is deleted; every door forgets it. {current} alone signs.\n"
    "Door files that were written before {current} and not used yet no longer work: write them anew."
)


def _named(pair: Pair) -> str:
    return f"signing {pair.id}  sealing {pair.sealing_id}"


def _knows(known: list[str] | None, held: Keys) -> str:
    if known is None:
        return "not heard yet"
    if not known:
        return "does not say (an older version)"
    return f"knows {' '.join(known)}" + ("" if held.known_keys == set(known) else "  (to be told)")


@contextmanager
def _reading(config: Config) -> Iterator[Connection]:
    database = Database(config.database)
    try:
        schema.must_be_current(database)
        with database.read() as tx:
            yield tx
    finally:
        database.close()


def _note(config: Config, act: str, made: Keys, without: tuple[str, ...]) -> None:
    database = Database(config.database)
    try:
        with database.write() as tx:
            detail = {"keys": sorted(made.known_keys), "without": list(without)}
            audit.note(tx, COMMAND_LINE, now=clock_of(config).now(), act=act, subject=f"keys:{made.number}", **detail)
    finally:
        database.close()
