# SPDX-License-Identifier: AGPL-3.0-or-later
"""How a command reaches a PC/SC reader itself and not the card on it: through pcscd's control channel.

Each call has a context of its own and leaves nothing open. The code of the channel is asked of the driver; where that does not
tell, the two that drivers use are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

_FEATURES, _ESCAPE_FEATURE = 3400, 0x13
_VENDOR_CODES = (1, 3500)


class NotSent(Exception):
    """pcscd or the reader is away, or another program holds it: that says nothing about the reader's health."""


class Control:
    """Sends commands; `answers(name)` says whether that reader ever answered one."""

    def __init__(self, scard: Any) -> None:
        self._scard = scard
        self._codes: dict[str, int] = {}

    def answers(self, name: str) -> bool:
        return name in self._codes

    def send(self, name: str, commands: Sequence[bytes]) -> list[bytes | None]:
        """Return each command's answer, None for one that was not answered. Raise NotSent."""
        with self._connected(name, self._scard.SCARD_SHARE_DIRECT, 0) as (card, _):
            return [self._sent(name, card, command) for command in commands]

    def send_by_card(self, name: str, commands: Sequence[bytes]) -> None:
        """Send them as if to the card, of which some readers take their own commands out. Raise NotSent without a card."""
        protocols = self._scard.SCARD_PROTOCOL_T0 | self._scard.SCARD_PROTOCOL_T1
        with self._connected(name, self._scard.SCARD_SHARE_SHARED, protocols) as (card, protocol):
            for command in commands:
                self._scard.SCardTransmit(card, protocol, list(command))

    @contextmanager
    def _connected(self, name: str, share: int, protocols: int) -> Iterator[tuple[Any, int]]:
        scard = self._scard
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_SYSTEM)
        self._ok(result)
        try:
            result, card, protocol = scard.SCardConnect(context, name, share, protocols)
            self._ok(result)
            try:
                yield card, protocol
            finally:
                scard.SCardDisconnect(card, scard.SCARD_LEAVE_CARD)
        finally:
            scard.SCardReleaseContext(context)

    def _ok(self, result: int) -> None:
        if result:
            raise NotSent(self._scard.SCardGetErrorMessage(result))

    def _sent(self, name: str, card: Any, command: bytes) -> bytes | None:
        for code in [self._codes[name]] if name in self._codes else self._possible(card):
            result, answer = self._scard.SCardControl(card, code, list(command))
            if not result:
                self._codes[name] = code
                return bytes(byte & 0xFF for byte in answer)
            if result not in (self._scard.SCARD_E_NOT_TRANSACTED, self._scard.SCARD_E_UNSUPPORTED_FEATURE):
                self._ok(result)
        return None

    def _possible(self, card: Any) -> list[int]:
        """Return the codes to try: what the driver names as its escape channel, then what drivers commonly use."""
        result, told = self._scard.SCardControl(card, self._scard.SCARD_CTL_CODE(_FEATURES), [])
        named = _feature(bytes(byte & 0xFF for byte in told), _ESCAPE_FEATURE) if not result else None
        return list(dict.fromkeys([*([named] if named is not None else []), *map(self._scard.SCARD_CTL_CODE, _VENDOR_CODES)]))


def _feature(told: bytes, wanted: int) -> int | None:
    """Return a feature's control code out of tag, length, value (PC/SC part 10; the code is big-endian)."""
    while len(told) >= 2:
        tag, length, told = told[0], told[1], told[2:]
        if tag == wanted and length == 4:
            return int.from_bytes(told[:4], "big")
        told = told[length:]
    return None
