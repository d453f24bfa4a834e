# SPDX-License-Identifier: AGPL-3.0-or-later
"""Members sign in by a link that is mailed to them: good once, for a quarter of an hour, kept as a hash only.

Whether an address is known is told to nobody but its mailbox. Opening a link changes nothing, for mail programs open links too:
it is used by a button. Staff do not sign in by link: whoever reads their mail would open doors.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from booking_server.accounts import service as accounts
from booking_server.accounts import throttling
from booking_server.accounts.service import Account
from booking_server.accounts.sessions import id_of
from booking_server.accounts.tables import accounts as account_table
from booking_server.accounts.tables import sign_in_links
from booking_server.accounts.throttling import Step
from booking_server.actors import SYSTEM, Role
from booking_server.audit import service as audit
from booking_server.db import Database
from booking_server.errors import NotFound
from booking_server.messages import service as messages
from booking_server.messages.service import Kind, Recipient
from booking_server.people import service as people
from booking_server.people.service import Person

LIFE = timedelta(minutes=15)
EMAIL_LENGTH, AFTER_LENGTH = 200, 200


@dataclass(frozen=True, slots=True)
class Proven:
    """Whoever sits there reads this mailbox. `after` is the page that they were on their way to."""

    email: str
    after: str


def ask(database: Database, *, now: datetime, email: str, after: str, origin: str, address: str) -> None:
    """Mail a link to an address at which a member is known, and do as much for one that is not. Raise Throttled."""
    email, token = _plain(email), secrets.token_urlsafe(32)
    throttling.begin_try(database, now=now, step=Step.LINK, name=email, address=address)
    row = {
        "id": id_of(token),
        "email": email,
        "after": after if len(after) <= AFTER_LENGTH else "/",
        "made_at": now,
        "until_at": now + LIFE,
    }
    with database.write() as tx:
        tx.execute(delete(sign_in_links).where(sign_in_links.c.until_at < now))
        tx.execute(insert(sign_in_links).values(row))
        known = people_of(tx, email) or _nobody(tx)
        # the mailbox as it is kept, whatever was typed that looks like it
        to = Recipient(person_id=known[0].id) if known else Recipient(address=email)
        key, link, minutes = f"sign_in_link:{id_of(token)}", f"{origin}/sign-in/link/{token}", int(LIFE.total_seconds() // 60)
        with tx.begin_nested() as kept:
            messages.put(tx, now=now, kind=Kind.SIGN_IN_LINK, to=to, key=key, link=link, minutes=minutes)
            if not known:  # only now: how long it takes would tell as much as words
                kept.rollback()


def is_good(tx: Connection, *, now: datetime, token: str) -> bool:
    """True if the link can still be used."""
    return tx.execute(select(sign_in_links.c.id).where(_good(now, token))).first() is not None


def use(tx: Connection, *, now: datetime, token: str) -> Proven | None:
    """Use a link up and return what it proves; None if it was used, is too old, or never was."""
    returned = sign_in_links.c.email, sign_in_links.c.after
    used = tx.execute(update(sign_in_links).where(_good(now, token)).values(used_at=now).returning(*returned)).one_or_none()
    return None if used is None else Proven(used.email, used.after)


def people_of(tx: Connection, email: str) -> list[Person]:
    """Return the active people with this address who may sign in by link, by name."""
    if not email:
        return []
    found = [one for one in people.people(tx, SYSTEM, search=email) if _plain(one.email) == _plain(email) and one.active]
    return [one for one in found if _may(tx, one.id)]


def account_for(tx: Connection, *, now: datetime, email: str, person_id: int) -> Account:
    """Return the account of a person whose mailbox was proven, made now if they have none yet. Raise NotFound."""
    who = next((one for one in people_of(tx, email) if one.id == person_id), None)
    if who is None:
        raise NotFound("Nobody can sign in this way.")
    known = accounts.account_of_person(tx, person_id)
    if known is not None:
        return known
    taken = tx.execute(select(account_table.c.id).filter_by(sign_in_name=_plain(email))).first() is not None
    made = accounts.add_account(
        tx,
        SYSTEM,
        now=now,
        sign_in_name=f"{_plain(email)} {person_id}" if taken else email,
        name=who.name,
        role=Role.MEMBER,
        password=None,
        person_id=person_id,
    )
    audit.note(tx, made.actor(), now=now, act="account_by_link", subject=f"account:{made.id}")
    return made


def _nobody(tx: Connection) -> list[Person]:
    """Look up as much as for somebody."""
    _may(tx, 0)
    return []


def _may(tx: Connection, person_id: int) -> bool:
    """False of staff, and of who had an account that was closed: that they are out was somebody's decision."""
    known = accounts.account_of_person(tx, person_id)
    if known is not None:
        return not known.actor().is_staff
    return tx.execute(select(account_table.c.id).filter_by(person_id=person_id)).first() is None


def _good(now: datetime, token: str) -> ColumnElement[bool]:
    unused = sign_in_links.c.used_at.is_(None) & (sign_in_links.c.until_at > now)
    return (sign_in_links.c.id == id_of(token)) & unused


def _plain(email: str) -> str:
    return email.strip().lower()[:EMAIL_LENGTH]
