# SPDX-License-Identifier: AGPL-3.0-or-later
"""In which browsers an account was signed in before: a browser keeps a random word, the table only its hash.

Whoever signs in from one that is new to the account is told by mail. The word opens nothing.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, update

from booking_server.accounts.service import Account
from booking_server.accounts.sessions import id_of
from booking_server.accounts.tables import browsers
from booking_server.accounts.telling import tell
from booking_server.messages.service import Kind

KNOWN_FOR = timedelta(days=400)
"""How long a browser is known after it was last signed in with; no browser keeps a cookie longer."""
_PROGRAMS = (
    ("Edge", re.compile(r"\bEdg(e|A|iOS)?/")), ("Opera", re.compile(r"\bOPR/")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/")), ("Firefox", re.compile(r"\b(Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(Chrome|CriOS|HeadlessChrome)/")), ("Safari", re.compile(r"\bSafari/")),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", re.compile(r"\biPhone\b")), ("iPad", re.compile(r"\biPad\b")), ("Android", re.compile(r"\bAndroid\b")),
    ("Windows", re.compile(r"\bWindows\b")), ("Mac", re.compile(r"\bMacintosh\b")), ("ChromeOS", re.compile(r"\bCrOS\b")),
    ("Linux", re.compile(r"\bLinux\b")),
)  # fmt: skip


def note(
    tx: Connection, account: Account, *, now: datetime, word: str | None, address: str, device: str, is_told: bool = True
) -> str:
    """Note a sign-in and return the word that this browser is to keep. Its owner is told if the browser is a new one.

    Not `is_told` is who has just had a mail of it: whose link it was.
    """
    tx.execute(delete(browsers).where(browsers.c.seen_at < now - KNOWN_FOR))
    if word is not None:
        known = (browsers.c.id == id_of(word)) & (browsers.c.account_id == account.id)
        if tx.execute(update(browsers).where(known).values(seen_at=now)).rowcount:
            return word
    word = word or secrets.token_urlsafe(32)
    tx.execute(insert(browsers).values(id=id_of(word), account_id=account.id, first_at=now, seen_at=now))
    if not is_told:
        return word
    key = f"new_sign_in:{account.id}:{id_of(word)[:32]}:{now.isoformat()}"
    tell(tx, account, now=now, kind=Kind.NEW_SIGN_IN, key=key, at=now, device=in_words(device), address=address)
    return word


def in_words(device: str) -> str:
    """Return what a browser says of itself as people call it, "Firefox, Windows"; empty if it is none that is known."""
    found = (next((name for name, sign in signs if sign.search(device)), "") for signs in (_PROGRAMS, _SYSTEMS))
    return ", ".join(name for name in found if name)
