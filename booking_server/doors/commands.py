# SPDX-License-Identifier: AGPL-3.0-or-later
"""Commands to doors: asked for by staff with a reason, sent by the doors process, done only when the door itself says so.

A row goes from waiting to sent to an outcome: "done", the door's refusal, or "no_answer" once its time is over. The door's own
word, however late, outranks "no_answer". A captured number lies here sealed, and only until it is handed out or too old.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, null, select, update

from access_contract.messages import CommandDone
from access_contract.vocabulary import DoorMode, TagNumber
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.doors import service as doors
from booking_server.doors.tables import commands as command_table
from booking_server.errors import Invalid, NotFound
from booking_server.keys import Vault

DONE, NO_ANSWER = "done", "no_answer"
OPEN_STANDS, MODE_STANDS, CAPTURE_STANDS = timedelta(seconds=10), timedelta(seconds=10), timedelta(seconds=60)
CAPTURED_KEPT = timedelta(minutes=10)
_HANDED_OUT: dict[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command. `outcome` is None while nothing is known, DONE, a refusal in the door's word, or NO_ANSWER."""

    command: str
    door_id: str
    kind: str
    argument: dict[str, Any]
    by: str
    reason: str
    asked_at: datetime
    expires_at: datetime
    sent_at: datetime | None
    done_at: datetime | None
    outcome: str | None
    captured: bool


def ask_open(tx: Connection, actor: Actor, *, now: datetime, door_id: str, reason: str) -> Command:
    """Ask a door to open once. Raise Invalid at "reason"; NotFound; NotAllowed."""
    return _ask(tx, actor, now=now, door_id=door_id, kind="open", stands=OPEN_STANDS, reason=audit.reason_given(reason))


def ask_mode(tx: Connection, actor: Actor, *, now: datetime, door_id: str, mode: str, reason: str) -> Command:
    """Ask a door to take on a mode. Raise Invalid at "mode" or "reason"; NotFound; NotAllowed."""
    try:
        argument = {"mode": DoorMode(mode).value}
    except ValueError:
        raise Invalid("mode", "Choose a mode.") from None
    stands, why = MODE_STANDS, audit.reason_given(reason)
    return _ask(tx, actor, now=now, door_id=door_id, kind="set_mode", stands=stands, reason=why, argument=argument)


def ask_capture(tx: Connection, actor: Actor, *, now: datetime, door_id: str) -> Command:
    """Ask a door to send the next tag tapped there instead of deciding on it. Raise NotFound; NotAllowed."""
    return _ask(tx, actor, now=now, door_id=door_id, kind="capture", stands=CAPTURE_STANDS, reason="")


def command(tx: Connection, command_id: str) -> Command:
    """Return one command. Raise NotFound."""
    row = tx.execute(select(command_table).where(command_table.c.command == command_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such command.")
    return _command(row)


def commands_of_door(tx: Connection, door_id: str, *, limit: int = 20) -> list[Command]:
    """Return the last commands to a door, newest first."""
    found = select(command_table).where(command_table.c.door_id == door_id).order_by(command_table.c.id.desc()).limit(limit)
    return [_command(row) for row in tx.execute(found)]


def waiting(tx: Connection) -> list[Command]:
    """Return what is still to be sent, oldest first."""
    unsent = command_table.c.sent_at.is_(None) & command_table.c.outcome.is_(None)
    return [_command(row) for row in tx.execute(select(command_table).where(unsent).order_by(command_table.c.id))]


def sent(tx: Connection, *, now: datetime, command_id: str) -> bool:
    """Note that a command goes to the broker; False if it did already, or its time is over. It says nothing of the door."""
    unsent = command_table.c.sent_at.is_(None) & command_table.c.outcome.is_(None) & (command_table.c.expires_at > now)
    this = command_table.c.command == command_id
    return tx.execute(update(command_table).where(this & unsent).values(sent_at=now)).rowcount == 1


def expire(tx: Connection, *, now: datetime) -> int:
    """Give up on commands whose time is over, forget captured numbers that nobody handed out, return how many were given up."""
    old = (command_table.c.kind == "capture") & (command_table.c.asked_at < now - CAPTURED_KEPT)
    tx.execute(update(command_table).where(old & command_table.c.result.is_not(null())).values(result=null()))
    over = command_table.c.outcome.is_(None) & (command_table.c.expires_at < now)
    return int(tx.execute(update(command_table).where(over).values(outcome=NO_ANSWER)).rowcount)


def command_done(tx: Connection, *, now: datetime, door_id: str, done: CommandDone) -> None:
    """Store what the door says became of a command. A command of another door, or none of ours, is left alone."""
    own = (command_table.c.command == done.command) & (command_table.c.door_id == door_id)
    values = {"done_at": now, "outcome": DONE if done.refusal is None else done.refusal[:60]}
    unsettled = command_table.c.outcome.is_(None) | (command_table.c.outcome == NO_ANSWER)
    tx.execute(update(command_table).where(own & unsettled).values(values))


def captured(tx: Connection, *, now: datetime, vault: Vault, door_id: str, capture_id: str, number: TagNumber) -> None:
    """Keep the number that was tapped for a capture, sealed. A capture of another door, or none of ours, is left alone.

    The first number stands: what staff saw is what is handed out, and what was handed out is not kept anew.
    """
    own = (command_table.c.command == capture_id) & (command_table.c.door_id == door_id) & (command_table.c.kind == "capture")
    fresh = (command_table.c.asked_at >= now - CAPTURED_KEPT) & command_table.c.result.is_(null())
    sealed = base64.b64encode(vault.seal(number.uid, about=_about(capture_id))).decode("ascii")
    tx.execute(update(command_table).where(own & fresh).values(result={"number": sealed}))


def captured_number(tx: Connection, vault: Vault, command_id: str) -> TagNumber | None:
    """Return the number that was tapped for a capture; None if none was, or it is forgotten."""
    result = tx.execute(select(command_table.c.result).where(command_table.c.command == command_id)).scalar()
    if not result:
        return None
    return TagNumber(vault.unseal(base64.b64decode(result["number"]), about=_about(command_id)))


def was_handed_out(tx: Connection, command_id: str) -> bool:
    """True if the number tapped for this capture was handed out and dropped."""
    result = tx.execute(select(command_table.c.result).where(command_table.c.command == command_id)).scalar()
    return result is not None and not result


def forget_captured(tx: Connection, command_id: str) -> None:
    """Drop a captured number once it was handed out; that there was one stays."""
    tx.execute(update(command_table).where(command_table.c.command == command_id).values(result=_HANDED_OUT))


_MAY_ASK = {
    "open": (Role.HOST, Role.CARETAKER),
    "set_mode": (Role.HOST, Role.CARETAKER),
    "capture": (Role.HOST,),
}
"""Who may ask a door for what: a caretaker needs no keytag's number."""


def _ask(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    door_id: str,
    kind: str,
    stands: timedelta,
    reason: str,
    argument: dict[str, Any] | None = None,
) -> Command:
    door = doors.door_for(tx, actor, door_id, *_MAY_ASK[kind])
    if door.retired_at is not None:
        raise Invalid("door_id", "This door is out of use.")
    if door.stolen_at is not None:
        raise Invalid("door_id", "This door's box was stolen, and nothing is said to it. Put a new box at the door.")
    command_id = secrets.token_hex(16)
    row = {
        "command": command_id,
        "door_id": door_id,
        "kind": kind,
        "argument": argument or {},
        "by": actor.name,
        "reason": reason,
        "asked_at": now,
        "expires_at": now + stands,
    }
    tx.execute(insert(command_table).values(row))
    audit.note(tx, actor, now=now, act=f"door_{kind}_asked", subject=f"door:{door_id}", reason=reason, **(argument or {}))
    return command(tx, command_id)


def _about(command_id: str) -> str:
    return f"capture:{command_id}"


def _command(row: Row[Any]) -> Command:
    own = {name: value for name, value in row._mapping.items() if name not in ("id", "result")}
    return Command(**own, captured=bool(row.result))
