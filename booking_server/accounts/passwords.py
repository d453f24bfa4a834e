# SPDX-License-Identifier: AGPL-3.0-or-later
"""Which passwords are good enough, and how they are kept: as argon2id hashes only.

Long, not among those that everybody tries first, and not made of the name beside it. No signs are demanded and none refused.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from booking_server.errors import Invalid

LENGTH_MIN, LENGTH_MAX = 12, 200
OWN_LENGTH_MIN = 8
"""How much of a password must be left once the names in it are taken out."""
HASHER = PasswordHasher()
"""argon2id with the library's parameters (RFC 9106, second recommendation)."""
_COMMON = Path(__file__).with_name("common_passwords.txt")


def hash_password(password: str, *, about: Collection[str] = ()) -> str:
    """Return the argon2id hash. `about` are the names that everybody tries: who it is, the hub's. Raise Invalid at "password".

    OWASP ASVS 5.0, 6.2.1, 6.2.4, 6.2.5, 6.2.8, 6.2.9, 6.2.11.
    """
    if len(password) < LENGTH_MIN:
        raise Invalid("password", "Use at least {length} characters; three or four words are good.", length=LENGTH_MIN)
    if len(password) > LENGTH_MAX:
        raise Invalid("password", "Use at most {length} characters.", length=LENGTH_MAX)
    plain = password.casefold()
    if plain in common() or len(set(plain)) < 4:
        raise Invalid("password", "Many people use this password, so it is tried first. Choose another, of words of your own.")
    if len(_without(plain, about)) < OWN_LENGTH_MIN:
        raise Invalid("password", "This password is made of your name or the hub's. Choose another, of words of your own.")
    return HASHER.hash(password)


def fits(password_hash: str, password: str) -> bool:
    """True if it is the password that was hashed. It takes its time, whatever the answer."""
    try:
        return len(password) <= LENGTH_MAX and HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


@cache
def common() -> frozenset[str]:
    """Return the passwords that are tried first."""
    lines = _COMMON.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def _without(plain: str, about: Collection[str]) -> str:
    """Return a password without the names in it. A word of fewer than four letters stands in many by chance."""
    words = {word for name in ("hubkey", *about) for word in (name.casefold(), *name.casefold().replace("@", " ").split())}
    for word in sorted(words, key=len, reverse=True):
        plain = plain.replace(word, "") if len(word) >= 4 else plain
    return plain
