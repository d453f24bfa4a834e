# SPDX-License-Identifier: AGPL-3.0-or-later
"""Passkeys: what a phone, a computer or a security key signs instead of a password. One is two factors: the thing itself, and
the finger, face or PIN that it wants.

It never takes an answer meant for another address, for another account, made without the person, or made by a copy: a counter
that went back is refused. It never removes the last way into an account.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException

from booking_server.accounts import service as accounts
from booking_server.accounts.challenges import Challenge
from booking_server.accounts.passkey_place import Place
from booking_server.accounts.service import Account
from booking_server.accounts.tables import federated_links, passkeys
from booking_server.accounts.telling import tell_change
from booking_server.actors import Actor
from booking_server.audit import service as audit
from booking_server.errors import Invalid, NotFound

ALGORITHMS = (
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
)
NAME_LENGTH, PASSKEYS_MAX, CREDENTIAL_ID_LENGTH = 80, 20, 1400
TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey of an account. `credential_id` is what its device knows it by, in base64url."""

    id: int
    account_id: int
    credential_id: str
    user_handle: str
    public_key: bytes
    sign_count: int
    name: str
    transports: Sequence[str]
    created_at: datetime
    used_at: datetime | None


def passkeys_of(tx: Connection, account_id: int) -> list[Passkey]:
    """Return an account's passkeys, the oldest first."""
    found = select(passkeys).where(passkeys.c.account_id == account_id).order_by(passkeys.c.id)
    return [_passkey(row) for row in tx.execute(found)]


def handle_of(tx: Connection, account_id: int) -> str:
    """Return by what its devices know an account: the same for all its passkeys, and telling nothing."""
    known = passkeys_of(tx, account_id)
    return known[0].user_handle if known else secrets.token_urlsafe(32)


def add(tx: Connection, actor: Actor, *, now: datetime, place: Place, challenge: Challenge, answer: str, name: str) -> Passkey:
    """Keep a new passkey of the actor's own account. Raise Invalid at "name" or "passkey"."""
    account = accounts.existing_account(tx, actor.account_id or 0)
    known = passkeys_of(tx, account.id)
    if len(known) >= PASSKEYS_MAX:
        raise Invalid("passkey", "You have {count} passkeys. Remove one that you no longer use first.", count=len(known))
    said = _said(answer, place)
    try:
        made = verify_registration_response(
            credential=said,
            expected_challenge=challenge.challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
            supported_pub_key_algs=list(ALGORITHMS),
        )
    except (WebAuthnException, ValueError):
        raise _not_taken() from None
    credential_id = bytes_to_base64url(made.credential_id)
    if len(credential_id) > CREDENTIAL_ID_LENGTH or _by_credential(tx, credential_id):
        raise Invalid("passkey", "This passkey is kept here already. Make a new one for this account.")
    row = {
        "account_id": account.id,
        "credential_id": credential_id,
        "user_handle": challenge.handle,
        "public_key": made.credential_public_key,
        "sign_count": made.sign_count,
        "name": _name(name, len(known) + 1),
        "transports": sorted(TRANSPORTS.intersection(map(str, said["response"].get("transports") or ()))),
        "created_at": now,
    }
    number = int(tx.execute(insert(passkeys).values(row).returning(passkeys.c.id)).scalar_one())
    audit.note(tx, actor, now=now, act="passkey_added", subject=f"account:{account.id}", passkey=number)
    made_now = _own(tx, actor, number)
    tell_change(tx, account, now=now, change="passkey_added", name=made_now.name)
    return made_now


def rename(tx: Connection, actor: Actor, *, passkey_id: int, name: str) -> Passkey:
    """Call one of the actor's own passkeys something else. Raise Invalid; NotFound."""
    found = _own(tx, actor, passkey_id)
    tx.execute(update(passkeys).where(passkeys.c.id == found.id).values(name=_name(name, 1)))
    return _own(tx, actor, passkey_id)


def remove(tx: Connection, actor: Actor, *, now: datetime, passkey_id: int, by_link: bool) -> Passkey:
    """Forget one of the actor's own passkeys, and return it. Raise Invalid if nothing else lets them in; NotFound.

    `by_link`: a link can be mailed to them, which does too.
    """
    found = _own(tx, actor, passkey_id)
    account = accounts.existing_account(tx, found.account_id)
    if not by_link and not other_ways_in(tx, account, but=found.id):
        raise Invalid("passkey", "This is your only way to sign in. Add another passkey or a password first.")
    tx.execute(delete(passkeys).where(passkeys.c.id == found.id))
    audit.note(tx, actor, now=now, act="passkey_removed", subject=f"account:{found.account_id}", passkey=found.id)
    tell_change(tx, account, now=now, change="passkey_removed", name=found.name)
    return found


def other_ways_in(tx: Connection, account: Account, *, but: int | None = None) -> bool:
    """True if a password, another passkey than `but`, or a sign-in elsewhere lets this account in."""
    others = select(passkeys.c.id).where((passkeys.c.account_id == account.id) & (passkeys.c.id != (but or 0)))
    linked = select(federated_links.c.id).where(federated_links.c.account_id == account.id)
    return account.has_password or any(tx.execute(found.limit(1)).first() for found in (others, linked))


def account_of(
    tx: Connection, *, now: datetime, place: Place, challenge: Challenge, answer: str, account_id: int | None = None
) -> Account:
    """Return whose passkey signed the challenge, with the person proved. With `account_id` it must be that account's.

    Raise Invalid at "passkey". A counter that went back stays as it was: both who has the copy and the owner are refused.
    """
    said = _said(answer, place)
    found = _by_credential(tx, str(said.get("id", "")))
    if found is None:
        raise Invalid("passkey", "This passkey is not known here: it was removed, or belongs to another hub.")
    handle = said["response"].get("userHandle")
    foreign = handle is not None and handle != found.user_handle
    if foreign or (account_id is not None and found.account_id != account_id):
        raise Invalid("passkey", "This passkey belongs to another account. Use one of this account's.")
    count = _verified(found, said, place, challenge)
    account = accounts.existing_account(tx, found.account_id)
    if account.closed:
        raise Invalid("passkey", "This account is closed. Ask the hub's staff.")
    if count <= found.sign_count and (count, found.sign_count) != (0, 0):
        raise Invalid(
            "passkey",
            "Another copy of this passkey has been used. Sign in another way, remove this passkey and tell the staff.",
        )
    tx.execute(update(passkeys).where(passkeys.c.id == found.id).values(sign_count=count, used_at=now))
    return account


def _verified(found: Passkey, said: dict[str, Any], place: Place, challenge: Challenge) -> int:
    """Return what the device says how often it signed. That it went on is for the caller to look at."""
    try:
        return verify_authentication_response(
            credential=said,
            expected_challenge=challenge.challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=found.public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        ).new_sign_count
    except (WebAuthnException, ValueError):
        raise _not_taken() from None


def _not_taken() -> Invalid:
    return Invalid("passkey", "The passkey's answer could not be checked. Try again, or sign in another way.")


def _said(answer: str, place: Place) -> dict[str, Any]:
    """Return what the browser sent, of the right shape and made at the hub's own address. Raise Invalid."""
    try:
        said = json.loads(answer)
        origin = str(json.loads(base64url_to_bytes(said["response"]["clientDataJSON"]))["origin"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Invalid("passkey", "No passkey was used. Try again; passkeys need JavaScript and a browser of today.") from None
    if origin != place.origin:
        raise Invalid(
            "passkey", "A passkey works only at the hub's own address. Open {address} and try again.", address=place.origin
        )
    return dict(said)


def _by_credential(tx: Connection, credential_id: str) -> Passkey | None:
    found = tx.execute(select(passkeys).where(passkeys.c.credential_id == credential_id).with_for_update()).one_or_none()
    return _passkey(found) if found else None


def _own(tx: Connection, actor: Actor, passkey_id: int) -> Passkey:
    own = (passkeys.c.id == passkey_id) & (passkeys.c.account_id == (actor.account_id or 0))
    found = tx.execute(select(passkeys).where(own).with_for_update()).one_or_none()
    if found is None:
        raise NotFound("There is no passkey {passkey_id}.", passkey_id=passkey_id)
    return _passkey(found)


def _name(text: str, number: int) -> str:
    name = " ".join(text.split())
    if len(name) > NAME_LENGTH:
        raise Invalid("name", "The name is at most {length} characters long.", length=NAME_LENGTH)
    return name or f"Passkey {number}"


def _passkey(row: Row[Any]) -> Passkey:
    return Passkey(**row._mapping)
