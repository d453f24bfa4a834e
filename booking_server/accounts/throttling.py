# SPDX-License-Identifier: AGPL-3.0-or-later
"""Slows down who guesses: by account and address, by address, and by account from anywhere; at each step of signing in.

A try is counted before it is looked at, so that many at once are no more than many in a row. A few wrong tries from one place
do not lock the account's owner out at another.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from sqlalchemy import Connection, delete, func, insert, select

from booking_server.accounts.tables import sign_in_failures as failures
from booking_server.db import Database, one_at_a_time
from booking_server.errors import BookingServerError

WINDOW = timedelta(minutes=15)
FAILURES_BY_NAME_AND_ADDRESS, FAILURES_BY_ADDRESS, FAILURES_BY_NAME = 5, 30, 100


class Step(StrEnum):
    """What is tried: a password, what follows it, or to be sent a link."""

    PASSWORD = "password"  # noqa: S105 - the name of a step
    SECOND = "second"
    LINK = "link"


FROM_ANYWHERE = {Step.PASSWORD: FAILURES_BY_NAME, Step.SECOND: 10, Step.LINK: 5}
"""How many tries a name has in the window from all places. Of a million codes three are right at a time, and who tries them
knows the password; each link asked for is a mail to somebody."""


class Throttled(BookingServerError):
    """Too many tries. `wait_seconds` says how long until the next is looked at."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__("Too many tries. Wait {minutes} minutes, then try again.", minutes=-(-wait_seconds // 60))
        self.wait_seconds = wait_seconds


def begin_try(database: Database, *, now: datetime, step: Step, name: str, address: str) -> None:
    """Count a try of `name` (as it is kept: in lower case) from an address, in a transaction of its own. Raise Throttled."""
    with database.write() as tx:
        one_at_a_time(tx, "sign_in")
        place = place_of(address)
        _check(tx, now, step, name, place)
        tx.execute(delete(failures).where(failures.c.at <= now - WINDOW))
        tx.execute(insert(failures).values(at=now, sign_in_name=name, address=place, step=step.value))


def place_of(address: str) -> str:
    """Return where tries from this address are counted: a whole IPv6 network of a home is one place (RFC 6177), for each
    machine in it has as many addresses as it likes."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:60]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Address(int(found) >> 64 << 64))
    return str(getattr(found, "ipv4_mapped", None) or found)


def forgive(tx: Connection, *, name: str, step: Step) -> None:
    """Forget the tries of a name at a step: this one was right."""
    tx.execute(delete(failures).where((failures.c.sign_in_name == name) & (failures.c.step == step.value)))


def _check(tx: Connection, now: datetime, step: Step, name: str, address: str) -> None:
    by_name, by_address = failures.c.sign_in_name == name, failures.c.address == address
    for which, allowed in (
        (by_name & by_address, FAILURES_BY_NAME_AND_ADDRESS),
        (by_address, FAILURES_BY_ADDRESS),
        (by_name, FROM_ANYWHERE[step]),
    ):
        recent = which & (failures.c.step == step.value) & (failures.c.at > now - WINDOW)
        count, first = tx.execute(select(func.count(), func.min(failures.c.at)).where(recent)).one()
        if count >= allowed:
            raise Throttled(max(1, int((first + WINDOW - now).total_seconds())))
