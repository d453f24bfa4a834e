# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tells an account's owner by mail what happened to it. For who has no address nothing is left waiting in the outbox."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from booking_server.accounts.service import Account
from booking_server.messages import service as messages
from booking_server.messages.rules import Fact
from booking_server.messages.service import Kind, Recipient


def tell(tx: Connection, account: Account, *, now: datetime, kind: Kind, key: str, **facts: Fact) -> None:
    """Put the message into the outbox, in the transaction of its cause."""
    if account.person_id is not None or "@" in account.sign_in_name:
        messages.put(tx, now=now, kind=kind, to=Recipient(account_id=account.id), key=key, **facts)


def tell_change(tx: Connection, account: Account, *, now: datetime, change: str, name: str) -> None:
    """Tell the owner that a way to sign in came or went: "passkey_added", "passkey_removed" or "linked"; `name` says which."""
    key = f"sign_in_changed:{account.id}:{change}:{now.isoformat()}"
    tell(tx, account, now=now, kind=Kind.SIGN_IN_CHANGED, key=key, at=now, change=change, which=name)
