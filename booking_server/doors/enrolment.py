# SPDX-License-Identifier: AGPL-3.0-or-later
"""New boxes that ask to become a door: their first words, and what staff see of them. Approving is in approving.py.

A box is believed in nothing: it gets a code, and people compare. A flood of asks is turned away at the door and pushes nobody
out who is waiting; what is said here to a box is no secret.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from access_contract.enrolling import (
    LAPSE_SECONDS,
    NONCE_BYTES,
    Asked,
    Exchange,
    Offered,
    Revealed,
    Standing,
    check_asked,
    check_nonce,
    commitment,
)
from booking_server.actors import Actor, Role
from booking_server.broker import pki
from booking_server.config import Config
from booking_server.db import one_at_a_time
from booking_server.doors.tables import enrolments as table
from booking_server.errors import BookingServerError, Invalid, NotFound

LAPSE = timedelta(seconds=LAPSE_SECONDS)
BEGUN_MAX, BEGUN_BY_ONE_MAX = 30, 10
"""How many enrolments may begin within LAPSE: in all, and from one address. However they end they count, so that whoever wants
a code to come out as another's has so many tries in a million."""
KEPT = timedelta(days=1)
HARDWARE_LENGTH = 120


class TooMany(BookingServerError):
    """More boxes ask than can be; `wait_seconds` says when to try again."""

    def __init__(self, message: str, *, wait_seconds: int) -> None:
        super().__init__(message, minutes=-(-wait_seconds // 60))
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBox:
    """An enrolment as staff see it. `outcome` is None while it waits for them; `lapsed` once its time is over."""

    id: str
    asked_at: datetime
    address: str
    hardware: str
    exchange: Exchange
    wrong_codes: int
    outcome: str | None
    settled_at: datetime | None
    door_id: str | None

    @property
    def code(self) -> str:
        return self.exchange.code()

    @property
    def lapses_at(self) -> datetime:
        return self.asked_at + LAPSE


# --- what a box says ---------------------------------------------------------------------------------------------------


def make_room(tx: Connection, *, now: datetime, address: str) -> None:
    """Raise TooMany if no enrolment may begin now from this address. Reads only, so that a flood waits for no writer."""
    begun = table.c.asked_at > now - LAPSE
    for count, most in ((begun, BEGUN_MAX), (begun & (table.c.address == _place(address)), BEGUN_BY_ONE_MAX)):
        number, oldest = tx.execute(select(func.count(), func.min(table.c.asked_at)).where(count)).one()
        if number >= most:
            wait = max(1, int((oldest + LAPSE - now).total_seconds()))
            raise TooMany("Too many boxes ask at the moment. Try again in {minutes} minutes.", wait_seconds=wait)


def ask(tx: Connection, *, now: datetime, config: Config, asked: Asked, address: str) -> Offered:
    """Begin an enrolment, or go on with the one that these very words began. Raise BadWord; TooMany."""
    check_asked(asked)
    one_at_a_time(tx, "enrolments")
    known = tx.execute(select(table).where(table.c.commitment == asked.commitment, table.c.asked_at > now - LAPSE)).first()
    if known is not None and (known.signing_key, known.sealing_key) == (asked.signing_key, asked.sealing_key):
        return _offered(config, known.id, known.server_nonce)
    make_room(tx, now=now, address=address)
    tx.execute(delete(table).where(table.c.asked_at < now - KEPT))
    row: dict[str, Any] = {
        "id": secrets.token_hex(16),
        "asked_at": now,
        "address": _place(address),
        "hardware": _plain(asked.hardware),
        "signing_key": asked.signing_key,
        "sealing_key": asked.sealing_key,
        "commitment": asked.commitment,
        "server_nonce": secrets.token_bytes(NONCE_BYTES),
        "wrong_codes": 0,
    }
    tx.execute(insert(table).values(row))
    return _offered(config, row["id"], row["server_nonce"])


def reveal(tx: Connection, *, now: datetime, enrolment_id: str, nonce: bytes) -> Revealed:
    """Take the box's nonce and return ours: from here on both sides have the code. Raise BadWord; Invalid; NotFound."""
    row = _row(tx, enrolment_id)
    check_nonce(nonce, row.commitment)
    if row.box_nonce is None:
        if _state(row, now) != "waiting":
            raise Invalid("enrolment", "The time for this is over. Begin again.")
        tx.execute(update(table).where(table.c.id == enrolment_id).values(box_nonce=nonce))
    return Revealed(nonce=row.server_nonce)


def revealed(tx: Connection, *, enrolment_id: str, nonce: bytes) -> Revealed | None:
    """Return our nonce to a box that said its own before, None where it is still to be taken. Reads only, so that guesses and
    repetitions wait for no writer. Raise BadWord; NotFound.
    """
    row = _row(tx, enrolment_id)
    check_nonce(nonce, row.commitment)
    return None if row.box_nonce is None else Revealed(nonce=row.server_nonce)


def standing(tx: Connection, *, now: datetime, enrolment_id: str) -> Standing:
    """Return how an enrolment stands, with what is delivered if it was approved. Raise NotFound."""
    row = _row(tx, enrolment_id)
    state = _state(row, now)
    return Standing(state=state, package=row.package, signature=row.signature) if state == "approved" else Standing(state=state)


# --- what staff see ----------------------------------------------------------------------------------------------------


def waiting(tx: Connection, actor: Actor, *, now: datetime, config: Config) -> list[NewBox]:
    """Return the boxes that wait for staff, the longest waiting first. Raise NotAllowed."""
    actor.must_be(Role.HOST, Role.CARETAKER)
    found = select(table).where(table.c.asked_at > now - LAPSE, table.c.outcome.is_(None), table.c.box_nonce.is_not(None))
    rows = tx.execute(found.order_by(table.c.asked_at, table.c.id)).all()
    return [_box(row, authority_of(config)) for row in rows]


def new_box(tx: Connection, actor: Actor, *, config: Config, enrolment_id: str) -> NewBox:
    """Return one, however it ended. Raise NotFound for one that has not said its nonce; NotAllowed."""
    actor.must_be(Role.HOST, Role.CARETAKER)
    row = _row(tx, enrolment_id)
    if row.box_nonce is None:
        raise NotFound("There is no such new box.")
    return _box(row, authority_of(config))


def authority_of(config: Config) -> bytes:
    """Return the certificate of the hub's authority, DER."""
    return pki.authority(config.folder)[0].public_bytes(Encoding.DER)


# --- inside ------------------------------------------------------------------------------------------------------------


def _offered(config: Config, enrolment_id: str, nonce: bytes) -> Offered:
    return Offered(enrolment=enrolment_id, authority=authority_of(config), commitment=commitment(nonce))


def _row(tx: Connection, enrolment_id: str) -> Row[Any]:
    row = tx.execute(select(table).where(table.c.id == enrolment_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such new box.")
    return row


def _state(row: Row[Any], now: datetime) -> Any:
    """Approval is delivered for as long again; what lapsed stays so."""
    if row.outcome is None or (row.outcome == "approved" and now > row.settled_at + LAPSE):
        return "waiting" if row.outcome is None and now <= row.asked_at + LAPSE else "lapsed"
    return row.outcome


def _box(row: Row[Any], authority: bytes) -> NewBox:
    exchange = Exchange(
        signing_key=row.signing_key,
        sealing_key=row.sealing_key,
        authority=authority,
        box_nonce=row.box_nonce,
        server_nonce=row.server_nonce,
    )
    return NewBox(
        id=row.id,
        asked_at=row.asked_at,
        address=row.address,
        hardware=row.hardware,
        exchange=exchange,
        wrong_codes=row.wrong_codes,
        outcome=row.outcome,
        settled_at=row.settled_at,
        door_id=row.door_id,
    )


def _plain(text: str) -> str:
    """What a stranger says of his hardware, as one short printable line."""
    return " ".join("".join(letter for letter in text if letter.isprintable()).split())[:HARDWARE_LENGTH]


def _place(address: str) -> str:
    """A whole IPv6 network of a home counts as one address: each machine in it has as many as it likes."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:45]
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
