# SPDX-License-Identifier: AGPL-3.0-or-later
"""Staff approve a new box as a door, or refuse it. Approved, it gets a certificate of its own name and all that a door needs.

The code is typed from the box, never chosen from a list: whoever stands in between shows another one. What is delivered can be
read by that box alone, and is signed by the very authority that the code stands for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, update

from access_contract.enrolling import CODE_DIGITS, seal_delivery, signing_key
from booking_server.actors import Actor, Role
from booking_server.audit import service as audit
from booking_server.broker import pki
from booking_server.broker.files import delivered
from booking_server.broker.rereading import have_reread
from booking_server.broker.settings import write_revocations
from booking_server.config import Config
from booking_server.db import one_at_a_time
from booking_server.doors import boxes, enrolment
from booking_server.doors import service as doors
from booking_server.doors.enrolment import NewBox
from booking_server.doors.tables import enrolments as table
from booking_server.errors import Invalid
from booking_server.keys import load_keys

WRONG_CODES_MAX = 3


@dataclass(frozen=True, slots=True)
class Approved:
    """The box is the door's from now on, once somebody at the box has said yes too."""

    door_id: str


@dataclass(frozen=True, slots=True)
class WrongCode:
    """What was typed is not this box's code. With no tries left the box is refused. Stored, so the transaction must stand."""

    tries_left: int


def approve(
    tx: Connection,
    actor: Actor,
    *,
    now: datetime,
    config: Config,
    enrolment_id: str,
    door_id: str,
    code: str,
    replaces: bool = False,
) -> Approved | WrongCode:
    """Make the waiting box the box of a door, its history kept. `replaces` takes away every certificate that the door had, and
    the process that speaks with the doors ends the old box's line. Raise Invalid at the field; NotFound; NotAllowed.
    """
    actor.must_be(Role.HOST, Role.CARETAKER)
    one_at_a_time(tx, "enrolments")
    box = _waiting(tx, actor, now, config, enrolment_id)
    typed = "".join(code.split())
    if len(typed) != CODE_DIGITS or not (typed.isascii() and typed.isdigit()):
        raise Invalid("code", "Type the six digits that the box shows.")
    has_box = _check_door(tx, actor, config, door_id, replaces=replaces)
    if typed != box.code:
        return _wrong(tx, actor, now, box)
    serials = [f"{one.serial_number:x}" for one in pki.certificates(config.folder, door_id)]
    boxes.replace_box(tx, actor, now=now, vault=load_keys(config.folder).vault, door_id=door_id, serials=serials)
    had_one = bool(pki.issued_serials(config.folder, door_id))
    new = _deliver(tx, now, config, box, door_id)
    about = {"address": box.address, "hardware": box.hardware, "replaces": has_box}
    audit.note(tx, actor, now=now, act="box_approved", subject=f"door:{door_id}", **about)
    if had_one:  # the last step, for it is not undone; and all of them, for the old box may have had its own renewed meanwhile
        pki.revoke(config.folder, door_id, now=now, spared=[new])
        write_revocations(config)
        have_reread(config)
    return Approved(door_id)


def refuse(tx: Connection, actor: Actor, *, now: datetime, config: Config, enrolment_id: str) -> None:
    """Send a waiting box away. Raise Invalid if it waits no longer; NotFound; NotAllowed."""
    actor.must_be(Role.HOST, Role.CARETAKER)
    one_at_a_time(tx, "enrolments")
    _settle(tx, actor, now, _waiting(tx, actor, now, config, enrolment_id))


def has_box(config: Config, door_id: str) -> bool:
    """True if some box holds a certificate of this door that the broker would let in."""
    return bool(pki.certificates(config.folder, door_id))


def _waiting(tx: Connection, actor: Actor, now: datetime, config: Config, enrolment_id: str) -> NewBox:
    box = enrolment.new_box(tx, actor, config=config, enrolment_id=enrolment_id)
    if box.outcome == "approved":
        raise Invalid("code", "This box was approved already, as the door {door_id}.", door_id=box.door_id)
    if box.outcome == "refused":
        raise Invalid("code", "This box was refused. Start `door-agent enrol` on it again for a new code.")
    if now > box.lapses_at:
        raise Invalid("code", "The time is over. Start `door-agent enrol` on the box again for a new code.")
    return box


def _check_door(tx: Connection, actor: Actor, config: Config, door_id: str, *, replaces: bool) -> bool:
    """Return whether the door has a box already."""
    door = next((door for door in doors.doors(tx) if door.id == door_id and door.retired_at is None), None)
    if door is None or not actor.may_at(door.site_id, Role.HOST, Role.CARETAKER):
        raise Invalid("door_id", "Choose the door that this box is for.")
    if has_box(config, door_id) and not replaces:
        raise Invalid("replaces", "This door has a box already. Tick that this one replaces it, or choose another door.")
    return has_box(config, door_id)


def _wrong(tx: Connection, actor: Actor, now: datetime, box: NewBox) -> WrongCode:
    wrong = box.wrong_codes + 1
    tx.execute(update(table).where(table.c.id == box.id).values(wrong_codes=wrong))
    if wrong >= WRONG_CODES_MAX:
        _settle(tx, actor, now, box)
    return WrongCode(WRONG_CODES_MAX - wrong)


def _settle(tx: Connection, actor: Actor, now: datetime, box: NewBox) -> None:
    tx.execute(update(table).where(table.c.id == box.id).values(outcome="refused", settled_at=now))
    audit.note(tx, actor, now=now, act="box_refused", subject=f"box:{box.id}", address=box.address, hardware=box.hardware)


def _deliver(tx: Connection, now: datetime, config: Config, box: NewBox, door_id: str) -> str:
    """Return the serial number of the certificate that is delivered."""
    certificate = pki.issue_for(config.folder, door_id, signing_key(box.exchange.signing_key), now=now)
    content = delivered(tx, config, load_keys(config.folder), door_id, certificate)
    _, authority_key = pki.authority(config.folder)
    package, signature = seal_delivery(
        content, box_key=box.exchange.sealing_key, exchange=box.exchange, authority_key=authority_key
    )
    values = {"outcome": "approved", "settled_at": now, "door_id": door_id, "package": package, "signature": signature}
    tx.execute(update(table).where(table.c.id == box.id).values(values))
    return f"{certificate.serial_number:x}"
