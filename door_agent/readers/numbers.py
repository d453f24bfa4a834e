# SPDX-License-Identifier: AGPL-3.0-or-later
"""From what a reader types or sends to the canonical tag number. Pure; what cannot be turned into one is refused.

A reader that gives fewer bytes than the tag has cuts the number: nobody can make it whole again.
"""

from __future__ import annotations

from access_contract.vocabulary import InvalidTagNumber, TagNumber

_DECIMAL_BYTES = 4
_DECIMAL_DIGITS = 10


def typed(text: str, profile: str, *, reversed_bytes: bool) -> TagNumber:
    """Return the number in `text`: `hex` (8, 14 or 20 digits), `decimal` (up to ten digits) or `8h10d` (exactly ten: what eight
    hex digits come to). Raise InvalidTagNumber."""
    if profile == "hex":
        return _ordered(TagNumber.parse(text).uid, reversed_bytes=reversed_bytes)
    wrong_length = len(text) != _DECIMAL_DIGITS if profile == "8h10d" else not 0 < len(text) <= _DECIMAL_DIGITS
    if wrong_length or not (text.isascii() and text.isdigit()) or int(text) >= 1 << 8 * _DECIMAL_BYTES:
        raise InvalidTagNumber(f"a number of format {profile} has ten decimal digits and fits into four bytes")
    return _ordered(int(text).to_bytes(_DECIMAL_BYTES, "big"), reversed_bytes=reversed_bytes)


def sent(data: bytes, bits: int, profile: str, *, reversed_bytes: bool) -> TagNumber:
    """Return the number in the first `bits` of `data`: `uid` (32, 56 or 80 bits as they are), `wiegand34` or `wiegand58` (32 or
    56 bits between two parity bits, which must be right). Raise InvalidTagNumber."""
    if len(data) * 8 < bits:
        raise InvalidTagNumber(f"{bits} bits were announced and {len(data)} bytes sent")
    value = int.from_bytes(data, "big") >> (len(data) * 8 - bits)
    if profile != "uid":
        wanted = int(profile.removeprefix("wiegand"))
        if bits != wanted or not _parity_holds(value, bits):
            raise InvalidTagNumber(f"a number of format {profile} has {wanted} bits with the first and last for parity")
        value, bits = value >> 1 & (1 << bits - 2) - 1, bits - 2
    if bits % 8:
        raise InvalidTagNumber(f"a tag number has whole bytes, this one has {bits} bits")
    return _ordered(value.to_bytes(bits // 8, "big"), reversed_bytes=reversed_bytes)


def _ordered(uid: bytes, *, reversed_bytes: bool) -> TagNumber:
    return TagNumber(uid[::-1] if reversed_bytes else uid)


def _parity_holds(value: int, bits: int) -> bool:
    """Even over the first half with the first bit, odd over the second half with the last."""
    half = bits // 2
    return (value >> half).bit_count() % 2 == 0 and (value & (1 << half) - 1).bit_count() % 2 == 1
