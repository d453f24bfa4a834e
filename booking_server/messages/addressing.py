# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who reads a message: their name, address and language as they are when it is sent, and whether they want it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from booking_server.accounts import service as accounts
from booking_server.actors import SYSTEM
from booking_server.messages import choosing
from booking_server.messages.rendering import LANGUAGES
from booking_server.messages.rules import Kind, Recipient
from booking_server.messages.troubles import Trouble, TroubleKind
from booking_server.people import service as people


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who gets mail. `person_id` is whose choices hold; staff without a person have none."""

    name: str
    address: str
    language: str
    person_id: int | None = None
    is_staff: bool = False


def reader(tx: Connection, to: Recipient, *, language: str) -> Reader:
    """Return who `to` is now; `language` is the hub's. Raise Trouble where no address is known."""
    found = _reader(tx, to, language)
    if not found.address:
        raise Trouble(TroubleKind.NO_ADDRESS)
    return found


def wants(tx: Connection, who: Reader, kind: Kind) -> bool:
    """True unless the reader chose to do without this kind, and may."""
    if who.person_id is None or choosing.is_mandatory(kind, is_staff=who.is_staff):
        return True
    return kind not in choosing.unwanted(tx, who.person_id)


def _reader(tx: Connection, to: Recipient, language: str) -> Reader:
    if to.address is not None:
        return Reader(name="", address=to.address, language=_spoken(to.language, language))
    if to.person_id is not None:
        return _person(tx, to.person_id, language)
    if to.customer_id is not None:
        return _customer(tx, to.customer_id, language)
    return _account(tx, to.account_id or 0, language)


def _person(tx: Connection, person_id: int, language: str) -> Reader:
    who = people.person(tx, SYSTEM, person_id)
    return Reader(name=who.name, address=who.email, language=_spoken(who.language, language), person_id=who.id)


def _customer(tx: Connection, customer_id: int, language: str) -> Reader:
    """Who pays reads it in the language of the first person whom they pay for, whose choice holds too."""
    payer = people.customer(tx, customer_id)
    person_id = min((person for person, customer in people.payers(tx).items() if customer == customer_id), default=None)
    if person_id is not None:
        language = _spoken(people.person(tx, SYSTEM, person_id).language, language)
    return Reader(name=payer.name, address=payer.email, language=language, person_id=person_id)


def _account(tx: Connection, account_id: int, language: str) -> Reader:
    """An account without a person gets its mail at its sign-in name, where that is an address."""
    found = accounts.existing_account(tx, account_id)
    is_staff = found.actor().is_staff
    if found.person_id is not None:
        own = _person(tx, found.person_id, language)
        return Reader(name=own.name, address=own.address, language=own.language, person_id=own.person_id, is_staff=is_staff)
    address = found.sign_in_name if "@" in found.sign_in_name else ""
    name = found.name if found.name != found.sign_in_name else ""
    return Reader(name=name, address=address, language=language, is_staff=is_staff)


def _spoken(language: str | None, hub: str) -> str:
    return language if language in LANGUAGES else hub
