# SPDX-License-Identifier: AGPL-3.0-or-later
"""For who has lost phone and paper: an administrator makes the password enough once more, until a new second factor is set up.

Whoever does this has looked the person in the eye: nothing here can tell them from a stranger who calls.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, delete

from booking_server.accounts import recovery, second_factor, sessions
from booking_server.accounts import service as accounts
from booking_server.accounts.tables import passkeys
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.errors import Invalid


def reset_second_factor(tx: Connection, actor: Actor, *, now: datetime, account_id: int) -> None:
    """Forget an account's app, recovery codes and passkeys, and end its sessions. An administrator may, but not their own.

    Raise Invalid where no password would be left to get in by; NotFound; NotAllowed.
    """
    actor.must_be_everywhere()
    if actor.account_id == account_id:
        raise Invalid("account_id", "Change your own ways to sign in on your own page.")
    found = accounts.existing_account(tx, account_id)
    if not found.has_password and not (found.person_id and not found.actor().is_staff):
        raise Invalid("account_id", "This account has no password. Give it one first, then nobody is locked out.")
    second_factor.turn_off(tx, actor, now=now, account_id=account_id)
    recovery.drop(tx, account_id)
    tx.execute(delete(passkeys).where(passkeys.c.account_id == account_id))
    sessions.end_all(tx, actor, now=now, account_id=account_id)
    audit.note(tx, actor, now=now, act="second_factor_reset", subject=f"account:{account_id}")
