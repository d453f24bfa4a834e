# SPDX-License-Identifier: AGPL-3.0-or-later
"""By which ways an account signs in, and what the hub asks of it beyond a password."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from booking_server.accounts import recovery, second_factor
from booking_server.accounts.service import Account
from booking_server.accounts.tables import passkeys
from booking_server.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What an account has: a password, codes of an `app`, recovery codes that are left, passkeys."""

    password: bool
    app: bool
    codes_left: int
    passkeys: int

    @property
    def has_second(self) -> bool:
        return self.app or self.passkeys > 0


def ways_of(tx: Connection, account: Account) -> Ways:
    """Return the ways of an account."""
    counted = select(func.count()).select_from(passkeys).where(passkeys.c.account_id == account.id)
    return Ways(
        password=account.has_password,
        app=second_factor.has(tx, account.id),
        codes_left=recovery.left(tx, account.id),
        passkeys=int(tx.execute(counted).scalar_one()),
    )


def is_asked_more(config: Config, account: Account) -> bool:
    """True of whom the hub lets nowhere by a password alone: staff, unless the settings say otherwise or it is a demo."""
    return config.sign_in.second_factor == "staff" and not config.demo and account.actor().is_staff


def needs_second(config: Config, account: Account, ways: Ways) -> bool:
    """True if a password or a link is only the first step: who has an app is asked for its code.

    A passkey, which is two factors in one, must come in a password's place only where the hub asks for more than a password.
    """
    return ways.app or (ways.passkeys > 0 and is_asked_more(config, account))


def may_be_held(config: Config, account: Account, how: Collection[str]) -> bool:
    """True of a session by a password alone, by a link (of a member who became staff), or by a sign-in elsewhere that vouches
    for no more, where the hub asks for more. Until the session proved more, it only does that, or sets it up.
    """
    return set(how) <= {"password", "link", "federated"} and is_asked_more(config, account)
