# SPDX-License-Identifier: AGPL-3.0-or-later
"""The codes of an app on a phone (TOTP, RFC 6238: SHA-1, 6 digits, 30 s) that are asked for after a password or a link.

A code is taken once only, and one step early or late. The secret is kept sealed, and stands nowhere before a code of it was
typed: nobody is locked out by an app that was never set up.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from sqlalchemy import Connection, delete, insert, select, update

from booking_server.accounts import throttling
from booking_server.accounts.service import Account
from booking_server.accounts.signing_in import SignInRefused
from booking_server.accounts.tables import second_factors
from booking_server.accounts.throttling import Step
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.db import Database
from booking_server.errors import Invalid
from booking_server.keys import Unreadable, Vault

DIGITS, STEP_SECONDS, STEPS_OFF = 6, 30, 1
_SECRET_BYTES = 20


def new_secret() -> bytes:
    """Return a secret for an app, known to nobody yet."""
    return secrets.token_bytes(_SECRET_BYTES)


def offered(vault: Vault, account_id: int, secret: bytes) -> str:
    """Return an offered secret as a form carries it back: only this account can take it."""
    return base64.urlsafe_b64encode(vault.seal(secret, about=_offer(account_id))).decode("ascii")


def of_offer(vault: Vault, account_id: int, sealed: str) -> bytes:
    """Return the secret that was offered. Raise Invalid at "code" for what is no offer to this account."""
    try:
        return vault.unseal(base64.urlsafe_b64decode(sealed.encode("ascii")), about=_offer(account_id))
    except (Unreadable, ValueError):
        raise Invalid("code", "This page is too old. Open it again, and set up the app with what it shows then.") from None


def address_of(secret: bytes, *, name: str, hub: str) -> str:
    """Return the otpauth:// address that an app reads from a QR code."""
    return _totp(secret).get_provisioning_uri(name, hub)


def typed(secret: bytes) -> str:
    """Return the secret as it is typed into an app: base32 in groups of four."""
    text = base64.b32encode(secret).decode("ascii")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def has(tx: Connection, account_id: int) -> bool:
    """True if the account is asked for codes of an app."""
    return tx.execute(select(second_factors.c.account_id).filter_by(account_id=account_id)).first() is not None


def set_up(tx: Connection, actor: Actor, *, now: datetime, vault: Vault, secret: bytes, code: str) -> None:
    """Ask for codes of this secret from now on, in place of one before. One's own only. Raise Invalid unless the code fits."""
    account_id = _own(actor)
    step = _step(secret, now, code)
    if step is None:
        raise Invalid("code", "This is not the app's code now. Wait for the next, and look whether the phone's clock is right.")
    sealed = vault.seal(secret, about=_kept(account_id))
    tx.execute(delete(second_factors).filter_by(account_id=account_id))
    tx.execute(insert(second_factors).values(account_id=account_id, sealed_secret=sealed, last_step=step, made_at=now))
    audit.note(tx, actor, now=now, act="second_factor_set_up", subject=f"account:{account_id}")


def turn_off(tx: Connection, actor: Actor, *, now: datetime, account_id: int) -> None:
    """Ask for codes of an app no longer. One's own, or as an administrator of the hub. Raise NotAllowed."""
    if actor.account_id != account_id:
        actor.must_be_everywhere()
    if tx.execute(delete(second_factors).filter_by(account_id=account_id)).rowcount:
        audit.note(tx, actor, now=now, act="second_factor_off", subject=f"account:{account_id}")


def check_code(database: Database, *, now: datetime, vault: Vault, account: Account, code: str, address: str) -> None:
    """Return if it is the app's code now, not used before. Raise SignInRefused or Throttled."""
    throttling.begin_try(database, now=now, step=Step.SECOND, name=account.sign_in_name, address=address)
    with database.write() as tx:
        kept = tx.execute(select(second_factors).filter_by(account_id=account.id)).one_or_none()
        step = None if kept is None else _step(vault.unseal(kept.sealed_secret, about=_kept(account.id)), now, code)
        if step is not None and _take(tx, account.id, step):
            throttling.forgive(tx, name=account.sign_in_name, step=Step.SECOND)
            return
    raise SignInRefused("This is not the code now, or it was used already. Wait for the next.")


def _take(tx: Connection, account_id: int, step: int) -> bool:
    """True for the first who comes with this step's code."""
    unused = (second_factors.c.account_id == account_id) & (second_factors.c.last_step < step)
    return tx.execute(update(second_factors).where(unused).values(last_step=step)).rowcount == 1


def _step(secret: bytes, now: datetime, code: str) -> int | None:
    """Return the step whose code this is; None if it is none's."""
    given = "".join(code.split())
    if len(given) != DIGITS or not (given.isascii() and given.isdigit()):
        return None
    return next((step for step in _steps(now) if _fits(secret, step, given)), None)


def _steps(now: datetime) -> Iterator[int]:
    step = int(now.timestamp()) // STEP_SECONDS
    yield from range(step - STEPS_OFF, step + STEPS_OFF + 1)


def _fits(secret: bytes, step: int, code: str) -> bool:
    try:
        _totp(secret).verify(code.encode("ascii"), step * STEP_SECONDS)
    except InvalidToken:
        return False
    return True


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP_SECONDS)  # noqa: S303 - what apps know; RFC 6238 uses it as HMAC


def _own(actor: Actor) -> int:
    if actor.account_id is None:
        raise Invalid("code", "Only who is signed in sets up an app.")
    return actor.account_id


def _offer(account_id: int) -> str:
    return f"a second factor offered to account {account_id}"


def _kept(account_id: int) -> str:
    return f"the second factor of account {account_id}"
